// The way into a port: packets are written to its TUN queue, and packets of one flow that follow each other are
// joined into one write, which the pod's kernel takes as if its own GRO had joined them. A TUN write costs 2.4 µs
// whatever it carries. A train is a list of iovecs: payload stays where it was received.
//
// Joined is what the kernel's GRO would join (net/ipv4/tcp_offload.c, udp_offload.c): same addresses, ports, TOS, TTL,
// flow label, acknowledgement, window, flags and options; in sequence; of one size but the last. Both checksums must
// be right, since the pod's kernel does not look again: a head is verified when a second packet wants to join it.

import { foldChecksum } from '../wire/checksum.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import * as vnet from '../wire/vnet.ts';
import { type Batch, Gso } from './batch.ts';
import { type Counters, countDelivered, countPortDrop } from './counting.ts';
import { Errno, type PacketIo } from './device/io.ts';
import { type PacketMemory, storePointer } from './memory.ts';
import { checksumField, pseudoSum, verifyTransport } from './offload/transport-checksum.ts';
import { Verdict } from './verdict.ts';

/** Slots are searched by sets: flows whose hashes share a set are joined side by side, up to WAYS of them. */
const SETS = 16;
const WAYS = 4;
const SLOTS = SETS * WAYS;
const MAX_JOINED = 64;
const IOVEC = 16;
const IOV_PER_SLOT = MAX_JOINED;
const MAX_IP = 65535;
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;

export interface PortWriterOptions {
  /** Join TCP segments. */
  readonly joinTcp: boolean;
  /** Join UDP datagrams (the TUN takes UDP_L4 super-packets: Linux 6.2). */
  readonly joinUdp: boolean;
}

export class PortWriter {
  readonly #memory: PacketMemory;
  readonly #io: PacketIo;
  readonly #counters: Counters;
  readonly #joinTcp: boolean;
  readonly #joinUdp: boolean;
  readonly #iovecs: number;

  // One cell a slot: the train that the flows of that hash have open. `#joined` 0: free. No two have one hash, so that
  // the packets of a flow meet in one slot and stay in order.
  readonly #joined = new Int32Array(SLOTS);
  readonly #hash = new Int32Array(SLOTS);
  readonly #port = new Int32Array(SLOTS);
  readonly #fd = new Int32Array(SLOTS);
  readonly #head = new Int32Array(SLOTS);
  readonly #headLength = new Int32Array(SLOTS);
  readonly #family = new Int32Array(SLOTS);
  readonly #protocol = new Int32Array(SLOTS);
  readonly #ipHeader = new Int32Array(SLOTS);
  readonly #headers = new Int32Array(SLOTS);
  readonly #segmentSize = new Int32Array(SLOTS);
  readonly #length = new Int32Array(SLOTS);
  readonly #sequence = new Int32Array(SLOTS);
  readonly #trusted = new Int32Array(SLOTS);
  readonly #partial = new Int32Array(SLOTS);
  readonly #ended = new Int32Array(SLOTS);
  #open = 0;

  constructor(memory: PacketMemory, io: PacketIo, counters: Counters, options: PortWriterOptions) {
    this.#memory = memory;
    this.#io = io;
    this.#counters = counters;
    this.#joinTcp = options.joinTcp;
    this.#joinUdp = options.joinUdp;
    this.#iovecs = memory.reserve((SLOTS * IOV_PER_SLOT + 1) * IOVEC);
  }

  /** Writes packet `i` to `port`, now or joined with its followers at the latest at the next flush. */
  deliver(batch: Batch, i: number, port: number, fd: number): void {
    const slot = this.#slotOf(batch.hash[i]);
    if (this.#joined[slot] > 0) {
      if (this.#hash[slot] === batch.hash[i] && this.#join(slot, batch, i, port)) return;
      this.#flushSlot(slot);
    }
    this.#start(slot, batch, i, port, fd);
  }

  /** Writes what is still open. Afterwards all packet memory handed in is free again. */
  flush(): void {
    for (let slot = 0; this.#open > 0; slot++) {
      if (this.#joined[slot] > 0) this.#flushSlot(slot);
    }
  }

  /** The slot that has a train of that hash open; else a free one of its set; else one that has to make room. */
  #slotOf(hash: number): number {
    const first = (hash & (SETS - 1)) * WAYS;
    let slot = first + ((hash >>> 16) & (WAYS - 1));
    for (let way = first; way < first + WAYS; way++) {
      if (this.#joined[way] === 0) slot = way;
      else if (this.#hash[way] === hash) return way;
    }
    return slot;
  }

  #start(slot: number, batch: Batch, i: number, port: number, fd: number): void {
    const ip = batch.offset[i];
    const length = batch.length[i];
    const protocol = batch.protocol[i];
    const ipHeader = batch.headerLength[i];
    const payload = this.#joinablePayload(batch, i);
    if (payload === 0) {
      this.#writeAlone(batch, i, port, fd);
      return;
    }
    this.#hash[slot] = batch.hash[i];
    this.#port[slot] = port;
    this.#fd[slot] = fd;
    this.#head[slot] = ip;
    this.#headLength[slot] = length;
    this.#family[slot] = batch.family[i];
    this.#protocol[slot] = protocol;
    this.#ipHeader[slot] = ipHeader;
    this.#headers[slot] = length - payload;
    this.#segmentSize[slot] = payload;
    this.#length[slot] = length;
    this.#partial[slot] = batch.partial[i];
    this.#trusted[slot] = batch.partial[i];
    this.#ended[slot] = 0;
    if (protocol === PROTOCOL_TCP) {
      const at = ip + ipHeader;
      this.#sequence[slot] = (tcp.sequence(this.#memory.view, at) + payload) | 0;
      this.#ended[slot] = tcp.flags(this.#memory.view, at) & tcp.Flag.psh;
    }
    this.#joined[slot] = 1;
    this.#open++;
    this.#piece(slot, 0, ip - vnet.LENGTH, vnet.LENGTH + length);
    if (this.#ended[slot] !== 0) this.#flushSlot(slot);
  }

  /** Payload bytes of a packet that may head a train, 0 when it has to go alone. */
  #joinablePayload(batch: Batch, i: number): number {
    if (batch.gso[i] !== Gso.none || batch.fragment[i] !== 0) return 0;
    if (batch.headerLength[i] !== (batch.family[i] === 4 ? ipv4.MIN_LENGTH : ipv6.LENGTH)) return 0;
    const { view } = this.#memory;
    const at = batch.offset[i] + batch.headerLength[i];
    const transport = batch.length[i] - batch.headerLength[i];
    if (batch.protocol[i] === PROTOCOL_TCP && this.#joinTcp && transport > tcp.MIN_LENGTH) {
      if ((tcp.flags(view, at) & ~tcp.Flag.psh) !== tcp.Flag.ack) return 0;
      return Math.max(0, transport - tcp.headerLength(view, at));
    }
    if (batch.protocol[i] === PROTOCOL_UDP && this.#joinUdp && transport > udp.LENGTH) {
      if (udp.length(view, at) !== transport || udp.checksum(view, at) === 0) return 0;
      return transport - udp.LENGTH;
    }
    return 0;
  }

  #join(slot: number, batch: Batch, i: number, port: number): boolean {
    const ip = batch.offset[i];
    const headers = this.#headers[slot];
    const payload = batch.length[i] - headers;
    if (
      this.#ended[slot] !== 0 ||
      this.#joined[slot] === MAX_JOINED ||
      this.#port[slot] !== port ||
      payload <= 0 ||
      payload > this.#segmentSize[slot] ||
      this.#length[slot] + payload > MAX_IP ||
      batch.protocol[i] !== this.#protocol[slot] ||
      batch.family[i] !== this.#family[slot] ||
      batch.headerLength[i] !== this.#ipHeader[slot] ||
      batch.gso[i] !== Gso.none ||
      batch.fragment[i] !== 0 ||
      !this.#sameFlow(slot, ip, batch.length[i])
    ) {
      return false;
    }
    if (this.#trusted[slot] === 0) {
      if (!this.#verified(slot, this.#head[slot], this.#headLength[slot])) return false;
      this.#trusted[slot] = 1;
    }
    if (batch.partial[i] === 0 && !this.#verified(slot, ip, batch.length[i])) return false;
    this.#piece(slot, this.#joined[slot]++, ip + headers, payload);
    this.#length[slot] += payload;
    if (payload < this.#segmentSize[slot]) this.#ended[slot] = 1;
    if (this.#protocol[slot] === PROTOCOL_TCP) this.#continueTcp(slot, ip, payload);
    return true;
  }

  #continueTcp(slot: number, ip: number, payload: number): void {
    const { view } = this.#memory;
    this.#sequence[slot] = (this.#sequence[slot] + payload) | 0;
    const ending = tcp.flags(view, ip + this.#ipHeader[slot]) & (tcp.Flag.psh | tcp.Flag.fin);
    if (ending === 0) return;
    const head = this.#head[slot] + this.#ipHeader[slot];
    tcp.setFlags(view, head, tcp.flags(view, head) | ending);
    this.#ended[slot] = 1;
  }

  /** Headers equal but for what segmentation itself changes. */
  #sameFlow(slot: number, ip: number, length: number): boolean {
    const { view } = this.#memory;
    const head = this.#head[slot];
    const ipHeader = this.#ipHeader[slot];
    const sameIp =
      this.#family[slot] === 4 ? ipv4.sameButLength(view, head, ip) : ipv6.sameButLength(view, head, ip);
    if (!sameIp) return false;
    const a = head + ipHeader;
    const b = ip + ipHeader;
    if (this.#protocol[slot] === PROTOCOL_UDP) {
      // A datagram shorter than its packet has options behind it (RFC 9868), which joining would turn into payload.
      const whole = udp.length(view, b) === length - ipHeader;
      return whole && view.getInt32(a, true) === view.getInt32(b, true) && udp.checksum(view, b) !== 0;
    }
    return (
      (tcp.sequence(view, b) | 0) === this.#sequence[slot] &&
      tcp.sameButSequence(view, a, b, this.#headers[slot] - ipHeader)
    );
  }

  #verified(slot: number, ip: number, length: number): boolean {
    return verifyTransport(
      this.#memory,
      this.#family[slot],
      ip,
      this.#ipHeader[slot],
      length,
      this.#protocol[slot],
    );
  }

  #piece(slot: number, n: number, offset: number, length: number): void {
    const at = this.#iovecs + (slot * IOV_PER_SLOT + n) * IOVEC;
    storePointer(this.#memory, at, offset);
    this.#memory.i32[(at >> 2) + 2] = length;
  }

  #flushSlot(slot: number): void {
    const joined = this.#joined[slot];
    const at = this.#head[slot] - vnet.LENGTH;
    const transport = this.#ipHeader[slot];
    const field = checksumField(this.#protocol[slot]);
    const { view } = this.#memory;
    if (joined > 1) {
      this.#finishHeaders(slot);
      const gso = vnetGso(this.#protocol[slot], this.#family[slot]);
      vnet.write(
        view,
        at,
        vnet.Flag.needsChecksum,
        gso,
        this.#headers[slot],
        this.#segmentSize[slot],
        transport,
        field,
      );
    } else if (this.#partial[slot] !== 0) {
      vnet.write(view, at, vnet.Flag.needsChecksum, vnet.Gso.none, 0, 0, transport, field);
    } else {
      // A verified checksum need not be verified again in the pod; one not looked at must be.
      vnet.write(view, at, this.#trusted[slot] !== 0 ? vnet.Flag.dataValid : 0, vnet.Gso.none, 0, 0, 0, 0);
    }
    this.#joined[slot] = 0;
    this.#open--;
    this.#write(this.#port[slot], this.#fd[slot], slot * IOV_PER_SLOT, joined, joined, this.#length[slot]);
  }

  /** Lengths and partial checksum of the joined packet; the pod's kernel takes it as segmentation offload. */
  #finishHeaders(slot: number): void {
    const { view } = this.#memory;
    const ip = this.#head[slot];
    const length = this.#length[slot];
    const transport = length - this.#ipHeader[slot];
    const at = ip + this.#ipHeader[slot];
    if (this.#family[slot] === 4) {
      ipv4.setTotalLength(view, ip, length);
      ipv4.updateHeaderChecksum(view, ip);
    } else {
      ipv6.setPayloadLength(view, ip, transport);
    }
    if (this.#protocol[slot] === PROTOCOL_UDP) udp.setLength(view, at, transport);
    const pseudo = pseudoSum(this.#memory, this.#family[slot], ip, this.#protocol[slot], transport);
    view.setUint16(at + checksumField(this.#protocol[slot]), foldChecksum(pseudo), true);
  }

  #writeAlone(batch: Batch, i: number, port: number, fd: number): void {
    const at = batch.offset[i] - vnet.LENGTH;
    const { view } = this.#memory;
    const protocol = batch.protocol[i];
    const transport = batch.headerLength[i];
    if (batch.gso[i] !== Gso.none) {
      const inner = batch.offset[i] + transport;
      const headers = transport + (protocol === PROTOCOL_TCP ? tcp.headerLength(view, inner) : udp.LENGTH);
      const gso = vnetGso(protocol, batch.family[i]);
      const field = checksumField(protocol);
      vnet.write(view, at, vnet.Flag.needsChecksum, gso, headers, batch.segmentSize[i], transport, field);
    } else if (batch.partial[i] !== 0) {
      vnet.write(view, at, vnet.Flag.needsChecksum, vnet.Gso.none, 0, 0, transport, checksumField(protocol));
    } else {
      vnet.write(view, at, 0, vnet.Gso.none, 0, 0, 0, 0);
    }
    const iov = SLOTS * IOV_PER_SLOT;
    storePointer(this.#memory, this.#iovecs + iov * IOVEC, at);
    this.#memory.i32[((this.#iovecs + iov * IOVEC) >> 2) + 2] = vnet.LENGTH + batch.length[i];
    this.#write(port, fd, iov, 1, batch.segments[i], batch.length[i]);
  }

  #write(port: number, fd: number, iov: number, pieces: number, packets: number, bytes: number): void {
    const written = this.#io.writev(fd, this.#memory.base + this.#iovecs + iov * IOVEC, pieces);
    if (written >= 0) {
      countDelivered(this.#counters, port, packets, bytes);
      return;
    }
    const gone = written === -Errno.EBADFD || written === -Errno.EBADF;
    countPortDrop(this.#counters, gone ? Verdict.portGone : Verdict.portWrite, port, packets);
  }
}

const vnetGso = (protocol: number, family: number): number =>
  protocol === PROTOCOL_UDP ? vnet.Gso.udpL4 : family === 4 ? vnet.Gso.tcpv4 : vnet.Gso.tcpv6;
