// The way out of a port: reads a TUN queue until it is empty or the batch is full. Packets are packed one behind the
// other in one arena, so that 64 small ones stay in the first-level cache and a 64 KB super-packet still fits.

import * as vnet from '../wire/vnet.ts';
import { appendPacket, type Batch, Gso } from './batch.ts';
import type { PacketIo, PacketReads } from './device/io.ts';
import type { PacketMemory } from './memory.ts';

/** Room before each packet for what encapsulation prepends. */
const HEADROOM = 54;
/** virtio header and the largest IP packet. */
const LARGEST = vnet.LENGTH + 65535;
const ARENA = 1024 * 1024;
/** Buffers of the ring, and how many are tried at a time: 32 and 64 gain no more (docs/adr/0011-batched-reads.md). */
const BUFFERS = 256;
const AT_ONCE = 16;
/** Apart by so much that their beginnings do not share a set of the first-level cache. */
const STRIDE = 65536 + 192;
/** Who has so many packets of at most so many bytes waiting has more. */
const FEW = 4;
const SMALL = 2048;

/** Bytes of packet memory for the buffers of the ring. */
export const READ_AHEAD = BUFFERS * STRIDE;

export class PortReader {
  readonly #memory: PacketMemory;
  readonly #io: PacketIo;
  readonly #arena: number;
  readonly #buffers: number;
  readonly #ring: PacketReads | undefined;

  /** @param batched read several packets by one call where there are some */
  constructor(memory: PacketMemory, io: PacketIo, batched: boolean) {
    this.#memory = memory;
    this.#io = io;
    this.#arena = memory.reserve(ARENA);
    this.#buffers = memory.reserve(READ_AHEAD);
    const addresses = Array.from({ length: BUFFERS }, (_, n) => memory.base + this.#header(n));
    this.#ring = batched ? io.reads(addresses, LARGEST) : undefined;
  }

  /**
   * Fills `batch` from `fd`. The packets stay valid until the next read.
   * @returns 0, or minus errno of the read that ended it (also -EAGAIN: empty)
   */
  read(batch: Batch, fd: number, port: number): number {
    const { base } = this.#memory;
    let at = this.#arena;
    const end = this.#arena + ARENA - HEADROOM - LARGEST;
    let small = 0;
    while (batch.count < batch.capacity && at <= end) {
      if (small === FEW && this.#ring) return this.#readMany(this.#ring, batch, fd, port);
      // The virtio header at 2 modulo 4 puts the IP header behind it at 0 modulo 4: 32-bit copies are 3 times faster.
      const header = at + HEADROOM;
      const got = this.#io.read(fd, base + header, LARGEST);
      if (got < 0) return got;
      if (got > vnet.LENGTH) this.#append(batch, header, got - vnet.LENGTH, port);
      at = (header + got + 3) & ~3;
      small = got <= SMALL ? small + 1 : 0;
    }
    return 0;
  }

  /** As read, for what is worth it: a call for each packet is a quarter of what reading small ones costs. */
  #readMany(ring: PacketReads, batch: Batch, fd: number, port: number): number {
    for (let first = 0; first < BUFFERS && batch.count < batch.capacity; first += AT_ONCE) {
      const count = Math.min(AT_ONCE, batch.capacity - batch.count);
      // Out of memory: the next turn begins with single reads.
      if (ring.read(fd, first, count) !== 0) return 0;
      let result = 0;
      // To the end: behind a read that found nothing there may be one that did.
      for (let n = first; n < first + count; n++) {
        const got = ring.results[n];
        if (got < 0) result = got;
        else if (got > vnet.LENGTH) this.#append(batch, this.#header(n), got - vnet.LENGTH, port);
      }
      if (result !== 0) return result;
    }
    return 0;
  }

  /** Where the virtio header of what is read into buffer `n` begins. */
  #header(n: number): number {
    return this.#buffers + n * STRIDE + HEADROOM;
  }

  #append(batch: Batch, header: number, length: number, port: number): void {
    const { view } = this.#memory;
    const i = appendPacket(batch, header + vnet.LENGTH, length, port);
    if ((vnet.flags(view, header) & vnet.Flag.needsChecksum) !== 0) {
      // Where the sum starts and goes, until parse knows whether that is the usual place.
      batch.partial[i] = vnet.checksumStart(view, header) | (vnet.checksumOffset(view, header) << 16);
    }
    const gso = vnet.gsoType(view, header) & ~vnet.Gso.ecn;
    if (gso === vnet.Gso.none) return;
    batch.gso[i] = gso === vnet.Gso.udpL4 ? Gso.udp : Gso.tcp;
    batch.segmentSize[i] = vnet.gsoSize(view, header);
  }
}
