/**
 * The addresses that many prefixes cover, in as few words as nftables needs: neighbours and what lies inside of others become
 * one range. A full table of a million prefixes is a hundred thousand ranges.
 */
import { formatAddress, ipv4 } from '../wire/address.ts';
import { formatPrefix, lastAddress, type Prefix } from '../wire/prefix.ts';

/** A bit for each /24 of IPv4. */
const BLOCKS = 1 << 24;
const BLOCK_BITS = 24;

export class Covered {
  /** Blocks that are covered as a whole. */
  readonly #blocks = new Uint32Array(BLOCKS / 32);
  /** What is smaller than a block. */
  readonly #small: string[] = [];
  readonly #ipv6: string[] = [];

  add(prefix: Prefix): void {
    const { address, length } = prefix;
    if (address.family === 6 || length > BLOCK_BITS) {
      (address.family === 6 ? this.#ipv6 : this.#small).push(formatPrefix(prefix));
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

  /** 'a.b.c.d/n', or 'a.b.c.d-e.f.g.h' where a range is no prefix. */
  ranges(family: 4 | 6): Iterable<string> {
    return family === 6 ? this.#ipv6 : { [Symbol.iterator]: () => this.#ranges4() };
  }

  *#ranges4(): Generator<string> {
    for (let from = this.#next(0, true); from < BLOCKS; ) {
      const to = this.#next(from, false);
      yield rangeText(from, to);
      from = this.#next(to, true);
    }
    yield* this.#small;
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
