// A node whose pods are silent costs next to nothing, and traffic leaves it no larger than it should be.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Run } from '../../lab/run.ts';
import { type Pair, weftAndWeft } from '../support/pods.ts';
import { exchangeTcp } from '../support/traffic.ts';

/** USER_HZ: clock ticks a second in /proc/PID/stat. */
const TICKS = 100;
const SECONDS = 5;

let run: Run;
let pair: Pair;
beforeAll(async () => {
  run = new Run();
  pair = await weftAndWeft(run, { config: { engine: { workers: 2 } } });
  for (let n = 0; n < 3; n++) await pair.weft.pod();
});
afterAll(() => run?.close());

/** CPU time of all threads so far, in ticks. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
const residentMegabytes = (pid: number) =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

it('stays below 250 MB after traffic', async () => {
  for (const family of [4, 6] as const) await exchangeTcp(pair.here, pair.there, family, 64 << 20);
  const megabytes = residentMegabytes(pair.weft.node.pid);
  console.log(`resident after traffic: ${Math.round(megabytes)} MB`);
  expect(megabytes).toBeGreaterThan(20);
  expect(megabytes).toBeLessThan(250);
});

it('uses less than 1 % of a core when idle', async () => {
  // Collectors and compilers come to rest first.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const before = cpuTicks(pair.weft.node.pid);
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  const share = (cpuTicks(pair.weft.node.pid) - before) / (SECONDS * TICKS);
  console.log(`idle: ${(100 * share).toFixed(1)} % of a core`);
  expect(share).toBeLessThan(0.01);
});
