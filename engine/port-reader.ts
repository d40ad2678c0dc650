// The way out of a port: reads a TUN queue until it is empty or the batch is full. Packets are packed one behind the
// other in one arena, so that 64 small ones stay in the first-level cache and a 64 KB super-packet still fits.

import * as vnet from '../wire/vnet.ts';
import { appendPacket, type Batch, Gso } from './batch.ts';
import type { PacketIo } from './device/io.ts';
import type { PacketMemory } from './memory.ts';

/** Room before each packet for what encapsulation prepends. */
const HEADROOM = 54;
/** virtio header and the largest IP packet. */
const LARGEST = vnet.LENGTH + 65535;
const ARENA = 1024 * 1024;

export class PortReader {
  readonly #memory: PacketMemory;
  readonly #io: PacketIo;
  readonly #arena: number;

  constructor(memory: PacketMemory, io: PacketIo) {
    this.#memory = memory;
    this.#io = io;
    this.#arena = memory.reserve(ARENA);
  }

  /**
   * Fills `batch` from `fd`. The packets stay valid until the next read.
   * @returns 0, or minus errno of the read that ended it (also -EAGAIN: empty)
   */
  read(batch: Batch, fd: number, port: number): number {
    const { base } = this.#memory;
    let at = this.#arena;
    const end = this.#arena + ARENA - HEADROOM - LARGEST;
    while (batch.count < batch.capacity && at <= end) {
      // The virtio header at 2 modulo 4 puts the IP header behind it at 0 modulo 4: 32-bit copies are 3 times faster.
      const header = at + HEADROOM;
      const got = this.#io.read(fd, base + header, LARGEST);
      if (got < 0) return got;
      if (got > vnet.LENGTH) this.#append(batch, header, got - vnet.LENGTH, port);
      at = (header + got + 3) & ~3;
    }
    return 0;
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
