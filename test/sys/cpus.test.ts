import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { allowedCpus, parseCpuList, pinThread, yieldProcessor } from '../../sys/cpus.ts';
import { libc } from '../../sys/libc.ts';
import { sysErrorOf } from './support.ts';

test('a list of processors is read as the kernel writes it', () => {
  expect(parseCpuList('0')).toEqual([0]);
  expect(parseCpuList('0-3,8,10-11')).toEqual([0, 1, 2, 3, 8, 10, 11]);
});

test('a thread stays where it was put, and the others of its process stay free', () => {
  expect(allowedCpus()).toHaveLength(availableParallelism());
  const last = pinToLast();
  expect(ofThread('Cpus_allowed_list')).toBe(String(last));
});

test('a processor is let go when another wants it', async () => {
  const last = pinToLast();
  const busy = spawn('taskset', ['-c', String(last), 'sh', '-c', 'echo; while :; do :; done']);
  onTestFinished(() => void busy.kill('SIGKILL'));
  await once(busy.stdout, 'data');
  const switches = () => Number(ofThread('nonvoluntary_ctxt_switches'));
  const before = switches();
  for (let n = 0; n < 100; n++) yieldProcessor();
  // Not each time: the scheduler may owe this thread something. Without, there would be none in so short a time.
  expect(switches() - before).toBeGreaterThan(10);
});

test('a processor that is not there is an error that says so', () => {
  expect(sysErrorOf(() => pinThread(8191))).toMatchObject({ code: 'EINVAL', call: 'sched_setaffinity' });
});

/** A line of this thread's /proc/PID/status. */
function ofThread(key: string): string | undefined {
  return readFileSync('/proc/thread-self/status', 'utf8').match(new RegExp(`^${key}:\\s*(\\S+)$`, 'm'))?.[1];
}

/** Until the test is over. */
function pinToLast(): number {
  const before = allowedCpus();
  onTestFinished(() => {
    const mask = new Uint8Array(1024);
    for (const cpu of before) mask[cpu >> 3] |= 1 << (cpu & 7);
    libc.sched_setaffinity(0, mask.length, mask);
  });
  const last = before[before.length - 1];
  pinThread(last);
  return last;
}
