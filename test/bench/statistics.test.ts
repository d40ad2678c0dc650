/** The figures that benchmarks show of many measurements. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { picks, random } from '../../bench/micro/random.ts';
import { median, summarize } from '../../bench/statistics.ts';

const value = fc.double({ min: -1e9, max: 1e9, noNaN: true });
const values = fc.array(value, { minLength: 1, maxLength: 30 });

describe('median', () => {
  it('is the middle one, or between the two in the middle', () => {
    expect(median([7])).toBe(7);
    expect(median([10, 9, 1])).toBe(9);
    expect(median([4, 1, 3, 100])).toBe(3.5);
  });

  it('has as many values on either side, in whatever order they come', () => {
    fc.assert(
      fc.property(values, (list) => {
        const before = [...list];
        const middle = median(list);
        expect(list).toEqual(before);
        expect(list.filter((v) => v < middle).length).toBeLessThanOrEqual(list.length / 2);
        expect(list.filter((v) => v > middle).length).toBeLessThanOrEqual(list.length / 2);
        expect(median([...list].reverse())).toBe(middle);
      }),
    );
  });
});

describe('summarize', () => {
  it('gives the median between least and most', () => {
    expect(summarize([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
    fc.assert(
      fc.property(values, (list) => {
        const { median: middle, least, most } = summarize(list);
        expect(least).toBeLessThanOrEqual(middle);
        expect(most).toBeGreaterThanOrEqual(middle);
        expect(list).toContain(least);
        expect(list).toContain(most);
      }),
    );
  });

  it('has nothing to say about no values', () => {
    expect(() => summarize([])).toThrow(/no values/);
  });
});

describe('what is asked for', () => {
  const COUNT = 1000;
  const DRAWS = 100_000;
  const drawn = (pick: keyof typeof picks): Uint32Array => {
    const next = random(1);
    const times = new Uint32Array(COUNT);
    for (let n = 0; n < DRAWS; n++) times[picks[pick](next, COUNT)]++;
    return times;
  };

  it('is the same in every run', () => {
    expect(drawn('skewed')).toEqual(drawn('skewed'));
  });

  it('uniform: each about as often', () => {
    const times = drawn('uniform');
    expect(Math.min(...times)).toBeGreaterThan(50);
    expect(Math.max(...times)).toBeLessThan(150);
  });

  it('skewed: the first ten make a third, and all are asked for at some time', () => {
    const times = drawn('skewed');
    const share = times.subarray(0, 10).reduce((sum, n) => sum + n, 0) / DRAWS;
    // ln 11 / ln 1001
    expect(share).toBeGreaterThan(0.33);
    expect(share).toBeLessThan(0.365);
    expect(times.filter((n) => n === 0).length).toBeLessThan(20);
    expect(times.reduce((sum, n) => sum + n, 0)).toBe(DRAWS);
  });
});
