/** Time as peers have it: a real one here, one that a test turns elsewhere. */

export interface Clock {
  /** Milliseconds, never set back. */
  now(): number;
  /** Calls once, not from inside of this call. @returns what takes it back */
  at(time: number, call: () => void): () => void;
}

export const realClock: Clock = {
  now: () => performance.now(),
  at(time, call) {
    const wait = time - performance.now();
    if (wait <= 0) {
      const immediate = setImmediate(call);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(call, Math.ceil(wait));
    return () => clearTimeout(timer);
  },
};
