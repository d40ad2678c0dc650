// The demo, run as a user does: everything holds, and nothing stays behind, even when it is killed.
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import type { DemoResult } from '../../lab/demo.ts';
import type { Process } from '../../lab/processes.ts';
import { sweep } from '../../lab/run.ts';
import { alive, begin, machine, processesOf, type Running, remains, weft } from './weft.ts';

const running: Running[] = [];
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGTERM');
    await ended;
  }
});

function demo(...options: string[]): Running & { readonly prefix: string } {
  const one = begin(['lab', 'demo', ...options]);
  running.push(one);
  return { ...one, prefix: `weft${one.pid}-` };
}

it('finds everything in order, says what it does, and takes everything away', {
  timeout: 60_000,
}, async () => {
  const before = machine();
  const { prefix, stderr, ended } = demo('--json');
  await expect.poll(stderr, { timeout: 30_000 }).toContain('all pairs\n');
  const processes = processesOf(prefix);
  // The two that run Weft, whatever else there is at the time.
  expect(processes.length).toBeGreaterThanOrEqual(2);
  const { status, stdout } = await ended;
  const result = JSON.parse(stdout) as DemoResult;
  expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect({ status, ok: result.ok }).toEqual({ status: 0, ok: true });
  const names = result.checks.map(({ name }) => name).join('\n');
  for (const part of ['ping', 'nodes to pods', 'TCP', 'UDP', 'traceroute', 'outside']) {
    expect(names).toContain(part);
    expect(stderr()).toContain(part);
  }
  expect(result.seconds).toBeLessThan(60);
  expect(result.measured.map(({ from, to }) => `${from} ${to}`)).toEqual([
    'pod-a1 pod-b1',
    'pod-a1 pod-c1',
    'pod-c1 pod-b1',
  ]);
  for (const { tcp, udp, roundTrip } of result.measured) {
    expect(tcp.gigabitsPerSecond).toBeGreaterThan(0.1);
    expect(udp.packetsPerSecond).toBeGreaterThan(1000);
    expect(roundTrip.p50).toBeGreaterThan(0);
    expect(roundTrip.p99).toBeGreaterThanOrEqual(roundTrip.p50);
  }
  expect(remains(prefix)).toEqual([]);
  expect(alive(processes)).toEqual([]);
  expect(machine().filter((name) => !before.includes(name))).toEqual([]);
});

it('killed while it checks, it is swept by weft lab down', async () => {
  const { prefix, child, stderr, ended } = demo('--json');
  await expect.poll(stderr, { timeout: 20_000 }).toContain('all pairs\n');
  child.kill('SIGKILL');
  await ended;
  const processes: Process[] = processesOf(prefix);
  expect(alive(processes).length).toBeGreaterThanOrEqual(2);
  const { status, stdout } = await weft(['lab', 'down']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/what \d+ killed runs? had left is gone as well/);
  expect(remains(prefix)).toEqual([]);
  expect(alive(processes)).toEqual([]);
});

it.each([1, 4, 8, 12])('killed while it builds, having made %d things, it is swept', async (made) => {
  const { prefix, child, ended } = demo('--json');
  await expect
    .poll(() => remains(prefix).length, { timeout: 20_000, interval: 5 })
    .toBeGreaterThanOrEqual(made);
  const processes = processesOf(prefix);
  child.kill('SIGKILL');
  await ended;
  await delay(200); // What it had just asked ip for is done by then.
  expect(remains(prefix)).not.toEqual([]);
  sweep();
  expect(remains(prefix)).toEqual([]);
  expect(alive(processes)).toEqual([]);
});

it('interrupted, it takes everything away itself', async () => {
  const { prefix, child, stdout, ended } = demo();
  await expect.poll(stdout, { timeout: 20_000 }).toContain('┌');
  const processes = processesOf(prefix);
  child.kill('SIGINT');
  await ended;
  expect(child.signalCode).toBe('SIGINT');
  expect(remains(prefix)).toEqual([]);
  expect(alive(processes)).toEqual([]);
});
