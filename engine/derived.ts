// Packets that the engine makes itself, ICMP errors and fragments: a batch with memory of its own, which runs through
// the same stages as any other.

import { appendPacket, type Batch, createBatch, Ingress, resetBatch } from './batch.ts';
import type { PacketMemory } from './memory.ts';

const CAPACITY = 128;
const ARENA = 512 * 1024;
/** Room before each packet for encapsulation or a virtio header. */
const HEADROOM = 64;

export class DerivedPackets {
  readonly batch: Batch = createBatch(CAPACITY);
  readonly #arena: number;
  #next = 0;

  constructor(memory: PacketMemory) {
    this.#arena = memory.reserve(ARENA);
    this.reset();
  }

  /** Whether `packets` of at most `length` bytes each can still be made before the next reset. */
  hasRoom(packets: number, length: number): boolean {
    const bytes = packets * (HEADROOM + length + 4);
    return this.batch.count + packets <= CAPACITY && this.#next + bytes <= this.#arena + ARENA;
  }

  /** Adds a packet of `length` bytes, to be written at the returned offset, which is a multiple of 4. */
  append(length: number): number {
    const at = this.#next + HEADROOM;
    this.#next = (at + length + 3) & ~3;
    appendPacket(this.batch, at, length, 0);
    return at;
  }

  reset(): void {
    resetBatch(this.batch, Ingress.self);
    this.#next = this.#arena;
  }
}
