// IPv6 FIB for lookups: one hash table a prefix length over one arena, tried from the longest length that has routes.
// A pod network has a handful of lengths, so a lookup is a handful of probes; memory is 20 bytes a slot whatever the
// prefixes are, where a trie pays for every bit that two addresses share. docs/adr/0002-ipv6-fib.md has the figures.
//
//   header    [0] default route   [1..4] bitmap of the lengths present, bit n of word w = length 32 w + n + 1
//             [5 + length] table: offset in units of 64 words << 5 | log2 of its slots
//             [134, 135] key of the hash
//   slot      four key words, masked; next-hop id (0 empty, -1 deleted)

const DEFAULT = 0;
const LENGTHS = 1;
const TABLES = 5;
const KEY = TABLES + 129;
export const UNIT = 64;
export const SLOT = 5;
export const HEADER_WORDS = 192;
/** 128 MB of address space: room for the slots of a million routes while their table doubles. */
export const FIB6_WORDS = 1 << 25;

/** Mask words of each prefix length, four a length. */
const MASKS = Int32Array.from({ length: 129 * 4 }, (_, at) => {
  const bits = Math.min(32, Math.max(0, (at >> 2) - 32 * (at & 3)));
  return bits === 0 ? 0 : -1 << (32 - bits);
});

export const maskWord = (length: number, w: number): number => MASKS[length * 4 + w];

/** Keyed, and one word after the other: who announces prefixes cannot choose many that stand in one place of a table. */
export const hashWords = (fib: Int32Array, a: number, b: number, c: number, d: number): number => {
  let h = Math.imul(a ^ fib[KEY], 0x9e3779b1);
  h = Math.imul(b ^ h ^ (h >>> 15), 0x85ebca77);
  h = Math.imul(c ^ h ^ (h >>> 15), 0xc2b2ae3d);
  h = Math.imul(d ^ h ^ (h >>> 15), 0x27d4eb2f);
  h = Math.imul(fib[KEY + 1] ^ h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
};

/** Next-hop id of the longest prefix that contains the address (words signed or unsigned), 0 for no route. */
export const fib6Lookup = (fib: Int32Array, w0: number, w1: number, w2: number, w3: number): number => {
  for (let w = 3; w >= 0; w--) {
    for (let bits = fib[LENGTHS + w]; bits !== 0; ) {
      const bit = 31 - Math.clz32(bits);
      bits &= ~(1 << bit);
      const length = 32 * w + bit + 1;
      const at = length * 4;
      const slot = findSlot(
        fib,
        length,
        w0 & MASKS[at],
        w1 & MASKS[at + 1],
        w2 & MASKS[at + 2],
        w3 & MASKS[at + 3],
      );
      if (slot !== 0 && fib[slot + 4] > 0) return fib[slot + 4];
    }
  }
  return fib[DEFAULT];
};

/** Cell of the slot that holds the masked key in the table of `length`, 0 when there is none. */
export const findSlot = (
  fib: Int32Array,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): number => {
  const table = fib[TABLES + length];
  if (table === 0) return 0;
  const first = tableStart(table);
  const mask = tableSlots(table) - 1;
  for (let n = hashWords(fib, a, b, c, d) & mask; ; n = (n + 1) & mask) {
    const slot = first + n * SLOT;
    if (fib[slot + 4] === 0) return 0;
    if (fib[slot + 3] === d && fib[slot + 2] === c && fib[slot + 1] === b && fib[slot] === a) return slot;
  }
};

// Layout for the builder.
export const defaultCell = DEFAULT;
export const keyCell = KEY;
export const tableCell = (length: number): number => TABLES + length;
export const lengthWord = (length: number): number => LENGTHS + ((length - 1) >> 5);
export const lengthBit = (length: number): number => 1 << ((length - 1) & 31);
export const tableStart = (table: number): number => (table >>> 5) * UNIT;
export const tableSlots = (table: number): number => 1 << (table & 31);
export const tableWord = (start: number, log2Slots: number): number => ((start / UNIT) << 5) | log2Slots;
