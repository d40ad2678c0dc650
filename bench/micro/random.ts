/** Numbers that look random and are the same in every run, so that two runs measure the same work. */

/** Marsaglia's xorshift (2003), 32 bits. @param seed not 0 @returns gives the next number, 0 (inclusive) to 1 (exclusive) */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** 32 bits, unsigned. */
export const word = (next: () => number): number => Math.floor(next() * 2 ** 32);

/** How often each of `count` things is asked for. */
export const picks = {
  /** All alike. */
  uniform: (next: () => number, count: number): number => Math.floor(next() * count),
  /** By Zipf's law with exponent 1: the n-th is asked for 1/n times as often as the first. */
  skewed: (next: () => number, count: number): number => Math.floor((count + 1) ** next()) - 1,
} as const;
export type Pick = keyof typeof picks;
