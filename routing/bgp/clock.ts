/** Time as peers have it: a real one here, one that a test turns elsewhere. */

export interface Clock {
  /** Milliseconds, never set back. */
  now(): number;
  /** Calls once, not from inside of this call. @returns what takes it back */
  at(time: number, call: () => void): () => void;
}

/** A thread that comes late reads first what has arrived meanwhile: a peer is not silent because nobody listened. */
export const realClock: Clock = {
  now: () => performance.now(),
  at(time, call) {
    let immediate: NodeJS.Immediate | undefined;
    const soon = (): void => {
      immediate = setImmediate(call);
    };
    const wait = time - performance.now();
    const timer = wait > 0 ? setTimeout(soon, Math.ceil(wait)) : undefined;
    if (timer === undefined) soon();
    return () => {
      clearTimeout(timer);
      clearImmediate(immediate);
    };
  },
};
