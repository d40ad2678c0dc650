// Packet memory of one worker: a WebAssembly.Memory of fixed size, so that the kernel has a stable address,
// TypeScript typed arrays, and the checksum kernel linear memory. Never grows, never moves, is never shared:
// threads share tables, not packets.

import { instantiateChecksum } from '../wire/checksum.ts';

const PAGE = 65536;
const TWO_32 = 4294967296;

export interface PacketMemory {
  /** Address of byte 0 as the kernel sees it. Offsets below are relative to it. */
  readonly base: number;
  /** Its halves, signed: pointers are put together without floating point. */
  readonly baseLow: number;
  readonly baseHigh: number;
  readonly size: number;
  readonly view: DataView;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  /** Unfolded RFC 1071 sum of `length` bytes at `offset`; see wire/checksum.ts. */
  readonly sum: (offset: number, length: number) => number;
  /** Reserves `bytes` at a multiple of `align` (a power of two), zeroed; for set-up, not for the data path. */
  readonly reserve: (bytes: number, align?: number) => number;
}

/**
 * @param bytes capacity, rounded up to 64 KiB pages
 * @param addressOf gives the kernel address of a byte array's first byte; memory devices hand in a made-up one
 * @throws RangeError when a reservation does not fit: the sizes are constants, so that is a programming error
 */
export const createPacketMemory = (bytes: number, addressOf: (u8: Uint8Array) => number): PacketMemory => {
  const pages = Math.ceil(bytes / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const u8 = new Uint8Array(memory.buffer);
  const base = addressOf(u8);
  let next = 64; // offset 0 stays free: it reads as "none"
  return {
    base,
    baseLow: base | 0,
    baseHigh: (base / TWO_32) | 0,
    size: u8.length,
    view: new DataView(memory.buffer),
    u8,
    u16: new Uint16Array(memory.buffer),
    i32: new Int32Array(memory.buffer),
    sum: instantiateChecksum(memory),
    reserve: (wanted, align = 64) => {
      const at = (next + align - 1) & ~(align - 1);
      next = at + wanted;
      if (next > u8.length) throw new RangeError(`packet memory: ${wanted} bytes do not fit ${u8.length}`);
      return at;
    },
  };
};

/** Stores a 64-bit pointer to `offset` at `at` (8-byte slots of iovec and msghdr). */
export const storePointer = ({ i32, baseLow, baseHigh }: PacketMemory, at: number, offset: number): void => {
  const low = (baseLow + offset) | 0;
  const carry = low >>> 0 < baseLow >>> 0 ? 1 : 0;
  i32[at >> 2] = low;
  i32[(at >> 2) + 1] = baseHigh + carry;
};
