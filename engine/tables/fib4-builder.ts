// IPv4 FIB, the writing side: keeps the routes and writes the cells that a change concerns, in place.
// A reader sees the old or the new route of an address and never anything else: a group is filled before it is pointed
// to, and one that is no longer pointed to is used again only when all workers have let go of it.

import { PrefixNumbers } from '../../wire/prefix-numbers.ts';
import type { FibBuilder } from './fib-builder.ts';
import {
  defaultCell,
  entryDepth,
  firstCell,
  GROUP_SIZE,
  GROUPS,
  groupCell,
  groupEntry,
  groupOf,
  isGroupEntry,
  routeEntry,
} from './fib4.ts';
import { IdPool } from './id-pool.ts';

const FIRST_LEVEL_BITS = 24;

export class Fib4Builder implements FibBuilder {
  readonly #fib: Int32Array;
  readonly #nextEpoch: () => number;
  /** Next-hop ids. */
  readonly #routes = new PrefixNumbers(4);
  /** Routes longer than 24 in each group. */
  readonly #inGroup = new Uint16Array(GROUPS);
  readonly #groups = new IdPool(GROUPS, 'FIB groups (/24s with longer prefixes inside)');

  /** @param nextEpoch the epoch that will make the change under way public */
  constructor(fib: Int32Array, nextEpoch: () => number) {
    this.#fib = fib;
    this.#nextEpoch = nextEpoch;
  }

  get size(): number {
    return this.#routes.size;
  }

  get([address]: readonly number[], length: number): number {
    return this.#routes.get([address >>> 0], length);
  }

  insert([address]: readonly number[], length: number, nextHop: number): void {
    const isNew = this.get([address], length) === 0;
    if (length === 0) this.#fib[defaultCell] = nextHop;
    else if (length <= FIRST_LEVEL_BITS)
      this.#overwriteShort(address, length, routeEntry(length, nextHop), length);
    else this.#insertLong(address, length, nextHop, isNew);
    this.#routes.set([address >>> 0], length, nextHop);
  }

  remove([address]: readonly number[], length: number): boolean {
    if (this.#routes.delete([address >>> 0], length) === 0) return false;
    if (length === 0) {
      this.#fib[defaultCell] = 0;
      return true;
    }
    const cover = this.#cover(address, length);
    if (length <= FIRST_LEVEL_BITS) this.#replaceShort(address, length, cover);
    else this.#removeLong(address, length, cover);
    return true;
  }

  reclaim(acknowledged: number): void {
    this.#groups.reclaim(acknowledged);
  }

  /** Entry of the longest route that contains `address` and is shorter than `length`, 0 when there is none. */
  #cover(address: number, length: number): number {
    for (let shorter = length - 1; shorter > 0; shorter--) {
      if (!this.#routes.hasLength(shorter)) continue;
      const nextHop = this.get([address & (-1 << (32 - shorter))], shorter);
      if (nextHop !== 0) return routeEntry(shorter, nextHop);
    }
    return 0;
  }

  #overwriteShort(address: number, length: number, entry: number, depth: number): void {
    this.#eachShort(address, length, (cell) => {
      if (entryDepth(this.#fib[cell]) <= depth) this.#fib[cell] = entry;
    });
  }

  /** Cells that belong to the removed route are those of its own depth inside its range. */
  #replaceShort(address: number, length: number, entry: number): void {
    this.#eachShort(address, length, (cell) => {
      if (this.#fib[cell] !== 0 && entryDepth(this.#fib[cell]) === length) this.#fib[cell] = entry;
    });
  }

  /** Visits the first-level cells of a prefix of at most 24 bits, and the groups that hang on them. */
  #eachShort(address: number, length: number, visit: (cell: number) => void): void {
    const from = firstCell(address >>> 0);
    for (let cell = from; cell < from + (1 << (FIRST_LEVEL_BITS - length)); cell++) {
      if (!isGroupEntry(this.#fib[cell])) {
        visit(cell);
        continue;
      }
      const group = groupCell(groupOf(this.#fib[cell]));
      for (let n = 0; n < GROUP_SIZE; n++) visit(group + n);
    }
  }

  #insertLong(address: number, length: number, nextHop: number, isNew: boolean): void {
    const cell = firstCell(address >>> 0);
    let group = groupOf(this.#fib[cell]);
    if (!isGroupEntry(this.#fib[cell])) {
      group = this.#groups.take();
      this.#inGroup[group] = 0;
      this.#fib.fill(this.#fib[cell], groupCell(group), groupCell(group) + GROUP_SIZE);
      Atomics.store(this.#fib, cell, groupEntry(group));
    }
    if (isNew) this.#inGroup[group]++;
    const from = groupCell(group) + (address & 0xff);
    for (let n = from; n < from + (1 << (32 - length)); n++) {
      if (entryDepth(this.#fib[n]) <= length) this.#fib[n] = routeEntry(length, nextHop);
    }
  }

  #removeLong(address: number, length: number, cover: number): void {
    const cell = firstCell(address >>> 0);
    const group = groupOf(this.#fib[cell]);
    const from = groupCell(group) + (address & 0xff);
    for (let n = from; n < from + (1 << (32 - length)); n++) {
      if (entryDepth(this.#fib[n]) === length) this.#fib[n] = cover;
    }
    if (--this.#inGroup[group] > 0) return;
    // Only routes of at most 24 bits are left in it: they are the same in every cell.
    Atomics.store(this.#fib, cell, this.#fib[groupCell(group)]);
    this.#groups.release(group, this.#nextEpoch());
  }
}
