// PacketIo without a kernel: takes the same iovecs and messages, read out of packet memory as the kernel would, and keeps
// what was sent; hands out what a test queued. An address outside the memory is an error, as EFAULT would be.

import type { PacketIo, PacketReads } from '../../engine/device/io.ts';
import { type Address, addressFromBytes, addressToBytes } from '../../wire/address.ts';

const EAGAIN = 11;
const BASE = 0x5000_0000_0000;

/** What lies where nobody may write, and how many bytes of it are looked at on both sides of a datagram. */
const CANARY = 0xa5;
const BEFORE = 32;
const BEHIND = 64;

export interface SentDatagram {
  readonly fd: number;
  readonly to: Address;
  readonly port: number;
  readonly tos: number;
  readonly bytes: Uint8Array;
  /** Which sendmmsg message it was part of, counted from 0. */
  readonly message: number;
}

export interface QueuedDatagram {
  readonly from: Address;
  readonly bytes: Uint8Array;
  /** Size of the datagrams that the kernel joined. */
  readonly gro?: number;
  readonly tos?: number;
}

/** As a ring of reads does it: each into its buffer, also behind one that found nothing. */
export function readsBy(
  io: Pick<PacketIo, 'read'>,
  addresses: readonly number[],
  length: number,
): PacketReads {
  const results = new Int32Array(addresses.length);
  return {
    results,
    read(fd, first, count) {
      for (let n = first; n < first + count; n++) results[n] = io.read(fd, addresses[n], length);
      return 0;
    },
  };
}

export class MemoryIo implements PacketIo {
  readonly sent: SentDatagram[] = [];
  readonly written: { readonly fd: number; readonly bytes: Uint8Array }[] = [];
  /** Errors to answer with, first come first served. */
  readonly sendErrors: number[] = [];
  readonly writeErrors: number[] = [];
  readonly readErrors: number[] = [];
  messages = 0;
  waits = 0;
  /** Whether the surroundings of what is received are guarded: see checkGuards. */
  guarded = false;
  readonly #rooms = new Map<number, { readonly room: number; length: number }>();
  readonly #untouched = new Uint8Array(65536).fill(CANARY);
  #u8: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(this.#u8.buffer);
  readonly #toRead = new Map<number, Uint8Array[]>();
  readonly #toReceive = new Map<number, QueuedDatagram[]>();

  readonly addressOf = (u8: Uint8Array): number => {
    this.#u8 = u8;
    this.#view = new DataView(u8.buffer);
    return BASE;
  };

  queueRead(fd: number, packet: Uint8Array): void {
    this.#toRead.set(fd, [...(this.#toRead.get(fd) ?? []), packet]);
  }

  queueReceive(fd: number, datagram: QueuedDatagram): void {
    this.#toReceive.set(fd, [...(this.#toReceive.get(fd) ?? []), datagram]);
  }

  read(fd: number, address: number, length: number): number {
    const error = this.readErrors.shift();
    if (error !== undefined) return -error;
    const packet = this.#toRead.get(fd)?.shift();
    if (!packet) return -EAGAIN;
    this.#u8.set(packet.subarray(0, length), this.#offset(address, length));
    return Math.min(packet.length, length);
  }

  reads(addresses: readonly number[], length: number): PacketReads {
    return readsBy(this, addresses, length);
  }

  writev(fd: number, address: number, count: number): number {
    const error = this.writeErrors.shift();
    if (error !== undefined) return -error;
    const bytes = this.#gather(this.#offset(address, count * 16), count);
    this.written.push({ fd, bytes });
    return bytes.length;
  }

  sendmmsg(fd: number, address: number, count: number): number {
    const error = this.sendErrors.shift();
    if (error !== undefined) return -error;
    for (let m = 0; m < count; m++) this.#send(fd, this.#offset(address + m * 64, 64));
    return count;
  }

  recvmmsg(fd: number, address: number, count: number): number {
    const queue = this.#toReceive.get(fd) ?? [];
    if (this.guarded) this.checkGuards();
    let m = 0;
    for (; m < count && queue.length > 0; m++) {
      this.#receive(this.#offset(address + m * 64, 64), queue.shift() as QueuedDatagram);
    }
    return m === 0 ? -EAGAIN : m;
  }

  waitWritable(): void {
    this.waits++;
  }

  /**
   * Looks whether somebody wrote before or behind a datagram that was received; headers are written over those it came
   * in, so there is no need to.
   *
   * @param far also look at the whole room that the kernel was given, not only near the datagram
   * @throws RangeError that says where
   */
  checkGuards(far = false): void {
    for (const [at, { room, length }] of this.#rooms) {
      const behind = far ? room - length : Math.min(BEHIND, room - length);
      if (!this.#isUntouched(at - BEFORE, BEFORE)) throw new RangeError(`written before a datagram at ${at}`);
      if (!this.#isUntouched(at + length, behind)) {
        throw new RangeError(`written behind a datagram of ${length} bytes at ${at}`);
      }
    }
  }

  #isUntouched(at: number, length: number): boolean {
    return Buffer.compare(this.#u8.subarray(at, at + length), this.#untouched.subarray(0, length)) === 0;
  }

  /** Puts canaries around the datagram of `length` bytes at `at`, over what was left of the one before it. */
  #guard(at: number, length: number, room: number): void {
    const before = this.#rooms.get(at);
    this.#u8.fill(CANARY, at - BEFORE, at);
    this.#u8.fill(CANARY, at + length, at + Math.max(length, before?.length ?? room));
    this.#rooms.set(at, { room, length });
  }

  #offset(address: number, length: number): number {
    const offset = address - BASE;
    if (offset < 0 || offset + length > this.#u8.length) throw new RangeError(`EFAULT: ${offset}+${length}`);
    return offset;
  }

  #pointer(at: number): number {
    return Number(this.#view.getBigUint64(at, true));
  }

  #gather(iovecs: number, count: number): Uint8Array {
    const parts = Array.from({ length: count }, (_, n) => {
      const length = this.#pointer(iovecs + n * 16 + 8);
      const from = this.#offset(this.#pointer(iovecs + n * 16), length);
      return this.#u8.subarray(from, from + length);
    });
    return Uint8Array.from(Buffer.concat(parts));
  }

  #send(fd: number, message: number): void {
    const name = this.#offset(this.#pointer(message), this.#view.getUint32(message + 8, true));
    const v4 = this.#view.getUint16(name, true) === 2;
    const to = addressFromBytes(this.#u8.slice(v4 ? name + 4 : name + 8, v4 ? name + 8 : name + 24));
    const bytes = this.#gather(this.#offset(this.#pointer(message + 16), 16), this.#pointer(message + 24));
    let size = bytes.length;
    let tos = 0;
    const controlLength = this.#pointer(message + 40);
    let control = controlLength > 0 ? this.#offset(this.#pointer(message + 32), controlLength) : 0;
    for (const end = control + controlLength; control < end; ) {
      const level = this.#view.getInt32(control + 8, true);
      if (level === 17) size = this.#view.getUint16(control + 16, true);
      else tos = this.#view.getInt32(control + 16, true);
      control += (this.#pointer(control) + 7) & ~7;
    }
    if (bytes.length / size > 64 || bytes.length > 65507) throw new RangeError('EINVAL: train too long');
    for (let at = 0; at < bytes.length; at += size) {
      const port = this.#view.getUint16(name + 2);
      this.sent.push({ fd, to, port, tos, bytes: bytes.slice(at, at + size), message: this.messages });
    }
    this.messages++;
  }

  #receive(message: number, { from, bytes, gro, tos }: QueuedDatagram): void {
    const name = this.#offset(this.#pointer(message), this.#view.getUint32(message + 8, true));
    const v4 = from.family === 4;
    this.#view.setUint16(name, v4 ? 2 : 10, true);
    this.#u8.set(addressToBytes(from), name + (v4 ? 4 : 8));
    const iovec = this.#offset(this.#pointer(message + 16), 16);
    const room = this.#pointer(iovec + 8);
    const at = this.#offset(this.#pointer(iovec), room);
    this.#u8.set(bytes.subarray(0, room), at);
    if (this.guarded) this.#guard(at, Math.min(bytes.length, room), room);
    const control = this.#offset(this.#pointer(message + 32), this.#pointer(message + 40));
    let used = 0;
    const put = (level: number, type: number, value: number, length: number): void => {
      this.#view.setBigUint64(control + used, BigInt(16 + length), true);
      this.#view.setInt32(control + used + 8, level, true);
      this.#view.setInt32(control + used + 12, type, true);
      if (length === 4) this.#view.setInt32(control + used + 16, value, true);
      else this.#view.setUint8(control + used + 16, value);
      used += 24;
    };
    if (tos !== undefined) put(v4 ? 0 : 41, v4 ? 1 : 67, tos, v4 ? 1 : 4);
    if (gro !== undefined) put(17, 104, gro, 4);
    this.#view.setBigUint64(message + 40, BigInt(used), true);
    this.#view.setUint32(message + 56, Math.min(bytes.length, room), true);
  }
}
