// From a forwarded packet to datagrams of one tunnel kind: the prebuilt encapsulation header goes in front of the
// inner packet; a packet that still needs segmentation is cut on the way, its payload read in place by the kernel.
//
//   plain packet:   [template│inner packet]                     one piece, the template written into headroom
//   super-packet:   [template│headers 1][payload 1] [template│headers 2][payload 2] …   headers in cells of the sender
//                   or whole, where there is an uplink (uplink-sender.ts)

import { type AdjacencyCache, copyTemplate, TEMPLATE_ROOM, templateOf } from './adjacency-cache.ts';
import { type Batch, Gso } from './batch.ts';
import type { PacketMemory } from './memory.ts';
import { Segmenter } from './offload/segment.ts';
import { checksumField, completeChecksum } from './offload/transport-checksum.ts';
import type { UnderlaySender } from './underlay-sender.ts';
import type { UplinkSender } from './uplink-sender.ts';

export class TunnelSender {
  readonly #memory: PacketMemory;
  readonly #cache: AdjacencyCache;
  readonly #sender: UnderlaySender;
  readonly #segmenter: Segmenter;
  readonly #templateLength: number;
  readonly #uplink: UplinkSender | undefined;

  /** @param templateLength bytes that Weft itself writes before the inner packet: 22 for VXLAN, 0 for IPIP */
  constructor(
    memory: PacketMemory,
    cache: AdjacencyCache,
    sender: UnderlaySender,
    templateLength: number,
    uplink?: UplinkSender,
  ) {
    this.#memory = memory;
    this.#cache = cache;
    this.#sender = sender;
    this.#segmenter = new Segmenter(memory);
    this.#templateLength = templateLength;
    this.#uplink = uplink;
  }

  /** Queues packet `i`, DSCP and ECN copied to the outer header (RFC 6040 section 4.1, RFC 2983 uniform model). */
  send(batch: Batch, i: number): void {
    if (batch.gso[i] === Gso.none) this.#sendPlain(batch, i);
    else if (!this.#sendWhole(batch, i)) this.#sendSegments(batch, i);
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
    this.#copyTemplate(templateOf(this.#cache.entry(batch.adjacency[i]), batch.family[i]), start);
    const region = this.#datagram(batch, i, length);
    this.#sender.piece(region, start, this.#templateLength + length);
  }

  #sendWhole(batch: Batch, i: number): boolean {
    const uplink = this.#uplink;
    if (uplink === undefined || !uplink.takes(batch, i)) return false;
    if (this.#sender.holds(batch.hash[i])) this.#sender.flush();
    return uplink.send(batch, i);
  }

  #sendSegments(batch: Batch, i: number): void {
    const segmenter = this.#segmenter;
    segmenter.start(batch, i);
    const { headers } = segmenter;
    const template = templateOf(this.#cache.entry(batch.adjacency[i]), batch.family[i]);
    const segmentSize = batch.segmentSize[i];
    const segments = batch.segments[i];
    const front = this.#templateLength + headers;
    let data = batch.offset[i] + headers;
    let region = -1;
    for (let n = 0; n < segments; n++) {
      this.#sender.reserveHeader();
      const ip = this.#sender.takeHeader() + TEMPLATE_ROOM;
      const start = ip - this.#templateLength;
      segmenter.write(n, ip);
      this.#copyTemplate(template, start);
      const payload = segmenter.payload(n);
      if (region < 0 || !this.#sender.another(region, front + payload, headers + payload)) {
        region = this.#datagram(batch, i, headers + payload);
      }
      this.#sender.piece(region, start, front);
      this.#sender.piece(region, data, payload);
      data += segmentSize;
    }
  }

  #copyTemplate(from: number, to: number): void {
    if (this.#templateLength !== 0) copyTemplate(this.#memory, from, to);
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
}
