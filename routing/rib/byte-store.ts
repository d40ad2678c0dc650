/**
 * Strings of bytes by row, most of them short: in slabs of slots of one size, so that a hundred thousand cost their length,
 * rounded up, and no garbage collection. A slab in which nothing is left goes.
 */
import { Column } from './column.ts';

/** Slots are multiples of that long. */
const UNIT = 16;
/** What is longer stands by itself. */
const MOST_UNITS = 64;
const SLOTS_BITS = 8;
const SLOTS = 1 << SLOTS_BITS;
const IN_SLAB = SLOTS - 1;
/** Behind the last free slot, and where a row's bytes are that stand by themselves. */
const NO_SLOT = 0xffff;
const ALONE = 0xffff_ffff;

class Slab {
  readonly number: number;
  readonly units: number;
  readonly bytes: Uint8Array;
  used = 0;
  /** Never used: this one and those behind it. */
  #fresh = 0;
  /** Given back last; the one before it stands in its first two bytes. */
  #free = NO_SLOT;

  constructor(number: number, units: number) {
    this.number = number;
    this.units = units;
    this.bytes = new Uint8Array(SLOTS * units * UNIT);
  }

  /** There has to be one. */
  take(): number {
    this.used++;
    if (this.#free === NO_SLOT) return this.#fresh++;
    const slot = this.#free;
    const at = slot * this.units * UNIT;
    this.#free = (this.bytes[at] << 8) | this.bytes[at + 1];
    return slot;
  }

  giveBack(slot: number): void {
    const at = slot * this.units * UNIT;
    this.bytes[at] = this.#free >>> 8;
    this.bytes[at + 1] = this.#free;
    this.#free = slot;
    this.used--;
  }
}

export class ByteStore {
  /** By number; undefined: gone, and its number to be given again. */
  readonly #slabs: (Slab | undefined)[] = [];
  readonly #numbers: number[] = [];
  /** By units of a slot: those with a free one. */
  readonly #withRoom: Slab[][] = Array.from({ length: MOST_UNITS + 1 }, () => []);
  readonly #alone = new Map<number, Uint8Array>();
  /** By row: slab and slot. */
  readonly #places = new Column();
  readonly #lengths = new Column();

  /** Of a row that has none. */
  set(row: number, from: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#lengths.set(row, length);
    const units = Math.max(1, Math.ceil(length / UNIT));
    if (units > MOST_UNITS) {
      this.#places.set(row, ALONE);
      this.#alone.set(row, from.slice(start, end));
      return;
    }
    const slab = this.#withRoom[units].at(-1) ?? this.#newSlab(units);
    const slot = slab.take();
    if (slab.used === SLOTS) this.#withRoom[units].pop();
    this.#places.set(row, slab.number * SLOTS + slot);
    const { bytes } = slab;
    let at = slot * units * UNIT;
    for (let i = start; i < end; i++) bytes[at++] = from[i];
  }

  delete(row: number): void {
    const place = this.#places.get(row);
    if (place === ALONE) {
      this.#alone.delete(row);
      return;
    }
    const slab = this.#slabs[place >>> SLOTS_BITS] as Slab;
    const withRoom = this.#withRoom[slab.units];
    if (slab.used === SLOTS) withRoom.push(slab);
    slab.giveBack(place & IN_SLAB);
    if (slab.used > 0 || withRoom.length === 1) return;
    withRoom.splice(withRoom.indexOf(slab), 1);
    this.#slabs[slab.number] = undefined;
    this.#numbers.push(slab.number);
  }

  lengthOf(row: number): number {
    return this.#lengths.get(row);
  }

  /** In which the row's bytes are, from `startOf` on, until something is set or deleted. */
  bytesOf(row: number): Uint8Array {
    const place = this.#places.get(row);
    if (place === ALONE) return this.#alone.get(row) as Uint8Array;
    return (this.#slabs[place >>> SLOTS_BITS] as Slab).bytes;
  }

  startOf(row: number): number {
    const place = this.#places.get(row);
    if (place === ALONE) return 0;
    return (place & IN_SLAB) * (this.#slabs[place >>> SLOTS_BITS] as Slab).units * UNIT;
  }

  is(row: number, bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#lengths.get(row) !== to - from) return false;
    const ours = this.bytesOf(row);
    const at = this.startOf(row) - from;
    for (let i = from; i < to; i++) if (ours[at + i] !== bytes[i]) return false;
    return true;
  }

  #newSlab(units: number): Slab {
    const number = this.#numbers.pop() ?? this.#slabs.length;
    const slab = new Slab(number, units);
    this.#slabs[number] = slab;
    this.#withRoom[units].push(slab);
    return slab;
  }
}
