// Packets that wait for their time to leave: copies, for what they were read into is used again at once. A cell each, of
// two sizes, found again by a binary heap of departure times. Knows no rates, ports or clocks.

import { type Batch, copyPacket, createBatch, type Ingress } from './batch.ts';
import type { PacketMemory } from './memory.ts';

/** Room before each packet for encapsulation or a virtio header. */
const HEADROOM = 64;
const SMALL = 2048;
const LARGE = 65536 + HEADROOM;
const SMALL_CELLS = 8192;
const LARGE_CELLS = 256;
const CELLS = SMALL_CELLS + LARGE_CELLS;

/** Bytes of packet memory that a room takes; resident only as far as it was ever full. */
export const WAITING_ROOM = SMALL_CELLS * SMALL + LARGE_CELLS * LARGE;

export class WaitingRoom {
  readonly #memory: PacketMemory;
  readonly #small: number;
  readonly #large: number;
  // By cell.
  readonly #packets: Batch = createBatch(CELLS);
  readonly #ingress = new Uint8Array(CELLS);
  readonly #owner = new Int32Array(CELLS);
  readonly #departure = new Float64Array(CELLS);
  /** Cells by departure, the earliest first: a binary heap. */
  readonly #heap = new Int32Array(CELLS);
  #count = 0;
  // Stacks of free cells, and the cells of packets that were taken out but may still be read.
  readonly #freeSmall = Int32Array.from({ length: SMALL_CELLS }, (_, n) => SMALL_CELLS - 1 - n);
  readonly #freeLarge = Int32Array.from({ length: LARGE_CELLS }, (_, n) => CELLS - 1 - n);
  #smallLeft = SMALL_CELLS;
  #largeLeft = LARGE_CELLS;
  readonly #taken = new Int32Array(CELLS);
  #takenCount = 0;

  constructor(memory: PacketMemory) {
    this.#memory = memory;
    this.#small = memory.reserve(SMALL_CELLS * SMALL);
    this.#large = memory.reserve(LARGE_CELLS * LARGE);
  }

  get count(): number {
    return this.#count;
  }

  /** How many packets of that length there is room for. */
  left(length: number): number {
    return length <= SMALL - HEADROOM ? this.#smallLeft : this.#largeLeft;
  }

  /** Takes a copy of packet `i`; there must be room. @param owner told again by `take` @param departure any clock's */
  add(batch: Batch, i: number, owner: number, departure: number): void {
    const length = batch.length[i];
    const cell =
      length <= SMALL - HEADROOM ? this.#freeSmall[--this.#smallLeft] : this.#freeLarge[--this.#largeLeft];
    const at = this.#offset(cell);
    this.#memory.u8.copyWithin(at, batch.offset[i], batch.offset[i] + length);
    copyPacket(batch, i, this.#packets, cell);
    this.#packets.offset[cell] = at;
    this.#ingress[cell] = batch.ingress;
    this.#owner[cell] = owner;
    this.#departure[cell] = departure;
    this.#rise(this.#count++, cell);
  }

  /** Departure of the packet that leaves first; there must be one. */
  get earliest(): number {
    return this.#departure[this.#heap[0]];
  }

  /** How the packet that leaves first came in; there must be one. */
  get ingress(): Ingress {
    return this.#ingress[this.#heap[0]] as Ingress;
  }

  /** Appends the packet that leaves first to `batch`, its bytes where they are until `free`. @returns its owner */
  take(batch: Batch): number {
    const cell = this.#heap[0];
    copyPacket(this.#packets, cell, batch, batch.count++);
    this.#taken[this.#takenCount++] = cell;
    if (--this.#count > 0) this.#sink(this.#heap[this.#count]);
    return this.#owner[cell];
  }

  /** What was taken is sent: its memory may be used again. */
  free(): void {
    while (this.#takenCount > 0) {
      const cell = this.#taken[--this.#takenCount];
      if (cell < SMALL_CELLS) this.#freeSmall[this.#smallLeft++] = cell;
      else this.#freeLarge[this.#largeLeft++] = cell;
    }
  }

  #offset(cell: number): number {
    const start =
      cell < SMALL_CELLS ? this.#small + cell * SMALL : this.#large + (cell - SMALL_CELLS) * LARGE;
    return start + HEADROOM;
  }

  /** Puts `cell` into the heap, from place `n` at the end upwards. */
  #rise(n: number, cell: number): void {
    const heap = this.#heap;
    const departure = this.#departure[cell];
    let at = n;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#departure[heap[parent]] <= departure) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = cell;
  }

  /** Puts `cell` into the heap in place of the first, downwards. */
  #sink(cell: number): void {
    const heap = this.#heap;
    const departure = this.#departure[cell];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#count) break;
      const other = child + 1;
      if (other < this.#count && this.#departure[heap[other]] < this.#departure[heap[child]]) child = other;
      if (this.#departure[heap[child]] >= departure) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = cell;
  }
}
