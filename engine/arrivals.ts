// What arrives from the underlay: receives many datagrams at once, knows their sender, takes the tunnel header off and
// fills batches with inner packets. The kernel may have joined datagrams of one flow (UDP_GRO); they are cut again here.
//
// "From the underlay only known tunnel end points are heard": a datagram whose outer source no route names is dropped
// before anything behind its address is read.

import * as ipip from '../encap/ipip.ts';
import * as vxlan from '../encap/vxlan.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { type Mac, macHigh, macLow } from '../wire/mac.ts';
import { appendPacket, type Batch, Gso, USUAL_PLACE } from './batch.ts';
import { type Counters, countArrived, countSeen, countVerdict } from './counting.ts';
import type { PacketIo } from './device/io.ts';
import { type PacketMemory, storePointer } from './memory.ts';
import type { Tables } from './tables/buffers.ts';
import { remoteAcceptsVni, remoteLookup } from './tables/remotes.ts';
import { Verdict } from './verdict.ts';

const MESSAGES = 16;
const LARGEST = 65536;
const SLOT = LARGEST + 64;
/** At 2 modulo 4, so that the inner IP header behind 22 bytes of VXLAN and Ethernet is aligned. */
const SLOT_START = 34;
const IOVEC = 16;
const MMSGHDR = 64;
const NAME = 32;
const CONTROL = 64;

const SOL_IP = 0;
const IP_TOS = 1;
const SOL_IPV6 = 41;
const IPV6_TCLASS = 67;
const SOL_UDP = 17;
const UDP_GRO = 104;
const AF_INET = 2;

/** One receiving socket of a worker. */
export type Receiver =
  | { readonly kind: 'vxlan'; readonly fd: number; readonly mac: Mac }
  | { readonly kind: 'ipip'; readonly fd: number };

export class Arrivals {
  readonly #memory: PacketMemory;
  readonly #io: PacketIo;
  readonly #counters: Counters;
  readonly #tables: Tables;
  readonly #clock: () => number;

  readonly #slots: number;
  readonly #messages: number;
  readonly #names: number;
  readonly #controls: number;

  // The datagram being unpacked.
  #received = 0;
  #message = 0;
  #at = 0;
  #end = 0;
  #size = 0;
  #remote = 0;
  #ecn = 0;
  #super = 0;
  // Of the socket being read: the inner destination that it answers to.
  #macHigh = 0;
  #macLow = 0;

  // Senders come in runs: the last answer of the lookup, and the address words it is for.
  #knownRemote = 0;
  #knownEpoch = -1;
  readonly #known = new Int32Array(4);

  /** @param clock milliseconds since the epoch, for "last seen" */
  constructor(memory: PacketMemory, io: PacketIo, tables: Tables, counters: Counters, clock: () => number) {
    this.#memory = memory;
    this.#io = io;
    this.#tables = tables;
    this.#counters = counters;
    this.#clock = clock;
    this.#slots = memory.reserve(MESSAGES * SLOT) + SLOT_START;
    this.#names = memory.reserve(MESSAGES * NAME);
    this.#controls = memory.reserve(MESSAGES * CONTROL);
    this.#messages = memory.reserve(MESSAGES * MMSGHDR);
    const iovecs = memory.reserve(MESSAGES * IOVEC);
    for (let m = 0; m < MESSAGES; m++) {
      const iovec = iovecs + m * IOVEC;
      const message = this.#messages + m * MMSGHDR;
      storePointer(memory, iovec, this.#slots + m * SLOT);
      memory.i32[(iovec >> 2) + 2] = LARGEST;
      storePointer(memory, message, this.#names + m * NAME);
      storePointer(memory, message + 16, iovec);
      memory.i32[(message >> 2) + 6] = 1;
      storePointer(memory, message + 32, this.#controls + m * CONTROL);
    }
  }

  /** Receives what is there. Afterwards call fill until it says that nothing is left. @returns messages, or minus errno */
  receive(fd: number): number {
    const { i32, base } = this.#memory;
    for (let m = 0; m < MESSAGES; m++) {
      const word = (this.#messages + m * MMSGHDR) >> 2;
      i32[word + 2] = NAME;
      i32[word + 10] = CONTROL;
    }
    const got = this.#io.recvmmsg(fd, base + this.#messages, MESSAGES);
    this.#received = Math.max(0, got);
    this.#message = 0;
    this.#at = 0;
    this.#end = 0;
    return got;
  }

  /** Unpacks inner packets into `batch`. @returns whether packets are left for another batch */
  fill(batch: Batch, receiver: Receiver): boolean {
    if (receiver.kind === 'vxlan') {
      this.#macHigh = macHigh(receiver.mac);
      this.#macLow = macLow(receiver.mac);
    }
    for (;;) {
      while (this.#at < this.#end) {
        if (batch.count === batch.capacity) return true;
        const length = Math.min(this.#size, this.#end - this.#at);
        if (receiver.kind === 'vxlan') this.#takeVxlan(batch, this.#at, length);
        else this.#takeIpip(batch, this.#at, length);
        this.#at += length;
      }
      if (this.#message === this.#received) return false;
      this.#open(this.#message++, receiver.kind === 'vxlan');
    }
  }

  /** Looks at who sent message `m` and how the kernel joined it. */
  #open(m: number, udp: boolean): void {
    const { i32 } = this.#memory;
    const length = i32[((this.#messages + m * MMSGHDR) >> 2) + 14];
    this.#at = this.#slots + m * SLOT;
    this.#size = length;
    this.#ecn = 0;
    this.#super = 0;
    if (udp) this.#readControls(m);
    this.#end = this.#at + length;
    this.#remote = this.#sender(this.#names + m * NAME);
    if (this.#remote === 0) {
      countVerdict(this.#counters, Verdict.unknownTunnel, Math.ceil(length / (this.#size || 1)) || 1);
      this.#at = this.#end;
      return;
    }
    countSeen(this.#counters, this.#remote, this.#clock());
    if (length === 0) this.#refuse(Verdict.truncated);
    if (udp && this.#size < length) this.#recogniseSuperPacket(length);
  }

  /**
   * Between virtual interfaces a VXLAN packet can travel with its inner UDP segmentation undone: one datagram, with the
   * inner segment size where otherwise the size of joined datagrams is told. The inner length gives it away.
   */
  #recogniseSuperPacket(length: number): void {
    const { view, u8 } = this.#memory;
    const ip = this.#at + vxlan.HEADER_LENGTH;
    if (length < vxlan.HEADER_LENGTH + ipv4.MIN_LENGTH) return;
    const inner = u8[ip] >> 4 === 4 ? ipv4.totalLength(view, ip) : ipv6.LENGTH + ipv6.payloadLength(view, ip);
    if (vxlan.HEADER_LENGTH + inner !== length) return;
    this.#super = this.#size;
    this.#size = length;
  }

  #readControls(m: number): void {
    const { i32, u8 } = this.#memory;
    const length = i32[((this.#messages + m * MMSGHDR) >> 2) + 10];
    const start = this.#controls + m * CONTROL;
    for (let at = start; at + 16 < start + length; ) {
      const word = at >> 2;
      const level = i32[word + 2];
      const type = i32[word + 3];
      if (level === SOL_UDP && type === UDP_GRO) this.#size = i32[word + 4] & 0xffff || this.#size;
      else if ((level === SOL_IP && type === IP_TOS) || (level === SOL_IPV6 && type === IPV6_TCLASS)) {
        this.#ecn = u8[at + 16] & 3;
      }
      at += (i32[word] + 7) & ~7;
    }
  }

  /** Remote id of the sender whose sockaddr lies at `name`, 0 for strangers. */
  #sender(name: number): number {
    const { view } = this.#memory;
    const v4 = view.getUint16(name, true) === AF_INET;
    const w0 = v4 ? 0 : view.getInt32(name + 8);
    const w1 = v4 ? 0 : view.getInt32(name + 12);
    const w2 = v4 ? 0xffff : view.getInt32(name + 16);
    const w3 = v4 ? view.getInt32(name + 4) : view.getInt32(name + 20);
    const known = this.#known;
    if (w3 !== known[3] || w2 !== known[2] || w1 !== known[1] || w0 !== known[0] || this.#knownEpoch < 0) {
      known[0] = w0;
      known[1] = w1;
      known[2] = w2;
      known[3] = w3;
      this.#knownEpoch = 0;
      this.#knownRemote = remoteLookup(this.#tables.remotes, w0 >>> 0, w1 >>> 0, w2 >>> 0, w3 >>> 0);
    }
    return this.#knownRemote;
  }

  /** Forgets the last sender: tables may have changed. Once a batch of events, before receive. */
  forget(): void {
    this.#knownEpoch = -1;
  }

  #takeVxlan(batch: Batch, at: number, length: number): void {
    const { view } = this.#memory;
    const fault = vxlan.inspect(view, at, length);
    if (fault !== vxlan.Fault.none) {
      this.#refuse(VXLAN_VERDICTS[fault]);
    } else if (!remoteAcceptsVni(this.#tables.remotes, this.#remote, vxlan.vni(view, at))) {
      this.#refuse(Verdict.vxlanVni);
    } else if (!vxlan.isFor(view, at, this.#macHigh, this.#macLow)) {
      this.#refuse(Verdict.innerMac);
    } else {
      this.#append(batch, at + vxlan.HEADER_LENGTH, length - vxlan.HEADER_LENGTH);
    }
  }

  #takeIpip(batch: Batch, at: number, length: number): void {
    const { view } = this.#memory;
    const inner = ipip.innerOffset(view, at, length);
    if (inner < 0) {
      this.#refuse(Verdict.truncated);
      return;
    }
    this.#ecn = ipip.outerTos(view, at) & 3;
    this.#append(batch, inner, at + length - inner);
  }

  #append(batch: Batch, offset: number, length: number): void {
    const i = appendPacket(batch, offset, length, this.#remote);
    batch.outerEcn[i] = this.#ecn;
    if (this.#super !== 0) {
      batch.gso[i] = Gso.udp;
      batch.segmentSize[i] = this.#super;
      batch.partial[i] = USUAL_PLACE;
    }
    countArrived(this.#counters, this.#remote, length);
  }

  #refuse(verdict: number): void {
    countVerdict(this.#counters, verdict, 1);
  }
}

const VXLAN_VERDICTS = [Verdict.pending, Verdict.truncated, Verdict.vxlanFlags, Verdict.innerEtherType];
