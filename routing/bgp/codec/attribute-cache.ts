/**
 * Attributes that a peer sent before, by their bytes: most routes come with what others came with, in messages of their own,
 * and what was read without an error once need not be read again. What is remembered is what the receiver has made of them,
 * by its number. Where he keeps these very bytes they are compared with his; others are in a ring, and what is written over
 * is forgotten: it never holds more than some megabytes of what was received. It grows while it is in demand.
 */
import { hashBytes } from '../../../wire/keyed-hash.ts';
import type { Attributes } from './attributes.ts';

/** Where a receiver keeps attributes, by number. */
export interface AttributeStore {
  /** Of what is kept now nothing else ever had it; 0: nothing has this number. */
  serialOf(id: number): number;
  attributesOf(id: number): Attributes;
  /** Whether these bytes are what it is kept as. */
  isKeptAs(id: number, bytes: Uint8Array, from: number, to: number): boolean;
}

/** Attributes that are kept, as of now. */
export interface Known {
  readonly id: number;
  readonly attributes: Attributes;
}

/** Attributes are read from what is kept when they are asked for. */
class Found implements Known {
  readonly id: number;
  readonly #store: AttributeStore;

  constructor(id: number, store: AttributeStore) {
    this.id = id;
    this.#store = store;
  }

  get attributes(): Attributes {
    return this.#store.attributesOf(this.id);
  }
}

const FIRST_ENTRIES = 64;
const MOST_ENTRIES = 1 << 17;
/** Of the ring, for each entry: what attributes take on average. */
const ENTRY_BYTES = 64;
/** In the place of a length: the receiver has the bytes. */
const KEPT = 0;

export class AttributeCache {
  #ring = new Uint8Array(0);
  /** Bytes ever written: where the next one goes, modulo the ring. */
  #end = 0;
  /** Entries ever made, and of these forgotten: each is where its number is, modulo as many as there may be. */
  #made = 0;
  #forgotten = 0;
  #entries = entriesOf(0);
  /** Of what was learned: one receiver's. */
  #store: AttributeStore | undefined;
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
    const store = this.#store;
    if (store === undefined) return undefined;
    const { hashes, next, ids, serials } = this.#entries;
    let entry = this.#heads[this.#hash & (this.#heads.length - 1)];
    while (entry !== 0) {
      const at = entry - 1;
      if (hashes[at] === this.#hash && store.serialOf(ids[at]) === serials[at]) {
        if (this.#is(at, store, bytes, from, to)) return new Found(ids[at], store);
      }
      entry = next[at];
    }
    return undefined;
  }

  /**
   * Says what became of attributes that were looked for last, and not found. Their bytes have to be there still.
   * @param store always the same one
   */
  learn(store: AttributeStore, id: number): void {
    const [bytes, from, to] = [this.#bytes, this.#from, this.#to];
    this.#store = store;
    if (this.#made === this.#heads.length && this.#made < MOST_ENTRIES) this.#grow();
    const length = store.isKeptAs(id, bytes, from, to) ? KEPT : to - from;
    if (length > this.#heads.length * ENTRY_BYTES) return;
    if (length !== KEPT) this.#findPlace(length);
    this.#makeRoom(this.#end + length);
    const all = this.#entries;
    const entry = this.#made++ & (this.#heads.length - 1);
    const head = this.#hash & (this.#heads.length - 1);
    all.starts[entry] = this.#end;
    all.lengths[entry] = length;
    all.hashes[entry] = this.#hash;
    all.ids[entry] = id;
    all.serials[entry] = store.serialOf(id);
    all.next[entry] = this.#heads[head];
    this.#heads[head] = entry + 1;
    if (length === KEPT) return;
    this.#ring.set(bytes.subarray(from, to), this.#end % this.#ring.length);
    this.#end += length;
  }

  /** In one piece. */
  #findPlace(length: number): void {
    if (this.#ring.length === 0) this.#ring = new Uint8Array(this.#heads.length * ENTRY_BYTES);
    const left = this.#ring.length - (this.#end % this.#ring.length);
    if (left < length) this.#end += left;
  }

  #is(entry: number, store: AttributeStore, bytes: Uint8Array, from: number, to: number): boolean {
    const { starts, lengths, ids } = this.#entries;
    if (lengths[entry] === KEPT) return store.isKeptAs(ids[entry], bytes, from, to);
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
      const fits = end - starts[oldest] <= most * ENTRY_BYTES && this.#made - this.#forgotten < most;
      if (fits) return;
      this.#forget(oldest);
      this.#forgotten++;
    }
  }

  #forget(entry: number): void {
    const { hashes, next } = this.#entries;
    const head = hashes[entry] & (this.#heads.length - 1);
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
    const entries = Math.min(MOST_ENTRIES, Math.max(FIRST_ENTRIES, 4 * this.#heads.length));
    this.#ring = new Uint8Array(0);
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
  /** KEPT: not in the ring. */
  lengths: new Uint16Array(count),
  hashes: new Uint32Array(count),
  next: new Uint32Array(count),
  ids: new Uint32Array(count),
  serials: new Uint32Array(count),
});
