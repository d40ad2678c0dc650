/** Which processors threads may run on. */

import { readFileSync } from 'node:fs';
import { check } from './errors.ts';
import { libc } from './libc.ts';

/** The numbers of those that the kernel lets this process use, ascending. */
export function allowedCpus(): number[] {
  const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return parseCpuList(list);
}

/** `0-3,8` as the kernel writes it (cpuset(7), list format). */
export function parseCpuList(text: string): number[] {
  return text.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}

/** Keeps the calling thread, and no other of its process, on one processor. @throws SysError when it may not run there */
export function pinThread(cpu: number): void {
  const mask = new Uint8Array((Math.floor(cpu / 64) + 1) * 8);
  mask[cpu >> 3] = 1 << (cpu & 7);
  const doing = `keeping a worker on processor ${cpu}`;
  check(libc.sched_setaffinity(0, mask.length, mask), 'sched_setaffinity', doing, {
    EINVAL:
      'there is no such processor, or this process may not use it (Cpus_allowed_list in /proc/self/status)',
  });
}

/** Lets go first whoever waits for the processor of the calling thread; nobody waiting, it goes on at once (about 1 µs). */
export function yieldProcessor(): void {
  libc.sched_yield();
}
