/**
 * Attributes that a peer sent before, by their bytes: most routes come with what others came with, in messages of their own,
 * and what was read without an error once need not be read again. What is remembered is what the receiver has made of them.
 * The bytes are in a ring, and what is written over is forgotten: it never holds more than some megabytes of what was
 * received. It grows while it is in demand.
 */
import { hashBytes } from '../../../wire/keyed-hash.ts';
import type { Attributes } from './attributes.ts';

/** What a receiver keeps of attributes. */
export interface Known {
  /** 0: not any more. */
  readonly id: number;
  readonly attributes: Attributes;
}

const FIRST_ENTRIES = 64;
const MOST_ENTRIES = 1 << 17;
/** Of the ring, for each entry: what attributes take on average. */
const ENTRY_BYTES = 64;

export class AttributeCache {
  #ring = new Uint8Array(0);
  /** Bytes ever written: where the next one goes, modulo the ring. */
  #end = 0;
  /** Entries ever made, and of these forgotten: each is where its number is, modulo as many as there may be. */
  #made = 0;
  #forgotten = 0;
  #entries = entriesOf(0);
  /** By hash the entry made last, from 1 on; the others behind it are in `next`. 0: none. */
  #heads = new Uint32Array(0);
  /** What was looked for last. */
  #bytes: Uint8Array = this.#ring;
  #from = 0;
  #to = 0;
  #hash = 0;

  /** @param from to `to` are the attributes' bytes */
  find(bytes: Uint8Array, from: number, to: number): Known | undefined {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
    this.#hash = hashBytes(bytes, from, to);
    if (this.#heads.length === 0) return undefined;
    const { hashes, next, known } = this.#entries;
    let entry = this.#heads[this.#hash & (this.#heads.length - 1)];
    while (entry !== 0 && !(hashes[entry - 1] === this.#hash && this.#is(entry - 1, bytes, from, to))) {
      entry = next[entry - 1];
    }
    const found = entry === 0 ? undefined : known[entry - 1];
    return found?.id === 0 ? undefined : found;
  }

  /** Says what became of attributes that were looked for last, and not found. Their bytes have to be there still. */
  learn(known: Known): void {
    const [bytes, from, to] = [this.#bytes, this.#from, this.#to];
    const length = to - from;
    if (this.#made === this.#heads.length && this.#made < MOST_ENTRIES) this.#grow();
    if (length > this.#ring.length) return;
    // In one piece.
    const left = this.#ring.length - (this.#end % this.#ring.length);
    if (left < length) this.#end += left;
    this.#makeRoom(this.#end + length);
    const all = this.#entries;
    const entry = this.#made++ & (this.#heads.length - 1);
    const head = this.#hash & (this.#heads.length - 1);
    all.starts[entry] = this.#end;
    all.lengths[entry] = length;
    all.hashes[entry] = this.#hash;
    all.known[entry] = known;
    all.next[entry] = this.#heads[head];
    this.#heads[head] = entry + 1;
    this.#ring.set(bytes.subarray(from, to), this.#end % this.#ring.length);
    this.#end += length;
  }

  #is(entry: number, bytes: Uint8Array, from: number, to: number): boolean {
    const { starts, lengths } = this.#entries;
    if (lengths[entry] !== to - from) return false;
    const at = (starts[entry] % this.#ring.length) - from;
    for (let i = from; i < to; i++) if (this.#ring[at + i] !== bytes[i]) return false;
    return true;
  }

  /** Forgets what will be written over up to `end`, and one when there are as many as there may be. */
  #makeRoom(end: number): void {
    const most = this.#heads.length;
    const { starts } = this.#entries;
    while (this.#forgotten < this.#made) {
      const oldest = this.#forgotten & (most - 1);
      const fits = end - starts[oldest] <= this.#ring.length && this.#made - this.#forgotten < most;
      if (fits) return;
      this.#forget(oldest);
      this.#forgotten++;
    }
  }

  #forget(entry: number): void {
    const { hashes, next, known } = this.#entries;
    const head = hashes[entry] & (this.#heads.length - 1);
    known[entry] = undefined;
    if (this.#heads[head] === entry + 1) {
      this.#heads[head] = next[entry];
      return;
    }
    let before = this.#heads[head];
    while (next[before - 1] !== entry + 1) before = next[before - 1];
    next[before - 1] = next[entry];
  }

  /** Emptied as well: it is filled again as fast as it is asked. */
  #grow(): void {
    const entries = Math.max(FIRST_ENTRIES, 4 * this.#heads.length);
    this.#ring = new Uint8Array(entries * ENTRY_BYTES);
    this.#heads = new Uint32Array(entries);
    this.#entries = entriesOf(entries);
    this.#end = 0;
    this.#made = 0;
    this.#forgotten = 0;
  }
}

const entriesOf = (count: number) => ({
  /** Where an entry's bytes are, as `#end` was then. */
  starts: new Float64Array(count),
  lengths: new Uint16Array(count),
  hashes: new Uint32Array(count),
  next: new Uint32Array(count),
  known: new Array<Known | undefined>(count).fill(undefined),
});
