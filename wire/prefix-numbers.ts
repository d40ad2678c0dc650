// A number for each of many prefixes of one family, in typed arrays: hash tables with open addressing. A million prefixes of
// IPv4 take some ten megabytes and nothing of the garbage collector's time; a Map of objects takes twenty times as much.
// The table is in parts, which grow one by one: no change takes longer than some tenths of a millisecond.

import type { Address } from './address.ts';
import { maskAddress, type Prefix } from './prefix.ts';
import { hashPrefix, hashPrefix4 } from './prefix-hash.ts';

const FIRST_SLOTS = 16;
/** As much larger than before when it is full, as many at a time: rooms that stay empty are what a table costs. */
const GROWTH = 1.5;
/** Four fifths full at most: runs stay short. */
const MOST_FULL = 0.8;
/** Where it becomes smaller: one eighth. */
const LEAST_FULL = 0.125;
/** The high bits of a hash choose the part, the low ones the slot. */
const PART_BITS = 6;
const PARTS = 1 << PART_BITS;
const SLOT_BITS = 32 - PART_BITS;
const SLOT_MASK = 2 ** SLOT_BITS - 1;
/** What two bytes hold: mostly there are few different numbers. */
const NARROW = 0xffff;

export class PrefixNumbers {
  readonly #family: 4 | 6;
  readonly #parts: Part[];
  #size = 0;
  /** How many prefixes there are of each length. */
  readonly #ofLength = new Uint32Array(129);

  constructor(family: 4 | 6) {
    this.#family = family;
    this.#parts = new Array<Part>(PARTS).fill(EMPTY[family]);
  }

  get size(): number {
    return this.#size;
  }

  /** @param words of the prefix's address, unsigned @returns 0 where there is none */
  get(words: readonly number[], length: number): number {
    const hash = hashPrefix(words, length);
    return this.#parts[hash >>> (32 - PART_BITS)].get(hash, words, length);
  }

  /** @param value 1 to 2^32 - 1 @returns the one before, 0 for none */
  set(words: readonly number[], length: number, value: number): number {
    const hash = hashPrefix(words, length);
    const at = hash >>> (32 - PART_BITS);
    if (this.#parts[at] === EMPTY[this.#family]) this.#parts[at] = new Part(this.#family);
    const before = this.#parts[at].set(hash, words, length, value);
    if (before === 0) {
      this.#ofLength[length]++;
      this.#size++;
    }
    return before;
  }

  /** @returns what it was, 0 for none */
  delete(words: readonly number[], length: number): number {
    const hash = hashPrefix(words, length);
    const before = this.#parts[hash >>> (32 - PART_BITS)].delete(hash, words, length);
    if (before !== 0) {
      this.#ofLength[length]--;
      this.#size--;
    }
    return before;
  }

  /** Whether there is a prefix of that length. */
  hasLength(length: number): boolean {
    return this.#ofLength[length] > 0;
  }

  /** Of the prefixes that contain the address, the longest first. */
  *covering(address: Address): Generator<{ readonly prefix: Prefix; readonly value: number }> {
    for (let length = this.#family === 4 ? 32 : 128; length >= 0; length--) {
      if (!this.hasLength(length)) continue;
      const masked = maskAddress(address, length);
      const value = this.get(masked.words, length);
      if (value !== 0) yield { prefix: { address: masked, length }, value };
    }
  }

  /** In no order. What changes meanwhile may be missing, or there twice. */
  *entries(): Generator<{ readonly prefix: Prefix; readonly value: number }> {
    for (const part of this.#parts) yield* part.entries();
  }

  /** The same in 64 parts. Whatever changes between two of them, those that stay are there, each once. */
  *parts(): Generator<Iterable<{ readonly prefix: Prefix; readonly value: number }>> {
    for (const part of this.#parts) yield part.entries();
  }
}

/**
 *   keys     one word a slot for IPv4, four for IPv6
 *   lengths  prefix length + 1; 0: the slot is free
 *   values   1 or more; 0 where the slot is free
 */
class Part {
  readonly #family: 4 | 6;
  readonly #words: 1 | 4;
  #slots: number;
  #keys: Uint32Array;
  #lengths: Uint8Array;
  /** Of four bytes once there was a value that two do not hold. */
  #values: Uint16Array | Uint32Array;
  #size = 0;

  constructor(family: 4 | 6, slots = FIRST_SLOTS, wide = false) {
    this.#family = family;
    this.#words = family === 4 ? 1 : 4;
    this.#slots = slots;
    this.#keys = new Uint32Array(slots * this.#words);
    this.#lengths = new Uint8Array(slots);
    this.#values = wide ? new Uint32Array(slots) : new Uint16Array(slots);
  }

  get(hash: number, words: readonly number[], length: number): number {
    return this.#values[this.#slotOf(hash, words, length)];
  }

  set(hash: number, words: readonly number[], length: number, value: number): number {
    if (value > NARROW && this.#values instanceof Uint16Array) this.#values = new Uint32Array(this.#values);
    let slot = this.#slotOf(hash, words, length);
    const before = this.#values[slot];
    if (before === 0) {
      if (this.#size + 1 > MOST_FULL * this.#slots) {
        this.#resize(Math.ceil(GROWTH * this.#slots));
        slot = this.#slotOf(hash, words, length);
      }
      for (let w = 0; w < this.#words; w++) this.#keys[slot * this.#words + w] = words[w];
      this.#lengths[slot] = length + 1;
      this.#size++;
    }
    this.#values[slot] = value;
    return before;
  }

  delete(hash: number, words: readonly number[], length: number): number {
    const slot = this.#slotOf(hash, words, length);
    const before = this.#values[slot];
    if (before === 0) return 0;
    this.#free(slot);
    this.#size--;
    const isEmpty = this.#slots > FIRST_SLOTS && this.#size < LEAST_FULL * this.#slots;
    if (isEmpty) this.#resize(Math.max(FIRST_SLOTS, Math.ceil(this.#slots / 2)));
    return before;
  }

  *entries(): Generator<{ readonly prefix: Prefix; readonly value: number }> {
    for (let slot = 0; slot < this.#slots; slot++) {
      if (this.#lengths[slot] === 0) continue;
      const address = { family: this.#family, words: this.#wordsOf(slot) };
      yield { prefix: { address, length: this.#lengths[slot] - 1 }, value: this.#values[slot] };
    }
  }

  /** Where it stands, or where it would. */
  #slotOf(hash: number, words: readonly number[], length: number): number {
    const lengths = this.#lengths;
    let slot = this.#wantedBy(hash);
    while (lengths[slot] !== 0 && (lengths[slot] !== length + 1 || !this.#is(slot, words))) {
      slot = this.#behind(slot);
    }
    return slot;
  }

  /** Any number of slots is fine: a hash is a fraction of them. */
  #wantedBy(hash: number): number {
    return Math.floor(((hash & SLOT_MASK) * this.#slots) / 2 ** SLOT_BITS);
  }

  #behind(slot: number): number {
    return slot + 1 === this.#slots ? 0 : slot + 1;
  }

  /** Steps from one slot to another. */
  #steps(from: number, to: number): number {
    return to >= from ? to - from : to - from + this.#slots;
  }

  #is(slot: number, words: readonly number[]): boolean {
    const keys = this.#keys;
    if (this.#words === 1) return keys[slot] === words[0];
    for (let w = 0; w < 4; w++) if (keys[4 * slot + w] !== words[w]) return false;
    return true;
  }

  #wordsOf(slot: number): number[] {
    const [keys, at] = [this.#keys, slot * this.#words];
    return this.#words === 1 ? [keys[at]] : [keys[at], keys[at + 1], keys[at + 2], keys[at + 3]];
  }

  #hashOf(slot: number): number {
    const length = this.#lengths[slot] - 1;
    return this.#words === 1
      ? hashPrefix4(this.#keys[slot], length)
      : hashPrefix(this.#wordsOf(slot), length);
  }

  /** What stands behind moves up where that brings it no further forward than its hash wants it. */
  #free(slot: number): void {
    let hole = slot;
    for (let at = this.#behind(hole); this.#lengths[at] !== 0; at = this.#behind(at)) {
      if (this.#steps(this.#wantedBy(this.#hashOf(at)), at) < this.#steps(hole, at)) continue;
      this.#copy(this, at, hole);
      hole = at;
    }
    this.#lengths[hole] = 0;
    this.#values[hole] = 0;
  }

  #resize(slots: number): void {
    const other = new Part(this.#family, slots, this.#values instanceof Uint32Array);
    for (let from = 0; from < this.#slots; from++) {
      if (this.#lengths[from] === 0) continue;
      let slot = other.#wantedBy(this.#hashOf(from));
      while (other.#lengths[slot] !== 0) slot = other.#behind(slot);
      other.#copy(this, from, slot);
    }
    this.#slots = slots;
    this.#keys = other.#keys;
    this.#lengths = other.#lengths;
    this.#values = other.#values;
  }

  #copy(part: Part, from: number, to: number): void {
    const words = this.#words;
    for (let w = 0; w < words; w++) this.#keys[to * words + w] = part.#keys[from * words + w];
    this.#lengths[to] = part.#lengths[from];
    this.#values[to] = part.#values[from];
  }
}

/** In the place of parts that nothing was ever in. */
const EMPTY = { 4: new Part(4), 6: new Part(6) } as const;
