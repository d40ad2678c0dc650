/**
 * Processes told apart for good: a pid is given again to another process, a pid with the time of its start is not. What
 * finds, records and ends them here never signals a pid alone.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';

export interface Process {
  readonly pid: number;
  /** Clock ticks from the start of the machine to its own, as the kernel writes them. */
  readonly start: string;
}

/** Field of /proc/PID/stat, counted from the state, which is the first after the name (proc_pid_stat(5): field 22). */
const START_FIELD = 19;
const GONE = ['Z', 'X'];

/** The process that has this pid now; none when it has ended, even if nobody has collected its status yet. */
export function processOf(pid: number): Process | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The name, in parentheses, may have any character, parentheses included.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (!fields || GONE.includes(fields[0])) return undefined;
  return { pid, start: fields[START_FIELD] };
}

export const isAlive = ({ pid, start }: Process): boolean => processOf(pid)?.start === start;

export function record(file: string, pid: number): void {
  const process = processOf(pid);
  if (process) writeFileSync(file, `${process.pid} ${process.start}\n`);
}

export function recorded(file: string): Process | undefined {
  const [, pid, start] = /^(\d+) (\d+)\n$/.exec(read(file) ?? '') ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), start };
}

/** All whose network namespace is one of these, but for this one. @param paths as in /run/netns */
export function processesIn(paths: readonly string[]): Process[] {
  const wanted = new Set(paths.map(identity).filter(Boolean));
  if (wanted.size === 0) return [];
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && wanted.has(identity(`/proc/${pid}/ns/net`)))
    .map(processOf)
    .filter((one) => one !== undefined);
}

/** Ends them at once and waits until they are gone, for `patience` milliseconds at most. Blocks: made for exit handlers. */
export function end(processes: readonly Process[], patience = 3000): void {
  const deadline = Date.now() + patience;
  for (const one of processes) kill(one);
  while (processes.some(isAlive) && Date.now() < deadline) pause(5);
}

function kill(one: Process): void {
  if (!isAlive(one)) return;
  try {
    process.kill(one.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const cell = new Int32Array(new SharedArrayBuffer(4));
const pause = (milliseconds: number): unknown => Atomics.wait(cell, 0, 0, milliseconds);

/** What a namespace is, under all of its names. */
function identity(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined; // Gone by now.
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
