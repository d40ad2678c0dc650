/**
 * Which of a range's addresses are taken, as offsets 0..2^32-1: a bit each, in words of 32 under summaries of 32, kept
 * only where a bit is set. Finding the next free one takes at most 7 steps up and 7 down whatever is taken, so the
 * ten-thousandth lease costs what the first did. Knows nothing of addresses, reserved ones or time.
 */

const LEVELS = 7; // 32^7 > 2^32
const FULL = 0xffffffff;

export class AddressSet {
  #size = 0;
  // #levels[0]: a set bit is a taken offset. #levels[n]: a set bit is a word of level n-1 without a zero bit.
  readonly #levels: readonly Map<number, number>[] = Array.from({ length: LEVELS }, () => new Map());

  get size(): number {
    return this.#size;
  }

  has(offset: number): boolean {
    const word = this.#levels[0].get(Math.floor(offset / 32)) ?? 0;
    return ((word >>> (offset % 32)) & 1) === 1;
  }

  /** In no order. */
  *[Symbol.iterator](): Generator<number> {
    for (const [index, word] of this.#levels[0]) {
      for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) yield index * 32 + bit;
    }
  }

  /** False when it was taken already. */
  add(offset: number): boolean {
    if (this.has(offset)) return false;
    this.#size++;
    let position = offset;
    for (const level of this.#levels) {
      const index = Math.floor(position / 32);
      const word = ((level.get(index) ?? 0) | (1 << (position % 32))) >>> 0;
      level.set(index, word);
      if (word !== FULL) break;
      position = index;
    }
    return true;
  }

  /** False when it was free already. */
  delete(offset: number): boolean {
    if (!this.has(offset)) return false;
    this.#size--;
    let position = offset;
    for (const level of this.#levels) {
      const index = Math.floor(position / 32);
      const before = level.get(index) ?? 0;
      const word = (before & ~(1 << (position % 32))) >>> 0;
      if (word === 0) level.delete(index);
      else level.set(index, word);
      if (before !== FULL) break;
      position = index;
    }
    return true;
  }

  /** The first free offset at or after `from`; it may lie beyond the caller's range. */
  nextFree(from: number): number {
    let position = from;
    let depth = 0;
    // Up: the first word, at ever coarser levels, that has a zero bit at or after the position.
    while (depth < LEVELS) {
      const index = Math.floor(position / 32);
      const zeros = ~(this.#levels[depth].get(index) ?? 0) & (FULL << (position % 32));
      if (zeros !== 0) {
        position = index * 32 + lowestBit(zeros);
        break;
      }
      position = index + 1;
      depth++;
    }
    // Down: into the first word that is not full, to its first zero bit.
    while (depth > 0) {
      depth--;
      position = position * 32 + lowestBit(~(this.#levels[depth].get(position) ?? 0));
    }
    return position;
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
