// The sending end of one tunnel kind over one underlay family. Datagrams to the same tunnel end point, of one size
// and one TOS, travel in one sendmsg as a UDP_SEGMENT train: that brings a datagram from 2.9 µs to below 0.15 µs.
// Payload stays where it was read; a train is a list of iovecs. Order within a flow is kept: a flow always takes the
// same socket and the same slot, and a socket's trains leave in the order in which they were closed.
//
//   slot (socket, adjacency, tos) ── open train ──▶ region: 128 iovecs + control messages ── close ──▶ socket's queue ── flush ──▶ sendmmsg

import { TEMPLATE_ROOM } from './adjacency-cache.ts';
import { LARGEST_HEADERS } from './batch.ts';
import type { Counters } from './counting.ts';
import { countEncapsulated, countVerdict } from './counting.ts';
import { Errno, type PacketIo } from './device/io.ts';
import { type PacketMemory, storePointer } from './memory.ts';
import { Verdict } from './verdict.ts';

/** Most datagrams one UDP_SEGMENT send takes (UDP_MAX_SEGMENTS before Linux 6.9). */
export const MAX_TRAIN = 64;
/** Most payload bytes one UDP_SEGMENT send takes: 65,535 less outer IPv4 and UDP headers. */
export const MAX_TRAIN_BYTES = 65507;

const REGIONS = 256;
const IOV_PER_REGION = 2 * MAX_TRAIN;
const IOVEC = 16;
const MMSGHDR = 64;
const CONTROL = 48; // UDP_SEGMENT (24) and TOS (24)
const SLOTS_PER_SOCKET = 8;
const HEADER_STRIDE = 2 + TEMPLATE_ROOM + LARGEST_HEADERS;
const HEADERS = 2048;
const SEND_PATIENCE_MS = 2;

const SOL_IP = 0;
const IP_TOS = 1;
const SOL_IPV6 = 41;
const IPV6_TCLASS = 67;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;

export interface UnderlaySenderOptions {
  /** Sending sockets; the flow hash picks one, a power of two of them. */
  readonly fds: readonly number[];
  /** Family of the outer header. */
  readonly family: 4 | 6;
  /** Whether the sockets take UDP_SEGMENT. */
  readonly segment: boolean;
}

export class UnderlaySender {
  readonly #memory: PacketMemory;
  readonly #io: PacketIo;
  readonly #counters: Counters;
  readonly #fds: readonly number[];
  readonly #slotMask: number;
  readonly #sockaddrLength: number;
  #segment: boolean;

  readonly #iovecs: number;
  readonly #controls: number;
  readonly #messages: number;
  readonly #headers: number;
  #headersUsed = 0;

  // One cell a region: an open or closed train.
  readonly #sockaddr = new Int32Array(REGIONS);
  readonly #remote = new Int32Array(REGIONS);
  readonly #tos = new Int32Array(REGIONS);
  readonly #datagramSize = new Int32Array(REGIONS);
  readonly #datagrams = new Int32Array(REGIONS);
  readonly #bytes = new Int32Array(REGIONS);
  readonly #innerBytes = new Int32Array(REGIONS);
  readonly #pieces = new Int32Array(REGIONS);
  readonly #next = new Int32Array(REGIONS);
  #regionsUsed = 0;

  // One cell a slot: the open train's region or -1, and what it is for.
  readonly #open: Int32Array;
  readonly #openAdjacency: Int32Array;

  // One cell a socket: its queue of closed trains.
  readonly #first: Int32Array;
  readonly #last: Int32Array;

  constructor(memory: PacketMemory, io: PacketIo, counters: Counters, options: UnderlaySenderOptions) {
    this.#memory = memory;
    this.#io = io;
    this.#counters = counters;
    this.#fds = options.fds;
    this.#segment = options.segment;
    this.#sockaddrLength = options.family === 4 ? 16 : 28;
    const slots = options.fds.length * SLOTS_PER_SOCKET;
    this.#slotMask = slots - 1;
    this.#open = new Int32Array(slots).fill(-1);
    this.#openAdjacency = new Int32Array(slots);
    this.#first = new Int32Array(options.fds.length).fill(-1);
    this.#last = new Int32Array(options.fds.length).fill(-1);
    this.#iovecs = memory.reserve(REGIONS * IOV_PER_REGION * IOVEC);
    this.#controls = memory.reserve(REGIONS * CONTROL);
    this.#messages = memory.reserve((REGIONS + 1) * MMSGHDR); // one more for sendSingly
    // +2 so that the IP header behind 22 bytes is aligned to 4.
    this.#headers = memory.reserve(HEADERS * HEADER_STRIDE) + 2;
    this.#prepareControls(options.family);
  }

  /** False once the kernel refused UDP_SEGMENT on this way; datagrams then leave one by one. */
  get segmenting(): boolean {
    return this.#segment;
  }

  /** Whether something is queued that a packet of the flow must not overtake. */
  holds(hash: number): boolean {
    if (this.#regionsUsed === 0) return false;
    const socket = hash & (this.#fds.length - 1);
    if (this.#first[socket] >= 0) return true;
    const slot = socket * SLOTS_PER_SOCKET;
    for (let n = slot; n < slot + SLOTS_PER_SOCKET; n++) if (this.#open[n] >= 0) return true;
    return false;
  }

  /** Makes room for a header and the datagram that it begins; sends what is queued when there is none. */
  reserveHeader(): void {
    if (this.#headersUsed === HEADERS || this.#regionsUsed === REGIONS) this.flush();
  }

  /** The next free header cell; valid until the next flush. Call reserveHeader before. */
  takeHeader(): number {
    return this.#headers + this.#headersUsed++ * HEADER_STRIDE;
  }

  /**
   * Starts a datagram of `length` bytes, the bytes follow as pieces.
   * @param sockaddr offset of the destination's socket address  @param remote whose counters it goes to
   * @param innerLength bytes of the inner packet, for counters
   * @returns the region that takes its pieces
   */
  datagram(
    adjacency: number,
    hash: number,
    tos: number,
    sockaddr: number,
    remote: number,
    length: number,
    innerLength: number,
  ): number {
    const socket = hash & (this.#fds.length - 1);
    const slot = (socket * SLOTS_PER_SOCKET + ((adjacency ^ tos) & (SLOTS_PER_SOCKET - 1))) & this.#slotMask;
    let region = this.#open[slot];
    if (region >= 0 && !this.#takes(region, slot, adjacency, tos, length)) {
      this.#close(slot, socket);
      region = -1;
    }
    if (region < 0) {
      if (this.#regionsUsed === REGIONS) this.flush();
      region = this.#regionsUsed++;
      this.#open[slot] = region;
      this.#openAdjacency[slot] = adjacency;
      this.#sockaddr[region] = sockaddr;
      this.#remote[region] = remote;
      this.#tos[region] = tos;
      this.#datagramSize[region] = length;
      this.#datagrams[region] = 0;
      this.#bytes[region] = 0;
      this.#innerBytes[region] = 0;
      this.#pieces[region] = 0;
    }
    this.#datagrams[region]++;
    this.#bytes[region] += length;
    this.#innerBytes[region] += innerLength;
    return region;
  }

  /**
   * Starts another datagram to where the last one went, as datagram would, without looking for its train again.
   * @param region what datagram returned last  @returns false when the train does not take it: call datagram
   */
  another(region: number, length: number, innerLength: number): boolean {
    // A flush in between has sent the train.
    if (region >= this.#regionsUsed || !this.#hasRoom(region, length)) return false;
    this.#datagrams[region]++;
    this.#bytes[region] += length;
    this.#innerBytes[region] += innerLength;
    return true;
  }

  /** Appends bytes to the datagram just started in `region`; at most two pieces a datagram. */
  piece(region: number, offset: number, length: number): void {
    const at = this.#iovecs + (region * IOV_PER_REGION + this.#pieces[region]++) * IOVEC;
    storePointer(this.#memory, at, offset);
    this.#memory.i32[(at >> 2) + 2] = length;
  }

  /** Sends everything that is queued. Afterwards all payload and header memory handed in is free again. */
  flush(): void {
    if (this.#regionsUsed === 0) return;
    for (let slot = 0; slot <= this.#slotMask; slot++) {
      if (this.#open[slot] >= 0) this.#close(slot, (slot / SLOTS_PER_SOCKET) | 0);
    }
    for (let socket = 0; socket < this.#fds.length; socket++) {
      if (this.#first[socket] >= 0) this.#flushSocket(socket);
    }
    this.#regionsUsed = 0;
    this.#headersUsed = 0;
  }

  #takes(region: number, slot: number, adjacency: number, tos: number, length: number): boolean {
    return (
      this.#openAdjacency[slot] === adjacency && this.#tos[region] === tos && this.#hasRoom(region, length)
    );
  }

  /** A shorter datagram may be the last of a train, a longer one never joins. */
  #hasRoom(region: number, length: number): boolean {
    const size = this.#datagramSize[region];
    const count = this.#datagrams[region];
    const bytes = this.#bytes[region];
    return (
      this.#segment &&
      length <= size &&
      count < MAX_TRAIN &&
      bytes === count * size && // nothing short so far
      bytes + length <= MAX_TRAIN_BYTES
    );
  }

  #close(slot: number, socket: number): void {
    const region = this.#open[slot];
    this.#open[slot] = -1;
    this.#next[region] = -1;
    if (this.#first[socket] < 0) this.#first[socket] = region;
    else this.#next[this.#last[socket]] = region;
    this.#last[socket] = region;
  }

  #flushSocket(socket: number): void {
    let count = 0;
    for (let region = this.#first[socket]; region >= 0; region = this.#next[region]) {
      this.#writeMessage(this.#messages + count++ * MMSGHDR, region);
    }
    const fd = this.#fds[socket];
    let region = this.#first[socket];
    let done = 0;
    let patient = true;
    while (done < count) {
      const sent = this.#io.sendmmsg(fd, this.#memory.base + this.#messages + done * MMSGHDR, count - done);
      if (sent > 0) {
        for (let k = 0; k < sent; k++) {
          this.#countSent(region);
          region = this.#next[region];
        }
        done += sent;
        continue;
      }
      if ((sent === -Errno.EAGAIN || sent === -Errno.ENOBUFS) && patient) {
        patient = false;
        this.#io.waitWritable(fd, SEND_PATIENCE_MS);
        continue;
      }
      if (sent === -Errno.EIO && this.#datagrams[region] > 1) {
        this.#segment = false; // the device cannot checksum what it would have to segment
        this.#sendSingly(fd, region);
      } else {
        countVerdict(this.#counters, this.#reason(sent), this.#datagrams[region]);
      }
      region = this.#next[region];
      done++;
    }
    this.#first[socket] = -1;
    this.#last[socket] = -1;
  }

  /** The fallback for a train that the kernel would not segment: its datagrams one by one. */
  #sendSingly(fd: number, region: number): void {
    const { i32 } = this.#memory;
    const message = this.#messages + REGIONS * MMSGHDR;
    const overhead = (this.#bytes[region] - this.#innerBytes[region]) / this.#datagrams[region];
    const pieces = this.#iovecs + region * IOV_PER_REGION * IOVEC;
    let piece = 0;
    for (let left = this.#bytes[region]; left > 0; ) {
      const length = Math.min(left, this.#datagramSize[region]);
      const first = piece;
      for (let have = 0; have < length; piece++) have += i32[((pieces + piece * IOVEC) >> 2) + 2];
      this.#writeMessage(message, region);
      storePointer(this.#memory, message + 16, pieces + first * IOVEC);
      i32[(message >> 2) + 6] = piece - first;
      this.#writeControlLength(message, region, 1);
      const sent = this.#io.sendmmsg(fd, this.#memory.base + message, 1);
      if (sent === 1) countEncapsulated(this.#counters, this.#remote[region], 1, length - overhead);
      else countVerdict(this.#counters, this.#reason(sent), 1);
      left -= length;
    }
  }

  #writeMessage(at: number, region: number): void {
    const { i32 } = this.#memory;
    const word = at >> 2;
    storePointer(this.#memory, at, this.#sockaddr[region]);
    i32[word + 2] = this.#sockaddrLength;
    storePointer(this.#memory, at + 16, this.#iovecs + region * IOV_PER_REGION * IOVEC);
    i32[word + 6] = this.#pieces[region];
    this.#writeControlLength(at, region, this.#datagrams[region]);
  }

  /** UDP_SEGMENT first, TOS behind it: either, both or none are sent by choosing start and length. */
  #writeControlLength(message: number, region: number, datagrams: number): void {
    const { i32, u16 } = this.#memory;
    const control = this.#controls + region * CONTROL;
    const train = datagrams > 1;
    const tos = this.#tos[region] !== 0;
    if (train) u16[(control + 16) >> 1] = this.#datagramSize[region];
    if (tos) i32[(control + 40) >> 2] = this.#tos[region];
    storePointer(this.#memory, message + 32, train ? control : control + 24);
    i32[(message >> 2) + 10] = (train ? 24 : 0) + (tos ? 24 : 0);
  }

  #prepareControls(family: 4 | 6): void {
    const { i32 } = this.#memory;
    for (let region = 0; region < REGIONS; region++) {
      const word = (this.#controls + region * CONTROL) >> 2;
      i32.set([18, 0, SOL_UDP, UDP_SEGMENT], word);
      i32.set(family === 4 ? [20, 0, SOL_IP, IP_TOS] : [20, 0, SOL_IPV6, IPV6_TCLASS], word + 6);
    }
  }

  #countSent(region: number): void {
    countEncapsulated(
      this.#counters,
      this.#remote[region],
      this.#datagrams[region],
      this.#innerBytes[region],
    );
  }

  #reason(result: number): number {
    if (result === -Errno.EAGAIN || result === -Errno.ENOBUFS) return Verdict.underlayFull;
    if (result === -Errno.EMSGSIZE || result === -Errno.EINVAL) return Verdict.underlayMtu;
    return Verdict.underlayError;
  }
}
