/** Milliseconds since the machine was booted: goes on over a restart of the daemon, and never back. */
export const sinceBoot = (): number => Number(process.hrtime.bigint() / 1_000_000n);
