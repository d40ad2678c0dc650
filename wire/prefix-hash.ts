// Hashes of prefixes for tables that are kept in typed arrays.

/** Multiplications spread the high bits, in which prefixes differ, over the low ones, which choose the slot. */
export const hashPrefix4 = (word: number, length: number): number => {
  let mixed = Math.imul(length ^ word, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
};

/** @param words of an address of either family, as in address.ts */
export const hashPrefix = (words: readonly number[], length: number): number => {
  let mixed = length;
  for (let i = 0; i < words.length - 1; i++) {
    mixed = Math.imul(mixed ^ words[i], 0x9e3779b1);
    mixed ^= mixed >>> 15;
  }
  return hashPrefix4(words[words.length - 1], mixed);
};
