/**
 * The kernel's place in the micro benchmarks: takes whatever is handed over at no cost and says that it arrived, and hands
 * out prepared datagrams by setting lengths, their bytes being there from the first time. What is measured is the engine.
 */
import { Errno, type PacketIo, type PacketReads } from '../../engine/device/io.ts';
import type { PacketMemory } from '../../engine/memory.ts';
import { type Address, addressToBytes } from '../../wire/address.ts';

/** A kernel address as a process sees it; its lower 32 bits are 0, so that those of a pointer are an offset. */
const BASE = 0x5000_0000_0000;
const MMSGHDR = 64;
const AF_INET = 2;
const SOL_UDP = 17;
const UDP_GRO = 104;

/** What arrives in one message: datagrams of `size` bytes each, which the kernel has joined if they are several. */
export interface Arriving {
  readonly bytes: Uint8Array;
  readonly size: number;
}

/** Made once: a stage must not be charged for an empty array a batch. */
const NOTHING: readonly Arriving[] = [];

export class SinkIo implements PacketIo {
  /** Of the run under way: what was written and sent, and where what was written first begins. */
  writes = 0;
  messages = 0;
  readonly heads = new Int32Array(256);

  readonly #from: Address;
  #memory: PacketMemory | undefined;
  #arriving: readonly Arriving[] = [];
  #arrived = 0;
  readonly #laidOut = new Set<number>();

  /** @param from who sends what arrives */
  constructor(from: Address) {
    this.#from = from;
  }

  readonly addressOf = (): number => BASE;

  /** The memory that addresses point into. */
  attach(memory: PacketMemory): void {
    this.#memory = memory;
  }

  /** Begins a run; `arriving` is there to be received, in that order. Every run must be given the same. */
  begin(arriving: readonly Arriving[] = NOTHING): void {
    this.writes = 0;
    this.messages = 0;
    this.#arriving = arriving;
    this.#arrived = 0;
  }

  read(): number {
    return -Errno.EAGAIN;
  }

  reads(addresses: readonly number[]): PacketReads {
    return { results: new Int32Array(addresses.length), read: () => -Errno.EAGAIN };
  }

  writev(_fd: number, address: number, count: number): number {
    this.heads[this.writes++] = (this.#memory as PacketMemory).i32[(address - BASE) >> 2];
    return count;
  }

  sendmmsg(_fd: number, _address: number, count: number): number {
    this.messages += count;
    return count;
  }

  recvmmsg(_fd: number, address: number, count: number): number {
    const { i32 } = this.#memory as PacketMemory;
    const got = Math.min(count, this.#arriving.length - this.#arrived);
    for (let m = 0; m < got; m++) {
      const arriving = this.#arriving[this.#arrived++];
      const message = address - BASE + m * MMSGHDR;
      if (!this.#laidOut.has(message)) this.#layOut(message, arriving);
      i32[(message >> 2) + 14] = arriving.bytes.length;
      i32[(message >> 2) + 10] = arriving.bytes.length > arriving.size ? 24 : 0;
    }
    return got === 0 ? -Errno.EAGAIN : got;
  }

  waitWritable(): void {}

  /** Sender, bytes and control message of what arrives at one message, which is the same in every run. */
  #layOut(message: number, { bytes, size }: Arriving): void {
    const { i32, u8, view } = this.#memory as PacketMemory;
    const name = i32[message >> 2];
    const iovec = i32[(message >> 2) + 4];
    const control = i32[(message >> 2) + 8];
    view.setUint16(name, AF_INET, true);
    u8.set(addressToBytes(this.#from), name + 4);
    u8.set(bytes, i32[iovec >> 2]);
    i32.set([20, 0, SOL_UDP, UDP_GRO, size], control >> 2);
    this.#laidOut.add(message);
  }
}
