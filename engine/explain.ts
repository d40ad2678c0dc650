// `weft why`: runs a described packet through the very stages that forward (stages.ts), on the live tables, and says after
// each what it found. Sends nothing and counts nothing.

import { type Address, formatAddress } from '../wire/address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { appendPacket, type Batch, createBatch, Ingress, resetBatch } from './batch.ts';
import { monotonic } from './clock.ts';
import { egressRow, ingressRow } from './limit.ts';
import { createPacketMemory, type PacketMemory } from './memory.ts';
import type { PathRegistry, PathSpec, PortId } from './paths.ts';
import { STAGES, type StageName } from './stages.ts';
import * as adjacencies from './tables/adjacencies.ts';
import type { Tables } from './tables/buffers.ts';
import { fib4Lookup } from './tables/fib4.ts';
import { fib6Lookup } from './tables/fib6.ts';
import { selectAdjacency } from './tables/next-hops.ts';
import { BURST, bytesPerMs, portOfRow } from './tables/rates.ts';
import { backlog } from './token-bucket.ts';
import { type Tunnels, tunnelOf } from './tunnels.ts';
import { isDrop, LIMITED, Verdict, type VerdictName, verdictMeaning, verdictNames } from './verdict.ts';

/** A packet as a person describes it. Both addresses are of one family. */
export interface PacketDescription {
  readonly source: Address;
  readonly destination: Address;
  /** Upper-layer protocol number, default 6 (TCP). */
  readonly protocol?: number;
  /** Ports of TCP and UDP, default 0. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** Bytes of the whole IP packet, default 100; at least the headers. */
  readonly length?: number;
  /** TTL or hop limit, default 64. */
  readonly ttl?: number;
  /** IPv4's DF, default true. */
  readonly dontFragment?: boolean;
}

export interface Step {
  /** Name of the stage, `verdict` for the last. */
  readonly step: string;
  readonly detail: string;
  /** Of the last step: display name of the verdict. */
  readonly verdict?: string;
  /** Of the last step: id of the adjacency that the packet leaves by, absent when it does not. */
  readonly adjacency?: number;
}

interface Context {
  readonly paths: PathRegistry;
  readonly hostPort: PortId | undefined;
}

const TCP = 6;
const UDP = 17;
const LARGEST = 65535;
const PACKET_AT = 64;

export class Explainer {
  readonly #tables: Tables;
  readonly #tunnels: Tunnels<true>;
  readonly #memory: PacketMemory = createPacketMemory(2 * LARGEST, () => 0);
  readonly #batch: Batch = createBatch(1);

  /** @param tunnels those that the workers have sockets for */
  constructor(tables: Tables, tunnels: Tunnels<true>) {
    this.#tables = tables;
    this.#tunnels = tunnels;
  }

  explain(packet: PacketDescription, context: Context): Step[] {
    const length = writePacket(this.#memory, PACKET_AT, packet);
    const steps = [this.#enter(packet, length, context)];
    for (const { name, run } of STAGES) {
      run(this.#batch, this.#memory, this.#tables);
      const detail = this.#tell(name, packet, length, context);
      if (detail !== undefined) steps.push({ step: name, detail });
      if (this.#refused()) break;
    }
    steps.push(this.#conclude());
    return steps;
  }

  /** What a stage found that has just run; undefined when that is nothing, or said by the verdict. */
  #tell(stage: StageName, packet: PacketDescription, length: number, context: Context): string | undefined {
    const batch = this.#batch;
    if (stage === 'route') return this.#describeRoute(packet.destination, context);
    if (stage === 'limit') return this.#describeLimits();
    if (this.#refused()) return undefined;
    if (stage === 'parse') {
      const hash = (batch.hash[0] >>> 0).toString(16).padStart(8, '0');
      return `IPv${batch.family[0]}, protocol ${batch.protocol[0]}, flow hash ${hash}`;
    }
    if (stage === 'admit') {
      const from = batch.ingress === Ingress.port ? 'port' : 'tunnel end point';
      return `the route to the source leads back to ${from} ${batch.source[0]}`;
    }
    return stage === 'rewrite' ? this.#describeRewrite(packet, length) : undefined;
  }

  /** Puts the packet into the batch as coming from where the route to its source leads. */
  #enter(packet: PacketDescription, length: number, { hostPort }: Context): Step {
    const batch = this.#batch;
    const back = this.#adjacencyTo(packet.source);
    const table = this.#tables.adjacencies;
    const remote = back === 0 ? 0 : adjacencies.remote(table, back);
    const fromPort = back !== 0 && adjacencies.kind(table, back) === adjacencies.AdjacencyKind.port;
    if (fromPort || remote === 0) {
      const port = fromPort ? adjacencies.port(table, back) : (hostPort ?? 0);
      resetBatch(batch, Ingress.port);
      appendPacket(batch, PACKET_AT, length, port);
      const where = port === hostPort ? 'the node itself' : 'a pod';
      return {
        step: 'enter',
        detail: `${formatAddress(packet.source)} sends it from port ${port}, ${where}`,
      };
    }
    resetBatch(batch, Ingress.underlay);
    appendPacket(batch, PACKET_AT, length, remote);
    return {
      step: 'enter',
      detail: `${formatAddress(packet.source)} is behind tunnel end point ${remote}: it comes from there`,
    };
  }

  #adjacencyTo({ family, words }: Address): number {
    const { fib4, fib6, nextHops, buckets } = this.#tables;
    const nextHop =
      family === 4 ? fib4Lookup(fib4, words[0]) : fib6Lookup(fib6, words[0], words[1], words[2], words[3]);
    return nextHop === 0 ? 0 : selectAdjacency(nextHops, buckets, nextHop, 0);
  }

  #describeRoute(destination: Address, { paths }: Context): string {
    const { fib4, fib6 } = this.#tables;
    const [a, b, c, d] = destination.words;
    const nextHop = destination.family === 4 ? fib4Lookup(fib4, a) : fib6Lookup(fib6, a, b, c, d);
    if (nextHop === 0) return `no prefix in the FIB contains ${formatAddress(destination)}`;
    const all = paths.pathsOf(nextHop).map(describePath);
    return `${formatAddress(destination)} → next hop ${nextHop}: ${all.join(' or ')}; adjacency ${this.#batch.adjacency[0]}`;
  }

  /** What it would have to pass, without taking tokens; undefined when there is nothing. */
  #describeLimits(): string | undefined {
    const batch = this.#batch;
    if (batch.verdict[0] !== LIMITED) return undefined;
    const rows = { egress: egressRow(batch, 0, this.#tables), ingress: ingressRow(batch, 0, this.#tables) };
    batch.verdict[0] = Verdict.pending;
    const limits = Object.entries(rows).filter(([, row]) => row !== 0);
    return limits
      .map(([direction, row]) => `${direction} ${describeLimit(this.#tables.rates, row)}`)
      .join('; ');
  }

  #describeRewrite(packet: PacketDescription, length: number): string {
    const mtu = adjacencies.mtu(this.#tables.adjacencies, this.#batch.adjacency[0]);
    const { view } = this.#memory;
    const left = packet.source.family === 4 ? ipv4.ttl(view, PACKET_AT) : ipv6.hopLimit(view, PACKET_AT);
    const was = packet.ttl ?? 64;
    const hop =
      left === was ? `TTL stays ${was}: the node and its engine are one hop` : `TTL ${was} → ${left}`;
    return `${length} bytes, MTU ${mtu}; ${hop}`;
  }

  /** A verdict that ends the way; `fragmented` does not. */
  #refused(): boolean {
    const verdict = this.#batch.verdict[0];
    return verdict !== Verdict.pending && verdict !== Verdict.fragmented;
  }

  #conclude(): Step {
    const batch = this.#batch;
    const adjacency = batch.adjacency[0];
    let verdict: number = batch.verdict[0];
    if (!this.#refused()) {
      const exit = this.#exit(adjacency);
      // Fragments share the fate of what could not leave whole either.
      if (verdict === Verdict.pending || isDrop(exit)) verdict = exit;
    }
    const name = Object.keys(Verdict)[verdict] as VerdictName;
    const leaves = isDrop(verdict) ? {} : { adjacency };
    return { step: 'verdict', detail: verdictMeaning[name], verdict: verdictNames[verdict], ...leaves };
  }

  /** Verdict of a packet that no stage refused, when the adjacency's device takes it. */
  #exit(adjacency: number): Verdict {
    const table = this.#tables.adjacencies;
    const kind = adjacencies.kind(table, adjacency);
    if (kind === adjacencies.AdjacencyKind.port) return Verdict.delivered;
    const outer = adjacencies.outerFamily(table, adjacency);
    const tunnel = tunnelOf(this.#tunnels, kind, outer, this.#batch.family[0]);
    return tunnel === undefined ? Verdict.encapDisabled : Verdict.encapsulated;
  }
}

const describePath = (path: PathSpec): string => {
  if (path.kind === 'port') return `port ${path.port}`;
  if (path.kind === 'unreachable') return 'unreachable';
  const via = `via ${formatAddress(path.via)}`;
  return path.kind === 'vxlan' ? `VXLAN ${path.vni} ${via}:${path.udpPort}` : `${path.kind} ${via}`;
};

const describeLimit = (table: Int32Array, row: number): string => {
  const waits = backlog(table, row, monotonic());
  const now = waits > 0 ? `a packet would wait ${waits.toFixed(1)} ms now` : 'there are tokens now';
  return `of port ${portOfRow(row)} limited to ${bytesPerMs(table, row) / 125} Mbit/s, burst ${table[row + BURST]} bytes: ${now}`;
};

/** Writes the described packet, payload zero, and returns its length. */
const writePacket = ({ view, u8 }: PacketMemory, at: number, packet: PacketDescription): number => {
  const { source, destination, protocol = TCP, ttl = 64 } = packet;
  const header = source.family === 4 ? ipv4.MIN_LENGTH : ipv6.LENGTH;
  const transport = protocol === TCP ? 20 : 8;
  const length = Math.min(LARGEST, Math.max(packet.length ?? 100, header + transport));
  u8.fill(0, at, at + length);
  if (source.family === 4) {
    ipv4.write(view, at, length, 0, ttl, protocol, source.words[0], destination.words[0]);
    if (packet.dontFragment === false) {
      ipv4.setFragmentField(view, at, 0);
      ipv4.updateHeaderChecksum(view, at);
    }
  } else {
    ipv6.write(view, at, length - header, 0, ttl, protocol, source.words, destination.words);
  }
  if (protocol === TCP || protocol === UDP) {
    view.setUint16(at + header, packet.sourcePort ?? 0);
    view.setUint16(at + header + 2, packet.destinationPort ?? 0);
  }
  if (protocol === TCP) view.setUint16(at + header + 12, 0x5010);
  return length;
};
