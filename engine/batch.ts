// A batch: the packets that travel through the stages together, as a struct of arrays (STYLE.md: a view object
// a packet costs 3 ns more, a plain object 10). Holds where packets lie, never their bytes.

/** Ingress of a whole batch: a port (TUN queue) or the underlay. */
export const Ingress = { port: 0, underlay: 1, self: 2 } as const;
export type Ingress = (typeof Ingress)[keyof typeof Ingress];

/** In `partial`: the checksum is in the place that its protocol says. */
export const USUAL_PLACE = -1;

/** Segmentation that a packet still needs: virtio's GSO types, less UFO (virtio 1.2 section 5.1.6). */
export const Gso = { none: 0, tcp: 1, udp: 2 } as const;

/** Most bytes of IP and transport headers in a packet that still needs segmentation: each segment has a copy of them. */
export const LARGEST_HEADERS = 168;

export interface Batch {
  readonly capacity: number;
  count: number;
  ingress: Ingress;

  /** First byte of the IP header, in packet memory. */
  readonly offset: Int32Array;
  /** Bytes of the IP packet. */
  readonly length: Int32Array;
  /** Port id it came from (Ingress.port) or remote id (Ingress.underlay). */
  readonly source: Int32Array;

  /** Gso.*; with `segmentSize` payload bytes a segment (0: not known, the way ahead decides). */
  readonly gso: Int32Array;
  readonly segmentSize: Int32Array;
  /** Packets on the wire that this entry stands for, at least 1. */
  readonly segments: Int32Array;
  /** 1 when the transport checksum holds only the pseudo-header's sum (CHECKSUM_PARTIAL), 0 when it is final. */
  readonly partial: Int32Array;

  /** 4 or 6, set by parse. */
  readonly family: Int32Array;
  /** Upper-layer protocol number, or -1 in a fragment that is not the first. */
  readonly protocol: Int32Array;
  /** Bytes from the IP header to the upper-layer header. */
  readonly headerLength: Int32Array;
  /** 1 for any fragment. */
  readonly fragment: Int32Array;
  /** TOS or traffic class, 8 bits. */
  readonly tos: Int32Array;
  /** ECN field of the outer header it came in, 0 (Not-ECT) when it came in none. */
  readonly outerEcn: Int32Array;
  /** Flow hash, 32 bits. */
  readonly hash: Int32Array;

  /**
   * 1 when the packet before it, in this batch, had the same source, addresses, protocol and ports, set by parse: what
   * was decided by these holds for this one too. A stage may copy it where that packet's verdict is still pending.
   */
  readonly repeats: Int32Array;

  /** Adjacency chosen by route, 0 before. */
  readonly adjacency: Int32Array;
  readonly verdict: Int32Array;
}

export const createBatch = (capacity: number): Batch => {
  const column = (): Int32Array => new Int32Array(capacity);
  return {
    capacity,
    count: 0,
    ingress: Ingress.port,
    offset: column(),
    length: column(),
    source: column(),
    gso: column(),
    segmentSize: column(),
    segments: column(),
    partial: column(),
    family: column(),
    protocol: column(),
    headerLength: column(),
    fragment: column(),
    tos: column(),
    outerEcn: column(),
    hash: column(),
    repeats: column(),
    adjacency: column(),
    verdict: column(),
  };
};

export const resetBatch = (batch: Batch, ingress: Ingress): void => {
  batch.count = 0;
  batch.ingress = ingress;
};

/** Copies what the batch knows of a packet, not its bytes, to a place of another batch. */
export const copyPacket = (from: Batch, i: number, to: Batch, n: number): void => {
  to.offset[n] = from.offset[i];
  to.length[n] = from.length[i];
  to.source[n] = from.source[i];
  to.gso[n] = from.gso[i];
  to.segmentSize[n] = from.segmentSize[i];
  to.segments[n] = from.segments[i];
  to.partial[n] = from.partial[i];
  to.family[n] = from.family[i];
  to.protocol[n] = from.protocol[i];
  to.headerLength[n] = from.headerLength[i];
  to.fragment[n] = from.fragment[i];
  to.tos[n] = from.tos[i];
  to.outerEcn[n] = from.outerEcn[i];
  to.hash[n] = from.hash[i];
  to.repeats[n] = 0; // The packet before it is another now.
  to.adjacency[n] = from.adjacency[i];
  to.verdict[n] = from.verdict[i];
};

/** Adds a plain packet (no segmentation pending, checksum final) and returns its index. */
export const appendPacket = (batch: Batch, offset: number, length: number, source: number): number => {
  const i = batch.count++;
  batch.offset[i] = offset;
  batch.length[i] = length;
  batch.source[i] = source;
  batch.gso[i] = Gso.none;
  batch.segmentSize[i] = 0;
  batch.segments[i] = 1;
  batch.partial[i] = 0;
  batch.outerEcn[i] = 0;
  batch.adjacency[i] = 0;
  batch.verdict[i] = 0;
  return i;
};
