/** The part of the npm package `benchmark` that Weft uses; it brings no types. */
declare module 'benchmark' {
  export interface Options {
    /** Seconds that a sample lasts at least. */
    readonly minTime?: number;
    /** Seconds after which no further sample is begun, once there are `minSamples`. */
    readonly maxTime?: number;
    readonly minSamples?: number;
  }

  export default class Benchmark {
    constructor(name: string, run: () => void, options?: Options);
    /** Takes the samples before it returns, unless it is told to be asynchronous. */
    run(): this;
    /** What the function threw, if it did. */
    readonly error?: unknown;
    readonly stats: {
      /** Seconds a call. */
      readonly sample: readonly number[];
      /** Half of the 95 % confidence interval of the mean, percent of the mean. */
      readonly rme: number;
    };
  }
}
