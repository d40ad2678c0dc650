/** How much of the machine others took while something was measured. */
import { describe, expect, it } from 'vitest';
import {
  type MachineTime,
  type ProcessTime,
  parseMachineStat,
  parseProcessStat,
  readMachine,
  usageBetween,
} from '../../bench/fabric/meter.ts';

const ROOT = 100;
const process_ = (pid: number, parent: number, ticks: number): ProcessTime => ({ pid, parent, ticks });
const machine = (at: number, busy: number, processes: ProcessTime[], stolen = 0): MachineTime => ({
  at,
  busy,
  stolen,
  processes,
});

describe('readings', () => {
  it('of a process whose name is made to confuse', () => {
    const stat =
      '42 (a) R 1 (b) S 7 42 42 0 -1 4194560 100 200 0 0 10 20 30 40 20 0 1 0 1000 1000000 100 18446744073709551615';
    expect(parseProcessStat(stat)).toEqual({ pid: 42, parent: 7, ticks: 100 });
  });

  it('of the machine', () => {
    const stat = 'cpu  10 20 30 1000 5 1 2 7 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n';
    expect(parseMachineStat(stat)).toEqual({ busy: 63, stolen: 7 });
  });

  it('of this machine: this process is there and has worked', () => {
    const { processes, busy } = readMachine();
    expect(processes.find(({ pid }) => pid === process.pid)?.ticks).toBeGreaterThan(0);
    expect(busy).toBeGreaterThan(0);
  });
});

describe('usage', () => {
  const kernel = [process_(2, 0, 5), process_(3, 2, 50)];

  it('is ours where it is of this process, what descends from it, or the kernel', () => {
    const before = machine(0, 1000, [
      ...kernel,
      process_(ROOT, 1, 10),
      process_(101, ROOT, 10),
      process_(7, 1, 10),
    ]);
    const after = machine(2000, 1300, [
      ...kernel.map((one) => ({ ...one, ticks: one.ticks + 40 })),
      process_(ROOT, 1, 20),
      process_(101, ROOT, 100),
      process_(102, 101, 60),
      process_(7, 1, 30),
    ]);
    expect(usageBetween(before, after, ROOT, 2)).toEqual({ seconds: 2, cpuSeconds: 2.8, foreign: 0.05 });
  });

  it('is not counted twice when a parent waits for what has ended', () => {
    const before = machine(0, 0, [process_(ROOT, 1, 0), process_(7, 1, 10), process_(8, 7, 5000)]);
    const after = machine(1000, 100, [process_(ROOT, 1, 0), process_(7, 1, 10 + 5010)]);
    expect(usageBetween(before, after, ROOT, 1).foreign).toBeCloseTo(0.1);
  });

  it('counts what the hypervisor gave to others', () => {
    const before = machine(0, 0, [process_(ROOT, 1, 0)], 0);
    expect(usageBetween(before, machine(1000, 100, [process_(ROOT, 1, 0)], 50), ROOT, 1)).toEqual({
      seconds: 1,
      cpuSeconds: 1,
      foreign: 0.5,
    });
  });
});
