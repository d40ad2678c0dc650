// From a forwarded packet to datagrams of one tunnel kind: the prebuilt encapsulation header goes in front of the
// inner packet; a packet that still needs segmentation is cut on the way, its payload read in place by the kernel.
//
//   plain packet:   [template│inner packet]                     one piece, the template written into headroom
//   super-packet:   [template│headers 1][payload 1] [template│headers 2][payload 2] …   headers in cells of the sender

import { type AdjacencyCache, templateOf } from './adjacency-cache.ts';
import { type Batch, Gso } from './batch.ts';
import type { PacketMemory } from './memory.ts';
import { headersLength, segmentPayload, writeSegmentHeaders } from './offload/segment.ts';
import { checksumField, completeChecksum } from './offload/transport-checksum.ts';
import { TEMPLATE_ROOM, type UnderlaySender } from './underlay-sender.ts';

export class TunnelSender {
  readonly #memory: PacketMemory;
  readonly #cache: AdjacencyCache;
  readonly #sender: UnderlaySender;
  readonly #templateLength: number;

  /** @param templateLength bytes that Weft itself writes before the inner packet: 22 for VXLAN, 0 for IPIP */
  constructor(memory: PacketMemory, cache: AdjacencyCache, sender: UnderlaySender, templateLength: number) {
    this.#memory = memory;
    this.#cache = cache;
    this.#sender = sender;
    this.#templateLength = templateLength;
  }

  /** Queues packet `i`, DSCP and ECN copied to the outer header (RFC 6040 section 4.1, RFC 2983 uniform model). */
  send(batch: Batch, i: number): void {
    if (batch.gso[i] === Gso.none) this.#sendPlain(batch, i);
    else this.#sendSegments(batch, i);
  }

  /** Sends what is queued; the packets' memory is free again. */
  flush(): void {
    this.#sender.flush();
  }

  #sendPlain(batch: Batch, i: number): void {
    const ip = batch.offset[i];
    const length = batch.length[i];
    if (batch.partial[i] !== 0) {
      const headerLength = batch.headerLength[i];
      const field = checksumField(batch.protocol[i]);
      completeChecksum(this.#memory, ip + headerLength, length - headerLength, field);
    }
    const start = ip - this.#templateLength;
    this.#copyTemplate(this.#cache.entry(batch.adjacency[i]), batch.family[i], start);
    const region = this.#datagram(batch, i, length);
    this.#sender.piece(region, start, this.#templateLength + length);
  }

  #sendSegments(batch: Batch, i: number): void {
    const headers = headersLength(batch, i, this.#memory);
    const entry = this.#cache.entry(batch.adjacency[i]);
    const first = batch.offset[i] + headers;
    const { family, segments, segmentSize } = batch;
    for (let n = 0; n < segments[i]; n++) {
      this.#sender.reserveHeader();
      const payload = segmentPayload(batch, i, n, headers);
      const ip = this.#sender.takeHeader() + TEMPLATE_ROOM;
      const start = ip - this.#templateLength;
      writeSegmentHeaders(this.#memory, batch, i, n, headers, ip);
      this.#copyTemplate(entry, family[i], start);
      const region = this.#datagram(batch, i, headers + payload);
      this.#sender.piece(region, start, this.#templateLength + headers);
      this.#sender.piece(region, first + n * segmentSize[i], payload);
    }
  }

  #datagram(batch: Batch, i: number, innerLength: number): number {
    const adjacency = batch.adjacency[i];
    return this.#sender.datagram(
      adjacency,
      batch.hash[i],
      batch.tos[i],
      this.#cache.entry(adjacency),
      this.#cache.remote(adjacency),
      this.#templateLength + innerLength,
      innerLength,
    );
  }

  /** 22 bytes; both sides at 2 modulo 4 when the IP header behind is aligned. */
  #copyTemplate(entry: number, family: number, to: number): void {
    if (this.#templateLength === 0) return;
    const { view } = this.#memory;
    const from = templateOf(entry, family);
    view.setInt16(to, view.getInt16(from, true), true);
    for (let k = 2; k < TEMPLATE_ROOM; k += 4) view.setInt32(to + k, view.getInt32(from + k, true), true);
  }
}
