/** Prefixes in the order in which people read them, of a table that goes on changing and may have a million. */
import { compareAddresses } from '../cni/ipam/pool.ts';
import type { Prefix } from '../wire/prefix.ts';
import { PORTION, pause, sortInPortions } from './portions.ts';

/** More than any length of an IPv4 prefix. */
const LENGTHS = 64;

export class PrefixOrder {
  /** Address and length in one number, which takes an eighth of the room. */
  readonly #four: number[] = [];
  readonly #six: Prefix[] = [];

  add(prefix: Prefix): void {
    const { address, length } = prefix;
    if (address.family === 4) this.#four.push(address.words[0] * LENGTHS + length);
    else this.#six.push(prefix);
  }

  /**
   * IPv4 first, by address, the shorter before the longer; some at a time, everything else having its turn in between. What was
   * added twice comes once.
   */
  async *inOrder(): AsyncGenerator<readonly Prefix[]> {
    const four = await sortInPortions(this.#four, (a, b) => a - b);
    for await (const portion of distinct(four, (a, b) => a === b)) yield portion.map(prefixOf);
    const six = await sortInPortions(this.#six, comparePrefixes);
    yield* distinct(six, (a, b) => comparePrefixes(a, b) === 0);
  }
}

async function* distinct<T>(sorted: readonly T[], same: (a: T, b: T) => boolean): AsyncGenerator<T[]> {
  for (let at = 0; at < sorted.length; at += PORTION) {
    const portion = sorted.slice(at, at + PORTION);
    yield portion.filter((one, i) => at + i === 0 || !same(sorted[at + i - 1], one));
    await pause();
  }
}

function prefixOf(number: number): Prefix {
  return { address: { family: 4, words: [Math.floor(number / LENGTHS)] }, length: number % LENGTHS };
}

function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareAddresses(a.address, b.address) || a.length - b.length;
}
