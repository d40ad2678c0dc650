// Stage 5, rewrite: what a router does to a packet that it forwards: TTL or hop limit down by one, and the size held
// against the MTU of the way ahead. Decides also which packets need fragments. Touches nothing when it refuses, so
// that an ICMP error quotes the packet as it came.

import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import { type Batch, Gso, Ingress, LARGEST_HEADERS } from './batch.ts';
import type { PacketMemory } from './memory.ts';
import * as adjacencies from './tables/adjacencies.ts';
import type { Tables } from './tables/buffers.ts';
import * as ports from './tables/ports.ts';
import { Verdict } from './verdict.ts';

const TCP = 6;

export const rewrite = (batch: Batch, memory: PacketMemory, tables: Tables): void => {
  // Packets come in runs that go one way: what the tables say of it is read once a run.
  let knownSource = -1;
  let known = -1;
  let hop = false;
  let mtu = 0;
  for (let i = 0; i < batch.count; i++) {
    if (batch.verdict[i] !== Verdict.pending) continue;
    const adjacency = batch.adjacency[i];
    if (adjacency !== known || batch.source[i] !== knownSource) {
      known = adjacency;
      knownSource = batch.source[i];
      // The node's kernel and the engine are one router: between them a packet makes no hop.
      hop = !comesFromNode(batch, i, tables) && !goesToNode(adjacency, tables);
      mtu = adjacencies.mtu(tables.adjacencies, adjacency);
    }
    if (hop && timeToLive(batch, i, memory) <= 1) {
      batch.verdict[i] = Verdict.ttlExceeded;
      continue;
    }
    if (batch.length[i] > mtu && !fits(batch, i, memory, mtu)) {
      const mayFragment = batch.family[i] === 4 && !ipv4.dontFragment(memory.view, batch.offset[i]);
      batch.verdict[i] = mayFragment ? Verdict.fragmented : Verdict.tooBig;
      if (!mayFragment) continue;
    }
    if (hop) decrement(batch, i, memory);
  }
};

const comesFromNode = (batch: Batch, i: number, tables: Tables): boolean =>
  batch.ingress === Ingress.self ||
  (batch.ingress === Ingress.port && ports.kind(tables.ports, batch.source[i]) === ports.PortKind.host);

const goesToNode = (adjacency: number, tables: Tables): boolean =>
  adjacencies.kind(tables.adjacencies, adjacency) === adjacencies.AdjacencyKind.port &&
  ports.kind(tables.ports, adjacencies.port(tables.adjacencies, adjacency)) === ports.PortKind.host;

const timeToLive = (batch: Batch, i: number, { view }: PacketMemory): number =>
  batch.family[i] === 4 ? ipv4.ttl(view, batch.offset[i]) : ipv6.hopLimit(view, batch.offset[i]);

const decrement = (batch: Batch, i: number, { view }: PacketMemory): void => {
  if (batch.family[i] === 4) ipv4.decrementTtl(view, batch.offset[i]);
  else ipv6.decrementHopLimit(view, batch.offset[i]);
};

/** Whether a packet longer than the MTU goes as segments that are not. */
const fits = (batch: Batch, i: number, memory: PacketMemory, mtu: number): boolean => {
  if (batch.gso[i] !== Gso.none && batch.segmentSize[i] !== 0) {
    return headersLength(batch, i, memory) + batch.segmentSize[i] <= mtu;
  }
  // Larger than any link and its checksum not computed: a super-packet that a virtual underlay carried whole.
  // Its segment size is not told to a socket; the way ahead decides it.
  if (batch.ingress !== Ingress.underlay || batch.partial[i] === 0 || batch.protocol[i] !== TCP) return false;
  const headers = headersLength(batch, i, memory);
  if (headers > LARGEST_HEADERS || headers >= mtu) return false;
  batch.gso[i] = Gso.tcp;
  batch.segmentSize[i] = mtu - headers;
  batch.segments[i] = Math.ceil((batch.length[i] - headers) / (mtu - headers));
  return true;
};

const headersLength = (batch: Batch, i: number, { view }: PacketMemory): number => {
  const transport = batch.headerLength[i];
  return (
    transport + (batch.protocol[i] === TCP ? tcp.headerLength(view, batch.offset[i] + transport) : udp.LENGTH)
  );
};
