// A number for each of many prefixes of one family, in typed arrays: a hash table with open addressing. A million prefixes of
// IPv4 take 19 megabytes and nothing of the garbage collector's time; a Map of objects takes ten times as much of both.
//
//   keys     one word a slot for IPv4, four for IPv6
//   lengths  prefix length + 1; 0: the slot is free
//   values   1 or more

import type { Address } from './address.ts';
import { maskAddress, type Prefix } from './prefix.ts';
import { hashPrefix, hashPrefix4 } from './prefix-hash.ts';

const FIRST_SLOTS = 64;

export class PrefixNumbers {
  readonly #family: 4 | 6;
  readonly #words: 1 | 4;
  #keys: Uint32Array;
  #lengths: Uint8Array;
  #values: Uint32Array;
  /** Slots, a power of two, less one. */
  #last: number;
  #size = 0;
  /** How many prefixes there are of each length. */
  readonly #ofLength = new Uint32Array(129);

  constructor(family: 4 | 6) {
    this.#family = family;
    this.#words = family === 4 ? 1 : 4;
    this.#last = FIRST_SLOTS - 1;
    this.#keys = new Uint32Array(FIRST_SLOTS * this.#words);
    this.#lengths = new Uint8Array(FIRST_SLOTS);
    this.#values = new Uint32Array(FIRST_SLOTS);
  }

  get size(): number {
    return this.#size;
  }

  /** @param words of the prefix's address, unsigned @returns 0 where there is none */
  get(words: readonly number[], length: number): number {
    // A free slot's value is 0.
    return this.#values[this.#slotOf(words, length)];
  }

  /** @param value 1 to 2^32 - 1 @returns the one before, 0 for none */
  set(words: readonly number[], length: number, value: number): number {
    let slot = this.#slotOf(words, length);
    const before = this.#values[slot];
    if (before === 0) {
      // Two thirds full at most: runs stay short.
      if (3 * (this.#size + 1) > 2 * (this.#last + 1)) {
        this.#resize(2 * (this.#last + 1));
        slot = this.#slotOf(words, length);
      }
      for (let w = 0; w < this.#words; w++) this.#keys[slot * this.#words + w] = words[w];
      this.#lengths[slot] = length + 1;
      this.#ofLength[length]++;
      this.#size++;
    }
    this.#values[slot] = value;
    return before;
  }

  /** @returns what it was, 0 for none */
  delete(words: readonly number[], length: number): number {
    const slot = this.#slotOf(words, length);
    const before = this.#values[slot];
    if (before === 0) return 0;
    this.#close(slot);
    this.#ofLength[length]--;
    this.#size--;
    if (this.#last >= FIRST_SLOTS && 8 * this.#size < this.#last) this.#resize((this.#last + 1) / 2);
    return before;
  }

  /** Whether there is a prefix of that length. */
  hasLength(length: number): boolean {
    return this.#ofLength[length] > 0;
  }

  /** Of the prefixes that contain the address, the longest first. */
  *covering(address: Address): Generator<{ readonly prefix: Prefix; readonly value: number }> {
    for (let length = 32 * this.#words; length >= 0; length--) {
      if (!this.hasLength(length)) continue;
      const masked = maskAddress(address, length);
      const value = this.get(masked.words, length);
      if (value !== 0) yield { prefix: { address: masked, length }, value };
    }
  }

  /** In no order. What changes meanwhile may be missing, or there twice. */
  *entries(): Generator<{ readonly prefix: Prefix; readonly value: number }> {
    for (let slot = 0; slot <= this.#last; slot++) {
      if (this.#lengths[slot] === 0) continue;
      const words = Array.from(this.#keys.subarray(slot * this.#words, (slot + 1) * this.#words));
      const address = { family: this.#family, words };
      yield { prefix: { address, length: this.#lengths[slot] - 1 }, value: this.#values[slot] };
    }
  }

  /** Where it stands, or where it would. */
  #slotOf(words: readonly number[], length: number): number {
    const [last, lengths, keys] = [this.#last, this.#lengths, this.#keys];
    if (this.#words === 1) {
      const word = words[0];
      let slot = hashPrefix4(word, length) & last;
      while (lengths[slot] !== 0 && (keys[slot] !== word || lengths[slot] !== length + 1)) {
        slot = (slot + 1) & last;
      }
      return slot;
    }
    let slot = hashPrefix(words, length) & last;
    while (lengths[slot] !== 0 && !(lengths[slot] === length + 1 && this.#is(slot, words))) {
      slot = (slot + 1) & last;
    }
    return slot;
  }

  #is(slot: number, words: readonly number[]): boolean {
    const at = 4 * slot;
    const keys = this.#keys;
    return (
      keys[at] === words[0] &&
      keys[at + 1] === words[1] &&
      keys[at + 2] === words[2] &&
      keys[at + 3] === words[3]
    );
  }

  /** The slot that a slot's prefix hashes to. */
  #wantedBy(slot: number): number {
    const length = this.#lengths[slot] - 1;
    const at = slot * this.#words;
    if (this.#words === 1) return hashPrefix4(this.#keys[at], length) & this.#last;
    const keys = this.#keys;
    return hashPrefix([keys[at], keys[at + 1], keys[at + 2], keys[at + 3]], length) & this.#last;
  }

  /** Frees a slot: what stands behind moves up where that brings it no further forward than its hash wants it. */
  #close(slot: number): void {
    const last = this.#last;
    let hole = slot;
    for (let at = (hole + 1) & last; this.#lengths[at] !== 0; at = (at + 1) & last) {
      if (((at - this.#wantedBy(at)) & last) < ((at - hole) & last)) continue;
      this.#move(at, hole);
      hole = at;
    }
    this.#lengths[hole] = 0;
    this.#values[hole] = 0;
  }

  #move(from: number, to: number): void {
    const words = this.#words;
    for (let w = 0; w < words; w++) this.#keys[to * words + w] = this.#keys[from * words + w];
    this.#lengths[to] = this.#lengths[from];
    this.#values[to] = this.#values[from];
  }

  #resize(slots: number): void {
    const [keys, lengths, values, words] = [this.#keys, this.#lengths, this.#values, this.#words];
    this.#last = slots - 1;
    this.#keys = new Uint32Array(slots * words);
    this.#lengths = new Uint8Array(slots);
    this.#values = new Uint32Array(slots);
    for (let from = 0; from < lengths.length; from++) {
      if (lengths[from] === 0) continue;
      const at = from * words;
      const length = lengths[from] - 1;
      const hash =
        words === 1
          ? hashPrefix4(keys[at], length)
          : hashPrefix([keys[at], keys[at + 1], keys[at + 2], keys[at + 3]], length);
      let slot = hash & this.#last;
      while (this.#lengths[slot] !== 0) slot = (slot + 1) & this.#last;
      for (let w = 0; w < words; w++) this.#keys[slot * words + w] = keys[at + w];
      this.#lengths[slot] = lengths[from];
      this.#values[slot] = values[from];
    }
  }
}
