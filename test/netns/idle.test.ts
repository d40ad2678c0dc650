// A node whose pods are silent costs next to nothing, and traffic leaves it no larger than it should be.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { median } from '../../bench/statistics.ts';
import { Run } from '../../lab/run.ts';
import { type Pair, weftAndWeft } from '../support/pods.ts';
import { exchangeTcp } from '../support/traffic.ts';

const SECONDS = 3;
const WINDOWS = 5;

let run: Run;
let pair: Pair;
beforeAll(async () => {
  run = new Run();
  pair = await weftAndWeft(run, { config: { engine: { workers: 2 } } });
  for (let n = 0; n < 3; n++) await pair.weft.pod();
});
afterAll(() => run?.close());

/** CPU time of each thread so far, ns, by its name and number. */
function cpuTimes(pid: number): Map<string, number> {
  const tasks = `/proc/${pid}/task`;
  return new Map(
    readdirSync(tasks).map((tid) => {
      const name = readFileSync(`${tasks}/${tid}/comm`, 'utf8').trim();
      return [`${name} ${tid}`, Number(readFileSync(`${tasks}/${tid}/schedstat`, 'utf8').split(' ')[0])];
    }),
  );
}
const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
const residentMegabytes = (pid: number) =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

it('stays below 250 MB after traffic', async () => {
  for (const family of [4, 6] as const) await exchangeTcp(pair.here, pair.there, family, 64 << 20);
  const megabytes = residentMegabytes(pair.weft.node.pid);
  console.log(`resident after traffic: ${Math.round(megabytes)} MB`);
  expect(megabytes).toBeGreaterThan(20);
  expect(megabytes).toBeLessThan(250);
});

it('uses less than 1 % of a core when idle', { timeout: 30_000 }, async () => {
  // Collectors and compilers still have work to do after traffic: the median is what a silent node costs.
  const shares: number[] = [];
  const busiest: string[] = [];
  let before = cpuTimes(pair.weft.node.pid);
  for (let n = 0; n < WINDOWS; n++) {
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
    const now = cpuTimes(pair.weft.node.pid);
    const used = [...now].map(([thread, ns]) => [thread, (ns - (before.get(thread) ?? 0)) / 1e9] as const);
    const [name, seconds] = used.reduce((most, one) => (one[1] > most[1] ? one : most));
    shares.push(used.reduce((sum, [, more]) => sum + more, 0) / SECONDS);
    busiest.push(`${name}: ${percent(seconds / SECONDS)}`);
    before = now;
  }
  console.log(`idle: ${shares.map(percent).join(', ')} of a core; busiest ${busiest.join(', ')}`);
  expect(median(shares)).toBeLessThan(0.01);
});
