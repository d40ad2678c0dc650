/** What is said of how cost grows. */
import { expect, it } from 'vitest';
import { kernelBytes } from '../../bench/fabric/process-usage.ts';
import { eachText } from '../../bench/scale/command.ts';
import type { ScalePoint } from '../../bench/scale/suite.ts';

const point = (count: number, resident: number): ScalePoint => ({
  what: 'pods',
  count,
  figures: { 'resident, MB': resident },
});

it('says what one more takes, between the fewest and the most', () => {
  expect(eachText([point(1, 100), point(11, 999), point(101, 150)])).toEqual([
    'One more takes 500 KB of resident memory.',
  ]);
});

it('does not take what the garbage collector does for growth', () => {
  for (const last of [109, 90]) {
    expect(eachText([point(1, 100), point(101, last)])).toEqual([
      'One more takes less than 100 KB of resident memory.',
    ]);
  }
});

it('says nothing where there is nothing to compare', () => {
  expect(eachText([])).toEqual([]);
  expect(eachText([point(1, 100)])).toEqual([]);
  expect(eachText([{ what: 'x', count: 1, figures: {} }, point(2, 1)])).toEqual([]);
});

it('reads what the kernel uses', () => {
  expect(kernelBytes()).toBeGreaterThan(1e6);
  expect(kernelBytes()).toBeLessThan(1e13);
});
