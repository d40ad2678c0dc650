/** FIBs of many routes, and addresses to look up in them. Prefix lengths are dealt as in a large routing table. */
import { FIB4_WORDS } from '../../engine/tables/fib4.ts';
import { Fib4Builder } from '../../engine/tables/fib4-builder.ts';
import { FIB6_WORDS } from '../../engine/tables/fib6.ts';
import { Fib6Builder } from '../../engine/tables/fib6-builder.ts';
import { maskAddress } from '../../wire/prefix.ts';
import { type Pick, picks, random, word } from './random.ts';

/** Prefix lengths, with their share in percent: mostly /24 and /48, some longer as pods and nodes announce them. */
const LENGTHS = {
  4: [[24, 60], [23, 10], [22, 12], [21, 5], [20, 4], [19, 3], [16, 3], [26, 1], [32, 2]], // biome-ignore format: pairs
  6: [[48, 45], [64, 30], [32, 10], [40, 5], [44, 5], [56, 4], [128, 1]], // biome-ignore format: pairs
} as const;

const NEXT_HOPS = 1000;
/** Addresses in a round: more than any cache remembers the way of. */
const LOOKUPS = 1 << 20;

interface Route {
  readonly words: readonly number[];
  readonly length: number;
}

export interface RouteTable {
  readonly fib: Int32Array;
  readonly family: 4 | 6;
  /** Where the routes are, in no order. */
  readonly routes: readonly Route[];
  /** Next hop of the longest of the routes that contain the address, found by trying every length. */
  nextHopOf(words: readonly number[]): number;
}

/** A FIB of `count` routes that are all different. @param each told of every route */
export function insertRoutes(family: 4 | 6, count: number, each: (route: Route) => void) {
  const fib = new Int32Array(new SharedArrayBuffer((family === 4 ? FIB4_WORDS : FIB6_WORDS) * 4));
  const builder = family === 4 ? new Fib4Builder(fib, () => 1) : new Fib6Builder(fib, () => 1);
  const next = random(0x2545f491);
  for (let inserted = 0; inserted < count; ) {
    const length = dealLength(family, next);
    const { words } = maskAddress({ family, words: unicast(family, next) }, length);
    if (builder.get(words, length) !== 0) continue;
    builder.insert(words, length, 1 + (inserted++ % NEXT_HOPS));
    each({ words, length });
  }
  return { fib, builder };
}

export function buildRoutes(family: 4 | 6, count: number): RouteTable {
  const routes: Route[] = [];
  const { fib, builder } = insertRoutes(family, count, (route) => routes.push(route));
  const lengths = LENGTHS[family].map(([length]) => length).sort((a, b) => b - a);
  const nextHopOf = (words: readonly number[]): number => {
    for (const length of lengths) {
      const found = builder.get(maskAddress({ family, words }, length).words, length);
      if (found !== 0) return found;
    }
    return 0;
  };
  return { fib, family, routes, nextHopOf };
}

/** LOOKUPS addresses inside of routes that are picked alike or by popularity, one word each or four. */
export function addressesIn({ family, routes }: RouteTable, pick: Pick): Int32Array {
  const next = random(0x9e3779b9 | 0);
  const size = family === 4 ? 1 : 4;
  const addresses = new Int32Array(LOOKUPS * size);
  for (let n = 0; n < LOOKUPS; n++) {
    const { words, length } = routes[picks[pick](next, routes.length)];
    for (let w = 0; w < size; w++) {
      const hostBits = Math.min(32, Math.max(0, 32 * (w + 1) - length));
      const host = hostBits === 0 ? 0 : word(next) >>> (32 - hostBits);
      addresses[n * size + w] = words[w] | host;
    }
  }
  return addresses;
}

function dealLength(family: 4 | 6, next: () => number): number {
  let percent = next() * 100;
  for (const [length, share] of LENGTHS[family]) {
    percent -= share;
    if (percent < 0) return length;
  }
  return LENGTHS[family][0][0];
}

/** Any unicast address: 1.0.0.0 to 223.255.255.255, or of 2000::/3. */
function unicast(family: 4 | 6, next: () => number): number[] {
  if (family === 4) return [Math.floor(2 ** 24 + next() * (223 * 2 ** 24))];
  return [(0x20000000 | (word(next) >>> 3)) >>> 0, word(next), word(next), word(next)];
}
