import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { allowedCpus, parseCpuList, pinThread } from '../../sys/cpus.ts';
import { libc } from '../../sys/libc.ts';
import { sysErrorOf } from './support.ts';

test('a list of processors is read as the kernel writes it', () => {
  expect(parseCpuList('0')).toEqual([0]);
  expect(parseCpuList('0-3,8,10-11')).toEqual([0, 1, 2, 3, 8, 10, 11]);
});

test('a thread stays where it was put, and the others of its process stay free', () => {
  const mine = () =>
    readFileSync('/proc/thread-self/status', 'utf8').match(/^Cpus_allowed_list:\s*(\S+)$/m)?.[1];
  const before = allowedCpus();
  expect(before).toHaveLength(availableParallelism());
  onTestFinished(() => {
    const mask = new Uint8Array(1024);
    for (const cpu of before) mask[cpu >> 3] |= 1 << (cpu & 7);
    libc.sched_setaffinity(0, mask.length, mask);
  });
  const last = before[before.length - 1];
  pinThread(last);
  expect(mine()).toBe(String(last));
});

test('a processor that is not there is an error that says so', () => {
  expect(sysErrorOf(() => pinThread(8191))).toMatchObject({ code: 'EINVAL', call: 'sched_setaffinity' });
});
