/**
 * Attributes that a peer sent before, by their bytes: most routes come with what others came with, in messages of their own,
 * and what was read without an error once need not be read again. The bytes are in a ring, and what is written over is
 * forgotten: it never holds more than some megabytes of what was received. It grows while it is in demand.
 */
import type { Attributes } from './attributes.ts';

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
  /** Of what was looked for last. */
  #hash = 0;

  /** @param from to `to` are the attributes' bytes */
  find(bytes: Uint8Array, from: number, to: number): Attributes | undefined {
    this.#hash = hashOf(bytes, from, to);
    if (this.#heads.length === 0) return undefined;
    const { hashes, next, attributes } = this.#entries;
    let entry = this.#heads[this.#hash & (this.#heads.length - 1)];
    while (entry !== 0 && !(hashes[entry - 1] === this.#hash && this.#is(entry - 1, bytes, from, to))) {
      entry = next[entry - 1];
    }
    return entry === 0 ? undefined : attributes[entry - 1];
  }

  /** Behind a `find` of the same bytes that found nothing. */
  add(bytes: Uint8Array, from: number, to: number, attributes: Attributes): void {
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
    all.attributes[entry] = attributes;
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
    const { hashes, next, attributes } = this.#entries;
    const head = hashes[entry] & (this.#heads.length - 1);
    attributes[entry] = undefined;
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
  attributes: new Array<Attributes | undefined>(count).fill(undefined),
});

const hashOf = (bytes: Uint8Array, from: number, to: number): number => {
  let hash = to - from;
  let i = from;
  for (; i + 4 <= to; i += 4) {
    const word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; i < to; i++) hash = Math.imul(hash ^ bytes[i], 0x9e3779b1);
  return (hash ^ (hash >>> 13)) >>> 0;
};
