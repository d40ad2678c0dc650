/**
 * The addresses that many prefixes cover, in as few words as nftables needs: neighbours and what lies inside of others become
 * one range. A full table of a million prefixes is a hundred thousand ranges.
 */
import { formatAddress, ipv4 } from '../wire/address.ts';
import { formatPrefix, lastAddress, type Prefix, prefixContains } from '../wire/prefix.ts';
import type { Ranges } from './nat.ts';
import { PrefixOrder } from './prefix-order.ts';

/** A bit for each /24 of IPv4. */
const BLOCKS = 1 << 24;
const BLOCK_BITS = 24;

export class Covered {
  /** Blocks that are covered as a whole. */
  readonly #blocks = new Uint32Array(BLOCKS / 32);
  /** What is smaller than a block, and IPv6. */
  readonly #others = new PrefixOrder();

  add(prefix: Prefix): void {
    const { address, length } = prefix;
    if (address.family === 6 || length > BLOCK_BITS) {
      this.#others.add(prefix);
      return;
    }
    const from = address.words[0] >>> 8;
    const to = from + (1 << (BLOCK_BITS - length));
    for (let block = from; block < to; ) {
      if ((block & 31) === 0 && block + 32 <= to) {
        this.#blocks[block >>> 5] = 0xffffffff;
        block += 32;
      } else {
        this.#blocks[block >>> 5] |= 1 << (block & 31);
        block++;
      }
    }
  }

  /**
   * 'a.b.c.d/n', or 'a.b.c.d-e.f.g.h' where a range is no prefix. No two of them have an address in common. Worked out some at
   * a time; nothing may be added any more.
   */
  async ranges(): Promise<Ranges> {
    const others: Record<4 | 6, string[]> = { 4: [], 6: [] };
    let last: Prefix | undefined;
    for await (const portion of this.#others.inOrder()) {
      for (const prefix of portion) {
        const { address } = prefix;
        // What lies in another comes behind it, with others that do so in between.
        if (last !== undefined && prefixContains(last, address)) continue;
        if (address.family === 4 && this.#has(address.words[0] >>> 8)) continue;
        others[address.family].push(formatPrefix(prefix));
        last = prefix;
      }
    }
    return { 4: { [Symbol.iterator]: () => this.#ranges4(others[4]) }, 6: others[6] };
  }

  *#ranges4(others: readonly string[]): Generator<string> {
    for (let from = this.#next(0, true); from < BLOCKS; ) {
      const to = this.#next(from, false);
      yield rangeText(from, to);
      from = this.#next(to, true);
    }
    yield* others;
  }

  #has(block: number): boolean {
    return ((this.#blocks[block >>> 5] >>> (block & 31)) & 1) === 1;
  }

  /** The first block from one on that is covered, or is not. */
  #next(from: number, covered: boolean): number {
    const dull = covered ? 0 : 0xffffffff;
    let block = from;
    while (block < BLOCKS) {
      const word = this.#blocks[block >>> 5];
      if ((block & 31) === 0 && word === dull) block += 32;
      else if (((word >>> (block & 31)) & 1) === (covered ? 1 : 0)) return block;
      else block++;
    }
    return BLOCKS;
  }
}

/** Of blocks, the last one not included. */
function rangeText(from: number, to: number): string {
  const [first, count] = [ipv4(from * 256), to - from];
  const isPrefix = (count & (count - 1)) === 0 && from % count === 0;
  if (isPrefix) return formatPrefix({ address: first, length: BLOCK_BITS - Math.log2(count) });
  const last = lastAddress({ address: ipv4((to - 1) * 256), length: BLOCK_BITS });
  return `${formatAddress(first)}-${formatAddress(last)}`;
}
