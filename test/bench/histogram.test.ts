/** Percentiles of the load's histogram, against those of the sorted values. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../bench/load/histogram.ts';

const histogramOf = (values: readonly number[]): Histogram => {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
};

describe('histogram', () => {
  it('gives quantiles to within half a percent', () => {
    const microseconds = fc.double({ min: 0.1, max: 1e7, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(microseconds, { minLength: 1, maxLength: 200 }),
        fc.constantFrom(0.5, 0.99, 0.999),
        (values, share) => {
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.ceil(values.length * share) - 1];
          expect(histogramOf(values).quantile(share) / exact).toBeGreaterThan(0.995);
          expect(histogramOf(values).quantile(share) / exact).toBeLessThan(1.005);
        },
      ),
    );
  });

  it('takes what is out of its range as its ends', () => {
    expect(histogramOf([1e-9]).quantile(1)).toBeLessThan(0.07);
    expect(histogramOf([1e12]).quantile(1)).toBeGreaterThan(1.6e7);
  });

  it('says 0 of nothing', () => {
    expect(new Histogram().quantile(0.5)).toBe(0);
    expect(new Histogram().count).toBe(0);
  });
});
