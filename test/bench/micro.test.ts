/**
 * The micro benchmarks: that they measure what they say, that figures come out in the promised form, and that the stages
 * take no heap. How fast anything is, is not a test's business: the machine may be busy.
 */
import { describe, expect, it } from 'vitest';
import { heapBytesPerCall } from '../../bench/micro/heap.ts';
import { PACKETS } from '../../bench/micro/stage.ts';
import { type StageResult, stages } from '../../bench/micro/suite.ts';
import { weft } from '../support/weft.ts';

const MILLION = 1_000_000;

const micro = (...args: string[]) => weft(['bench', 'micro', ...args]);

const dataUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;

/** A module for Node's --import, after which it does not find that package. */
function without(name: string): string {
  const hook = `export const resolve = (specifier, context, next) =>
    next(specifier === ${JSON.stringify(name)} ? 'not-installed-' + specifier : specifier, context);`;
  return dataUrl(`import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hook))});`);
}

describe('stages', () => {
  const light = stages.filter(({ id }) => !id.includes('1m') && !id.includes('100k'));

  it('have ids of their own', () => {
    expect(new Set(stages.map(({ id }) => id)).size).toBe(stages.length);
    expect(light.length).toBeGreaterThan(15);
  });

  it.each(light)('$id does what its title says, time and again', ({ prepare }) => {
    const { run, prove } = prepare();
    prove();
    for (let n = 0; n < 3; n++) run();
    prove();
  });
});

describe('weft bench micro', () => {
  it('--quick --json: two stages, a million packets of which take no heap', async () => {
    const { status, stdout } = await micro('--quick', '--json', '--only', 'lpm6-1k-skewed,encap-vxlan');
    expect(status).toBe(0);
    const { batch, node, results } = JSON.parse(stdout) as {
      batch: number;
      node: string;
      results: StageResult[];
    };
    expect(batch).toBe(PACKETS);
    expect(node).toBe(process.version);
    expect(results.map(({ id }) => id)).toEqual(['lpm6-1k-skewed', 'encap-vxlan']);
    for (const result of results) {
      expect(result.title).toBe(stages.find(({ id }) => id === result.id)?.title);
      expect(result.nanosecondsPerPacket).toBeGreaterThan(0.2);
      expect(result.nanosecondsPerPacket).toBeLessThan(20_000);
      expect(result.nanosecondsPerPacket * result.packetsPerSecond).toBeCloseTo(1e9, 0);
      expect(result.marginPercent).toBeGreaterThan(0);
      expect(result.samples).toBeGreaterThanOrEqual(10);
      // A boxed number a packet takes 16 bytes, an object more; one a batch, for a system call's address, a quarter.
      expect(Math.abs(result.heapBytesPerPacket)).toBeLessThan(1);
    }
  });

  it('shows a table without --json', async () => {
    const { status, stdout } = await micro('--quick', '--only', 'counters');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^stage +ns a packet +packets a second +heap, bytes a packet$/m);
    expect(stdout).toMatch(/^counters, .* [\d.]+ +± [\d.]+ % +[\d.]+ M +-?[\d.]+$/m);
  });

  it('names the stages there are when asked for another', async () => {
    const { status, stderr } = await micro('--only', 'parse5');
    expect(status).toBe(2);
    expect(stderr).toMatch(/there is no 'parse5'; known: parse4, /);
  });

  it('says what to do where benchmark is not installed', async () => {
    const { status, stderr } = await weft(['bench', 'micro'], { node: ['--import', without('benchmark')] });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^weft: cannot load the npm package 'benchmark'.*run weft bench micro in a checkout.*\n$/,
    );
  });
});

describe('heap of a function', () => {
  it('is nothing for one that takes none', () => {
    let sum = 0;
    const bytes = heapBytesPerCall(() => {
      sum = (sum + 1) | 0;
    }, MILLION / PACKETS);
    expect(Math.abs(bytes)).toBeLessThan(16);
    expect(sum).toBeGreaterThanOrEqual(MILLION / PACKETS);
  });

  it('shows garbage, although it is collected', () => {
    let last: readonly number[] = [];
    const bytes = heapBytesPerCall(() => {
      last = new Array<number>(10).fill(last.length);
    }, MILLION / PACKETS);
    // Ten elements of 8 bytes, and the headers of the array and of its elements.
    expect(bytes).toBeGreaterThan(80);
    expect(bytes).toBeLessThan(400);
  });
});
