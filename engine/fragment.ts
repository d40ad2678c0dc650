// Fragmentation of the inner packet (RFC 791 section 2.3) for senders that did not forbid it, IPv4 only: in IPv6
// routers answer Packet Too Big instead. A super-packet is cut into its segments first, each segment into fragments.

import * as ipv4 from '../wire/ipv4.ts';
import { type Batch, Gso } from './batch.ts';
import type { DerivedPackets } from './derived.ts';
import type { PacketMemory } from './memory.ts';
import { Segmenter } from './offload/segment.ts';
import { checksumField, completeChecksum } from './offload/transport-checksum.ts';

const MORE_FRAGMENTS = 0x2000;
const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;
const COPIED = 0x80;
/** Headers of one segment, while its fragments are made. */
const SCRATCH = 256;

export class Fragmenter {
  readonly #memory: PacketMemory;
  readonly #segmenter: Segmenter;
  readonly #scratch: number;

  constructor(memory: PacketMemory) {
    this.#memory = memory;
    this.#segmenter = new Segmenter(memory);
    this.#scratch = memory.reserve(SCRATCH);
  }

  /** Segments that packet `i` is cut into before it is fragmented. */
  static pieces(batch: Batch, i: number): number {
    return batch.gso[i] === Gso.none ? 1 : batch.segments[i];
  }

  /** Most fragments that one piece of packet `i` becomes. */
  static fragmentsPerPiece(batch: Batch, i: number, mtu: number): number {
    const payload =
      (batch.gso[i] === Gso.none ? batch.length[i] : batch.segmentSize[i] + 120) - batch.headerLength[i];
    return Math.ceil(payload / fragmentPayload(batch.headerLength[i], mtu));
  }

  /** Appends the fragments of piece `n` of packet `i`, each at most `mtu` bytes long, to `out`. */
  append(batch: Batch, i: number, n: number, mtu: number, out: DerivedPackets): void {
    const ip = batch.offset[i];
    const ipHeader = batch.headerLength[i];
    if (batch.gso[i] === Gso.none) {
      if (batch.partial[i] !== 0) {
        completeChecksum(
          this.#memory,
          ip + ipHeader,
          batch.length[i] - ipHeader,
          checksumField(batch.protocol[i]),
        );
        batch.partial[i] = 0;
      }
      this.#cut(ip, ipHeader, ip + batch.length[i], ipHeader, ip + ipHeader, mtu, out);
      return;
    }
    this.#segmenter.start(batch, i);
    this.#segmenter.write(n, this.#scratch);
    const { headers } = this.#segmenter;
    const payload = ip + headers + n * batch.segmentSize[i];
    const end = payload + this.#segmenter.payload(n);
    this.#cut(this.#scratch, ipHeader, end, headers, payload, mtu, out);
  }

  /**
   * Cuts a packet that may lie in two places: `headers` bytes at `ip`, the rest from `rest` to `end`.
   * Fragment offsets continue those of a packet that is itself a fragment.
   */
  #cut(
    ip: number,
    ipHeader: number,
    end: number,
    headers: number,
    rest: number,
    mtu: number,
    out: DerivedPackets,
  ): void {
    const { view, u8 } = this.#memory;
    const transportHeader = headers - ipHeader;
    const total = transportHeader + (end - rest);
    const room = fragmentPayload(ipHeader, mtu);
    const before = ipv4.fragmentField(view, ip);
    for (let done = 0; done < total; done += room) {
      const length = Math.min(room, total - done);
      const at = out.append(ipHeader + length);
      u8.copyWithin(at, ip, ip + ipHeader);
      if (done > 0) dropUncopiedOptions(u8, at + ipv4.MIN_LENGTH, at + ipHeader);
      const inHeader = Math.max(0, Math.min(transportHeader - done, length));
      u8.copyWithin(at + ipHeader, ip + ipHeader + done, ip + ipHeader + done + inHeader);
      const from = rest + done + inHeader - transportHeader;
      u8.copyWithin(at + ipHeader + inHeader, from, from + length - inHeader);
      const more = done + length < total ? MORE_FRAGMENTS : before & MORE_FRAGMENTS;
      ipv4.setTotalLength(view, at, ipHeader + length);
      ipv4.setFragmentField(view, at, (before & ~MORE_FRAGMENTS) + (done >> 3) + more);
      ipv4.updateHeaderChecksum(view, at);
    }
  }
}

/** Options without the copied flag belong to the first fragment only (RFC 791 section 3.1): the others get No Operation. */
const dropUncopiedOptions = (u8: Uint8Array, start: number, end: number): void => {
  for (let at = start; at < end && u8[at] !== END_OF_OPTIONS; ) {
    const next = u8[at] === NO_OPERATION ? at + 1 : Math.min(end, at + Math.max(2, u8[at + 1]));
    if (u8[at] < COPIED) u8.fill(NO_OPERATION, at, next);
    at = next;
  }
};

/** A multiple of 8 in all fragments but the last. */
const fragmentPayload = (ipHeader: number, mtu: number): number => (mtu - ipHeader) & ~7;
