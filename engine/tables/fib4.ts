// IPv4 FIB for lookups: DIR-24-8 (Gupta, Lin, McKeown 1998). The first 24 bits index a table; prefixes longer than
// that hang a group of 256 entries on it. One or two loads a lookup: 2 ns for 32 hot flows, 20-40 ns for a million
// random routes. The default route lives in a header word, so that an empty table stays unmapped.
//
//   entry   1 1 dddddd nnnnnnnn nnnnnnnn nnnnnnnn    valid, depth of the prefix (1-32), next-hop id
//           0 1 gggggg gggggggg gggggggg gggggggg    group index
//           0                                        nothing: the default route

export const GROUPS = 65536;
export const GROUP_SIZE = 256;
const HEADER = 16;
const FIRST = HEADER;
const SECOND = HEADER + (1 << 24);

export const FIB4_WORDS = SECOND + GROUPS * GROUP_SIZE;

const IS_GROUP = 0x40000000;
const NEXT_HOP = 0x00ffffff;
const GROUP_INDEX = 0x3fffffff;

/** Next-hop id of the longest prefix that contains `address` (unsigned 32 bits), 0 for no route. */
export const fib4Lookup = (fib: Int32Array, address: number): number => {
  let entry = fib[FIRST + (address >>> 8)];
  if (entry > 0) entry = fib[SECOND + (entry & GROUP_INDEX) * GROUP_SIZE + (address & 0xff)];
  return entry === 0 ? fib[0] : entry & NEXT_HOP;
};

// Layout for the builder.
export const defaultCell = 0;
export const firstCell = (address: number): number => FIRST + (address >>> 8);
export const groupCell = (group: number): number => SECOND + group * GROUP_SIZE;
export const routeEntry = (depth: number, nextHop: number): number =>
  0x80000000 | (depth << 24) | nextHop | 0;
export const groupEntry = (group: number): number => IS_GROUP | group;
export const isGroupEntry = (entry: number): boolean => entry > 0;
export const groupOf = (entry: number): number => entry & GROUP_INDEX;
/** Depth of a route entry, 0 for an empty one. */
export const entryDepth = (entry: number): number => (entry >>> 24) & 0x3f;
