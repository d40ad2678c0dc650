// IPv6 FIB, the writing side. A slot is complete before its next-hop id is stored; a deleted slot keeps its key and serves
// only that key again, so that a reader never takes half of two keys for one. A table that fills up, also with deleted
// slots, is copied to a larger place and switched over by one store.

import { HASH_KEY } from '../../wire/keyed-hash.ts';
import type { FibBuilder } from './fib-builder.ts';
import {
  defaultCell,
  findSlot,
  HEADER_WORDS,
  hashWords,
  keyCell,
  lengthBit,
  lengthWord,
  maskWord,
  SLOT,
  tableCell,
  tableSlots,
  tableStart,
  tableWord,
  UNIT,
} from './fib6.ts';

const DELETED = -1;
const SMALLEST = 4; // log2 of the slots of a first table
/** Slots used, deleted ones included, of four before the table is copied. */
const FULL = 3;

interface Usage {
  live: number;
  used: number;
}

export class Fib6Builder implements FibBuilder {
  readonly #fib: Int32Array;
  readonly #nextEpoch: () => number;
  readonly #usage: Usage[] = Array.from({ length: 129 }, () => ({ live: 0, used: 0 }));
  /** Places free for reuse, by log2 of their slots, and those that readers may still be in. */
  readonly #free: number[][] = Array.from({ length: 32 }, () => []);
  #waiting: { readonly start: number; readonly log2: number; readonly epoch: number }[] = [];
  #next = HEADER_WORDS;
  #size = 0;

  /** @param nextEpoch the epoch that will make the change under way public */
  constructor(fib: Int32Array, nextEpoch: () => number) {
    this.#fib = fib;
    fib.set(HASH_KEY, keyCell);
    this.#nextEpoch = nextEpoch;
  }

  get size(): number {
    return this.#size;
  }

  get(words: readonly number[], length: number): number {
    if (length === 0) return this.#fib[defaultCell];
    const slot = this.#find(words, length);
    return slot === 0 ? 0 : Math.max(0, this.#fib[slot + 4]);
  }

  insert(words: readonly number[], length: number, nextHop: number): void {
    if (length === 0) {
      if (this.#fib[defaultCell] === 0) this.#size++;
      this.#fib[defaultCell] = nextHop;
      return;
    }
    const usage = this.#usage[length];
    const slot = this.#find(words, length);
    if (slot !== 0) {
      if (this.#fib[slot + 4] === DELETED) this.#added(length, usage);
      Atomics.store(this.#fib, slot + 4, nextHop);
      return;
    }
    this.#makeRoom(length, usage);
    const [a, b, c, d] = words.map((word, w) => word & maskWord(length, w));
    this.#place(this.#fib[tableCell(length)], a, b, c, d, nextHop);
    usage.used++;
    this.#added(length, usage);
  }

  remove(words: readonly number[], length: number): boolean {
    if (this.get(words, length) === 0) return false;
    this.#size--;
    if (length === 0) {
      this.#fib[defaultCell] = 0;
      return true;
    }
    Atomics.store(this.#fib, this.#find(words, length) + 4, DELETED);
    if (--this.#usage[length].live === 0) this.#fib[lengthWord(length)] &= ~lengthBit(length);
    return true;
  }

  reclaim(acknowledged: number): void {
    const still = this.#waiting.filter(({ epoch }) => epoch > acknowledged);
    for (const { start, log2, epoch } of this.#waiting)
      if (epoch <= acknowledged) this.#free[log2].push(start);
    this.#waiting = still;
  }

  /** Copies the table of `length` to a larger place, without deleted slots, when it is nearly full or not there. */
  #makeRoom(length: number, usage: Usage): void {
    const old = this.#fib[tableCell(length)];
    if (old !== 0 && (usage.used + 1) * 4 <= tableSlots(old) * FULL) return;
    const log2 = Math.max(SMALLEST, Math.ceil(Math.log2((usage.live + 1) * 2)));
    const table = tableWord(this.#allocate(log2), log2);
    if (old !== 0) {
      for (let slot = tableStart(old), n = tableSlots(old); n > 0; n--, slot += SLOT) {
        const nextHop = this.#fib[slot + 4];
        if (nextHop <= 0) continue;
        this.#place(
          table,
          this.#fib[slot],
          this.#fib[slot + 1],
          this.#fib[slot + 2],
          this.#fib[slot + 3],
          nextHop,
        );
      }
      this.#waiting.push({
        start: tableStart(old),
        log2: Math.log2(tableSlots(old)),
        epoch: this.#nextEpoch(),
      });
    }
    usage.used = usage.live;
    Atomics.store(this.#fib, tableCell(length), table);
  }

  /** First word of an empty place for 2^log2 slots. @throws RangeError when the arena is full */
  #allocate(log2: number): number {
    const words = Math.ceil(((1 << log2) * SLOT) / UNIT) * UNIT;
    const reused = this.#free[log2].pop();
    if (reused !== undefined) {
      this.#fib.fill(0, reused, reused + words);
      return reused;
    }
    if (this.#next + words > this.#fib.length) {
      throw new RangeError(`the IPv6 FIB is full: no place for a table of ${1 << log2} slots`);
    }
    this.#next += words;
    return this.#next - words;
  }

  #added(length: number, usage: Usage): void {
    this.#size++;
    usage.live++;
    this.#fib[lengthWord(length)] |= lengthBit(length);
  }

  #find(words: readonly number[], length: number): number {
    const [a, b, c, d] = words.map((word, w) => word & maskWord(length, w));
    return findSlot(this.#fib, length, a, b, c, d);
  }

  #place(table: number, a: number, b: number, c: number, d: number, nextHop: number): void {
    const mask = tableSlots(table) - 1;
    let n = hashWords(this.#fib, a, b, c, d) & mask;
    while (this.#fib[tableStart(table) + n * SLOT + 4] !== 0) n = (n + 1) & mask;
    const slot = tableStart(table) + n * SLOT;
    this.#fib[slot] = a;
    this.#fib[slot + 1] = b;
    this.#fib[slot + 2] = c;
    this.#fib[slot + 3] = d;
    Atomics.store(this.#fib, slot + 4, nextHop);
  }
}
