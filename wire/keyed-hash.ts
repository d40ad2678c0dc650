// Hashes of what others choose. With a key that nobody outside knows, nobody can choose values that all fall into one place of
// a table, where each would have to be compared with all that came before.

/** Of this thread: no hash leaves it. */
export const HASH_KEY: Readonly<Uint32Array> = crypto.getRandomValues(new Uint32Array(2));

/** Rounds behind the last word. */
const FINAL_ROUNDS = 3;

/** 32 bits; HalfSipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", in its variant for 32 bits). */
export const hashBytes = (bytes: Uint8Array, from: number, to: number, key = HASH_KEY): number => {
  let [v0, v1, v2, v3] = [key[0] | 0, key[1] | 0, key[0] ^ 0x6c796765, key[1] ^ 0x74656462];
  const words = (to - from) >>> 2;
  let at = from;
  for (let round = 0; round < words + 1 + FINAL_ROUNDS; round++) {
    let word = 0;
    if (round < words) {
      word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
      at += 4;
    } else if (round === words) {
      // What is left, and the length.
      word = (to - from) << 24;
      for (let shift = 0; at < to; at++, shift += 8) word |= bytes[at] << shift;
    } else if (round === words + 1) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
};
