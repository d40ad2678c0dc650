/**
 * The prefixes of one family, each with a row number as long as it is there: a hash table with open addressing over
 * columns, because a Map with a string for each of a million prefixes costs ten times as much memory.
 */

import type { Prefix } from '../../wire/prefix.ts';
import type { Family } from '../bgp/codec/family.ts';
import { Column, Rows } from './column.ts';

const FIRST_SLOTS = 1024;

export class PrefixIndex {
  readonly #family: Family;
  readonly #rows = new Rows();
  readonly #words: readonly Column[];
  readonly #lengths = new Column();
  /** Row numbers where their hash wants them, or behind; 0: free. Its length is a power of two. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #size = 0;

  constructor(family: Family) {
    this.#family = family;
    this.#words = Array.from({ length: family === 4 ? 1 : 4 }, () => new Column());
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
    return this.#slots[this.#slotOf(prefix)];
  }

  add(prefix: Prefix): number {
    let slot = this.#slotOf(prefix);
    if (this.#slots[slot] !== 0) return this.#slots[slot];
    // Half full at most: runs stay short.
    if (2 * (this.#size + 1) > this.#slots.length) {
      this.#grow();
      slot = this.#slotOf(prefix);
    }
    const row = this.#rows.take();
    for (const [i, column] of this.#words.entries()) column.set(row, prefix.address.words[i]);
    // One more, so that a prefix of length 0 is a row with something in it.
    this.#lengths.set(row, prefix.length + 1);
    this.#slots[slot] = row;
    this.#size++;
    return row;
  }

  remove(row: number): void {
    let hole = this.#slotOf(this.prefixOf(row));
    const { length } = this.#slots;
    // What stands behind moves up where that brings it no further forward than its hash wants it.
    for (let at = (hole + 1) & (length - 1); this.#slots[at] !== 0; at = (at + 1) & (length - 1)) {
      const wanted = this.#hashOf(this.#slots[at]) & (length - 1);
      if (((at - wanted) & (length - 1)) >= ((at - hole) & (length - 1))) {
        this.#slots[hole] = this.#slots[at];
        hole = at;
      }
    }
    this.#slots[hole] = 0;
    this.#lengths.set(row, 0);
    this.#rows.giveBack(row);
    this.#size--;
  }

  has(row: number): boolean {
    return this.#lengths.get(row) !== 0;
  }

  prefixOf(row: number): Prefix {
    const length = this.#lengths.get(row) - 1;
    const [first] = this.#words;
    if (this.#family === 4) return { address: { family: 4, words: [first.get(row)] }, length };
    return { address: { family: 6, words: this.#words.map((column) => column.get(row)) }, length };
  }

  /** Where it stands, or where it would. */
  #slotOf({ address: { words }, length }: Prefix): number {
    const last = this.#slots.length - 1;
    let slot = hash(words, length) & last;
    for (;;) {
      const row = this.#slots[slot];
      if (row === 0 || this.#is(row, words, length)) return slot;
      slot = (slot + 1) & last;
    }
  }

  #is(row: number, words: readonly number[], length: number): boolean {
    if (this.#lengths.get(row) !== length + 1) return false;
    for (let i = 0; i < this.#words.length; i++) if (this.#words[i].get(row) !== words[i]) return false;
    return true;
  }

  #hashOf(row: number): number {
    const { address, length } = this.prefixOf(row);
    return hash(address.words, length);
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(2 * before.length);
    const last = this.#slots.length - 1;
    for (const row of before) {
      if (row === 0) continue;
      let slot = this.#hashOf(row) & last;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & last;
      this.#slots[slot] = row;
    }
  }
}

/** Multiplications spread the high bits, in which prefixes differ, over the low ones, which choose the slot. */
const hash = (words: readonly number[], length: number): number => {
  let mixed = length;
  for (let i = 0; i < words.length; i++) {
    mixed = Math.imul(mixed ^ words[i], 0x9e3779b1);
    mixed ^= mixed >>> 15;
  }
  mixed = Math.imul(mixed, 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
};
