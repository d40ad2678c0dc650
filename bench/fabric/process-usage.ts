/** What a process uses, read from /proc. */
import { readFileSync } from 'node:fs';

/** Clock ticks a second in /proc (sysconf(_SC_CLK_TCK), 100 on every Linux that Node runs on). */
const TICKS = 100;

/** Resident memory, bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/**
 * What the kernel itself uses, bytes: memory that is neither free, nor of processes, nor of the file cache. Of the whole
 * machine, so others are among it.
 */
export function kernelBytes(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024;
  return of('MemTotal') - of('MemFree') - of('Buffers') - of('Cached') - of('AnonPages');
}

/** Time on processors since its start, user and kernel, seconds. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
