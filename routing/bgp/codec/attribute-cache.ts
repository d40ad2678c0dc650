/**
 * Attributes that a peer sent before, by their bytes: most routes come with what others came with, in messages of their own,
 * and what was read without an error once need not be read again. The bytes are in a ring, and what is written over is
 * forgotten: it never holds more than some megabytes of what was received. It grows while it is in demand.
 */
import type { Attributes } from './attributes.ts';

const FIRST_SLOTS = 64;
const MOST_SLOTS = 1 << 17;
/** Of the ring, for each slot: what attributes take on average. */
const SLOT_BYTES = 64;
const FREE = -1;

export class AttributeCache {
  #slots = 0;
  #written = 0;
  #ring = new Uint8Array(0);
  /** Bytes ever written: where the next one goes, modulo the ring. */
  #end = 0;
  /** By slot: where its bytes are, as `#end` was then. */
  #starts = new Float64Array(0);
  #lengths = new Uint16Array(0);
  #attributes: (Attributes | undefined)[] = [];
  /** Starts and slots in the order in which they were written, the oldest to be forgotten first. */
  #order: { starts: Float64Array; slots: Uint32Array; first: number; count: number } = orderOf(0);
  /** Of what was looked for last. */
  #hash = 0;

  /** @param from to `to` are the attributes' bytes */
  find(bytes: Uint8Array, from: number, to: number): Attributes | undefined {
    this.#hash = hashOf(bytes, from, to);
    if (this.#slots === 0) return undefined;
    const slot = this.#hash & (this.#slots - 1);
    if (this.#starts[slot] === FREE || this.#lengths[slot] !== to - from) return undefined;
    const at = this.#starts[slot] % this.#ring.length;
    for (let i = from; i < to; i++) if (this.#ring[at + i - from] !== bytes[i]) return undefined;
    return this.#attributes[slot];
  }

  /** Behind a `find` of the same bytes that found nothing. */
  add(bytes: Uint8Array, from: number, to: number, attributes: Attributes): void {
    const length = to - from;
    if (++this.#written > this.#slots && this.#slots < MOST_SLOTS) this.#grow();
    if (length > this.#ring.length) return;
    // In one piece.
    const left = this.#ring.length - (this.#end % this.#ring.length);
    if (left < length) this.#end += left;
    this.#makeRoom(this.#end + length);
    const slot = this.#hash & (this.#slots - 1);
    this.#remember(slot, this.#end);
    this.#lengths[slot] = length;
    this.#attributes[slot] = attributes;
    this.#ring.set(bytes.subarray(from, to), this.#end % this.#ring.length);
    this.#end += length;
  }

  #remember(slot: number, start: number): void {
    const { starts, slots, first, count } = this.#order;
    const at = (first + count) & (this.#slots - 1);
    starts[at] = start;
    slots[at] = slot;
    this.#order.count++;
    this.#starts[slot] = start;
  }

  /** Forgets what will be written over up to `end`, and one when there are as many as there may be. */
  #makeRoom(end: number): void {
    const order = this.#order;
    while (
      order.count > 0 &&
      (order.count === this.#slots || end - order.starts[order.first] > this.#ring.length)
    ) {
      const slot = order.slots[order.first];
      // Another may have taken its place.
      if (this.#starts[slot] === order.starts[order.first]) {
        this.#starts[slot] = FREE;
        this.#attributes[slot] = undefined;
      }
      order.first = (order.first + 1) & (this.#slots - 1);
      order.count--;
    }
  }

  /** Emptied as well: it is filled again as fast as it is asked. */
  #grow(): void {
    this.#slots = Math.max(FIRST_SLOTS, 4 * this.#slots);
    this.#written = 0;
    this.#ring = new Uint8Array(this.#slots * SLOT_BYTES);
    this.#end = 0;
    this.#starts = new Float64Array(this.#slots).fill(FREE);
    this.#lengths = new Uint16Array(this.#slots);
    this.#attributes = new Array(this.#slots).fill(undefined);
    this.#order = orderOf(this.#slots);
  }
}

const orderOf = (slots: number) => ({
  starts: new Float64Array(slots),
  slots: new Uint32Array(slots),
  first: 0,
  count: 0,
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
