/**
 * The prefixes of one family, each with a row number as long as it is there: a hash table with open addressing over
 * columns, because a Map with a string for each of a million prefixes costs ten times as much memory.
 */

import type { Prefix } from '../../wire/prefix.ts';
import { hashPrefix, hashPrefix4 } from '../../wire/prefix-hash.ts';
import type { Family } from '../bgp/codec/family.ts';
import { Column, NarrowColumn, Rows } from './column.ts';

const FIRST_SLOTS = 1024;
/** In a slot whose row has been removed, while there is something behind it that is to be found. No row has the number 0. */
const GONE = 1 << 31;

export class PrefixIndex {
  readonly #family: Family;
  readonly #rows = new Rows();
  readonly #first = new Column();
  /** Of IPv6. */
  readonly #others: readonly Column[];
  readonly #lengths = new NarrowColumn(8);
  /**
   * Row numbers where their hash wants them, or behind, or GONE; 0: free. Its length is a power of two, and more than any
   * row number: what is above has those bits of the hash that do not say where it stands, so that the rows of others,
   * which are anywhere in memory, are hardly ever looked at.
   */
  #slots = new Int32Array(FIRST_SLOTS);
  #size = 0;
  /** Slots that say so. */
  #gone = 0;

  constructor(family: Family) {
    this.#family = family;
    this.#others = family === 4 ? [] : [new Column(), new Column(), new Column()];
  }

  get size(): number {
    return this.#size;
  }

  /** Every row number is below. */
  get end(): number {
    return this.#rows.end;
  }

  /** 0: it is not there. */
  find(prefix: Prefix): number {
    const { address, length } = prefix;
    return this.#rowIn(this.#slotOf(prefix, hashPrefix(address.words, length)));
  }

  add(prefix: Prefix): number {
    const hash = hashPrefix(prefix.address.words, prefix.length);
    let slot = this.#slotOf(prefix, hash);
    if (this.#slots[slot] !== 0) return this.#rowIn(slot);
    // Half full at most: runs stay short.
    if (2 * (this.#size + this.#gone + 1) > this.#slots.length) {
      this.#renew();
      slot = this.#slotOf(prefix, hash);
    }
    slot = this.#firstGone(hash, slot);
    if (this.#slots[slot] === GONE) this.#gone--;
    const row = this.#rows.take();
    const { words } = prefix.address;
    this.#first.set(row, words[0]);
    for (let i = 0; i < this.#others.length; i++) this.#others[i].set(row, words[i + 1]);
    // One more, so that a prefix of length 0 is a row with something in it.
    this.#lengths.set(row, prefix.length + 1);
    this.#slots[slot] = (hash & -this.#slots.length) | row;
    this.#size++;
    return row;
  }

  remove(row: number): void {
    const slots = this.#slots;
    const last = slots.length - 1;
    let slot = this.#hashOf(row) & last;
    while ((slots[slot] & last) !== row) slot = (slot + 1) & last;
    if (slots[(slot + 1) & last] === 0) {
      slots[slot] = 0;
      for (slot = (slot - 1) & last; slots[slot] === GONE; slot = (slot - 1) & last) {
        slots[slot] = 0;
        this.#gone--;
      }
    } else {
      // To move up what stands behind, the hash of each would be needed, whose rows are anywhere in memory.
      slots[slot] = GONE;
      this.#gone++;
    }
    this.#lengths.set(row, 0);
    this.#rows.giveBack(row);
    this.#size--;
  }

  has(row: number): boolean {
    return this.#lengths.get(row) !== 0;
  }

  prefixOf(row: number): Prefix {
    const length = this.lengthOf(row);
    const first = this.#first.get(row);
    if (this.#family === 4) return { address: { family: 4, words: [first] }, length };
    return {
      address: { family: 6, words: [first, ...this.#others.map((column) => column.get(row))] },
      length,
    };
  }

  lengthOf(row: number): number {
    return this.#lengths.get(row) - 1;
  }

  /** Writes its words from `at` on. @returns where the next ones may stand */
  writeWords(row: number, to: Uint32Array, at: number): number {
    to[at] = this.#first.get(row);
    for (let i = 0; i < this.#others.length; i++) to[at + 1 + i] = this.#others[i].get(row);
    return at + 1 + this.#others.length;
  }

  #rowIn(slot: number): number {
    return this.#slots[slot] & (this.#slots.length - 1);
  }

  /** Where it stands, or the free slot behind where it would. */
  #slotOf({ address: { words }, length }: Prefix, hash: number): number {
    const slots = this.#slots;
    const last = slots.length - 1;
    let slot = hash & last;
    for (;;) {
      const there = slots[slot];
      if (there === 0) return slot;
      const row = there & last;
      // What is GONE may have the bits of any hash.
      if (((there ^ hash) & ~last) === 0 && row !== 0 && this.#is(row, words, length)) return slot;
      slot = (slot + 1) & last;
    }
  }

  /** Between where the hash wants it and a free slot the first that has become free again, or that one. */
  #firstGone(hash: number, free: number): number {
    if (this.#gone === 0) return free;
    const last = this.#slots.length - 1;
    let slot = hash & last;
    while (slot !== free && this.#slots[slot] !== GONE) slot = (slot + 1) & last;
    return slot;
  }

  #is(row: number, words: readonly number[], length: number): boolean {
    if (this.#first.get(row) !== words[0] || this.#lengths.get(row) !== length + 1) return false;
    for (let i = 0; i < this.#others.length; i++) {
      if (this.#others[i].get(row) !== words[i + 1]) return false;
    }
    return true;
  }

  #hashOf(row: number): number {
    if (this.#family === 4) return hashPrefix4(this.#first.get(row), this.lengthOf(row));
    const { address, length } = this.prefixOf(row);
    return hashPrefix(address.words, length);
  }

  /** Larger, or without what is gone where that is much of it. */
  #renew(): void {
    const before = this.#slots;
    const isSmall = 3 * this.#size < before.length;
    const slots = new Int32Array(isSmall ? before.length : 2 * before.length);
    const last = slots.length - 1;
    for (const there of before) {
      const row = there & (before.length - 1);
      if (row === 0) continue;
      const hash = this.#hashOf(row);
      let slot = hash & last;
      while (slots[slot] !== 0) slot = (slot + 1) & last;
      slots[slot] = (hash & ~last) | row;
    }
    this.#slots = slots;
    this.#gone = 0;
  }
}
