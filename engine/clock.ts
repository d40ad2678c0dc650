// The clock of the data path. Node's performance.now() begins anew in every thread; limits that threads share need one
// time, so this one counts from the machine's start (CLOCK_MONOTONIC) wherever it is read.

const BEGAN = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Milliseconds, never going back, the same in all threads. */
export const monotonic = (): number => BEGAN + performance.now();
