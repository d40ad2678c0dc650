/**
 * The prefixes of one family, each with a row number as long as it is there: a hash table with open addressing over
 * columns, because a Map with a string for each of a million prefixes costs ten times as much memory.
 */

import type { Prefix } from '../../wire/prefix.ts';
import { hashPrefix, hashPrefix4 } from '../../wire/prefix-hash.ts';
import type { Family } from '../bgp/codec/family.ts';
import { Column, NarrowColumn, Rows } from './column.ts';
import { RowSlots } from './row-slots.ts';

export class PrefixIndex {
  readonly #family: Family;
  readonly #rows = new Rows();
  readonly #first = new Column();
  /** Of IPv6. */
  readonly #others: readonly Column[];
  readonly #lengths = new NarrowColumn(8);
  readonly #slots = new RowSlots();
  #size = 0;
  /** The row found last, and to which side of the one before it was: who tells again, or withdraws, goes through them in a row. */
  #last = 0;
  #step = 1;

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
    const near = this.#near(address.words, length);
    if (near !== 0) return near;
    const hash = hashPrefix(address.words, length);
    const slots = this.#slots;
    for (let slot = slots.seek(hash); slot >= 0; slot = slots.seek(hash, slot + 1)) {
      const row = slots.rowAt(slot);
      if (this.#is(row, address.words, length)) return this.#found(row);
    }
    return 0;
  }

  add(prefix: Prefix): number {
    const { address, length } = prefix;
    const { words } = address;
    const near = this.#near(words, length);
    if (near !== 0) return near;
    const hash = hashPrefix(words, length);
    const slots = this.#slots;
    let gone = -1;
    for (let slot = slots.seek(hash); slot >= 0; slot = slots.seek(hash, slot + 1)) {
      const row = slots.rowAt(slot);
      if (this.#is(row, words, length)) return this.#found(row);
      if (!this.has(row)) gone = slot;
    }
    if (gone < 0 && slots.isFull) this.#renew();
    const row = this.#rows.take();
    this.#first.set(row, words[0]);
    for (let i = 0; i < this.#others.length; i++) this.#others[i].set(row, words[i + 1]);
    // One more, so that a prefix of length 0 is a row with something in it.
    this.#lengths.set(row, length + 1);
    if (gone < 0) slots.add(hash, row);
    else slots.replace(gone, row);
    this.#size++;
    return row;
  }

  remove(row: number): void {
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

  /** Beside the row found last; 0: it is not. */
  #near(words: readonly number[], length: number): number {
    const row = this.#last + this.#step;
    if (row < 1 || !this.#is(row, words, length)) return 0;
    this.#last = row;
    return row;
  }

  #found(row: number): number {
    const step = row - this.#last;
    if (step === 1 || step === -1) this.#step = step;
    this.#last = row;
    return row;
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

  #renew(): void {
    this.#slots.renew(this.#size);
    for (let row = 1; row < this.end; row++) if (this.has(row)) this.#slots.add(this.#hashOf(row), row);
  }
}
