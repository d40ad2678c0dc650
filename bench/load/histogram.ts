/**
 * Times in a histogram with buckets that grow with what they hold: a hundredth of the value wide at most, so that a
 * percentile of a million round trips takes neither their memory nor a sort.
 */

/** Buckets for each doubling. */
const STEPS = 128;
/** From 1/16 to 2^24 µs. */
const LEAST_EXPONENT = -4;
const BUCKETS = (24 - LEAST_EXPONENT) * STEPS;

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  get count(): number {
    return this.#total;
  }

  add(microseconds: number): void {
    const bucket = Math.floor((Math.log2(microseconds) - LEAST_EXPONENT) * STEPS);
    this.#counts[Math.min(BUCKETS - 1, Math.max(0, bucket))]++;
    this.#total++;
  }

  /** The value that a share of all values does not exceed, to half a percent; 0 when there are none. */
  quantile(share: number): number {
    let left = Math.max(1, Math.ceil(this.#total * share));
    if (this.#total === 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket];
      if (left <= 0) return 2 ** ((bucket + 0.5) / STEPS + LEAST_EXPONENT);
    }
    throw new Error(`a histogram of ${this.#total} values holds fewer`);
  }
}
