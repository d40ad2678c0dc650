// Hashes of prefixes for tables that are kept in typed arrays.

import { HASH_KEY } from './keyed-hash.ts';

const FIRST_KEY = HASH_KEY[0] | 0;
const SECOND_KEY = HASH_KEY[1] | 0;

/** Multiplications spread the high bits, in which prefixes differ, over the low ones, which choose the slot. */
export const hashPrefix4 = (word: number, length: number): number => {
  let mixed = Math.imul(length ^ word ^ FIRST_KEY, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ SECOND_KEY, 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
};

/** Of IPv4 the same as `hashPrefix4`. @param words of an address of either family, as in address.ts */
export const hashPrefix = (words: readonly number[], length: number): number => {
  if (words.length === 1) return hashPrefix4(words[0], length);
  let mixed = length ^ SECOND_KEY;
  for (let i = 0; i < words.length - 1; i++) {
    mixed = Math.imul(mixed ^ words[i], 0x9e3779b1);
    mixed ^= mixed >>> 15;
  }
  return hashPrefix4(words[words.length - 1], mixed);
};
