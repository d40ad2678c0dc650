/** What the stages stand on: packet memory and shared tables of a node with one pod and one remote node, without kernel. */
import { AdjacencyCache } from '../../engine/adjacency-cache.ts';
import { type Batch, createBatch, type Ingress, resetBatch } from '../../engine/batch.ts';
import { createPacketMemory, type PacketMemory } from '../../engine/memory.ts';
import { PathRegistry, type PathSpec } from '../../engine/paths.ts';
import { createTableBuffers, openTables, type Tables } from '../../engine/tables/buffers.ts';
import { type Counters, sumCell, verdictCell } from '../../engine/tables/counters.ts';
import { Fib4Builder } from '../../engine/tables/fib4-builder.ts';
import { Fib6Builder } from '../../engine/tables/fib6-builder.ts';
import * as ports from '../../engine/tables/ports.ts';
import { TunnelSender } from '../../engine/tunnel-sender.ts';
import { UnderlaySender } from '../../engine/underlay-sender.ts';
import { parseAddress } from '../../wire/address.ts';
import { vtepMac } from '../../wire/mac.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { SinkIo } from './sink-io.ts';
import { PACKETS } from './stage.ts';

const PACKET_MEMORY = 16 * 1024 * 1024;
const SEND_SOCKETS = 8;

export const OWN = parseAddress('192.168.77.1');
export const FAR = parseAddress('192.168.77.2');
export const VNI = 4096;
export const POD_PORT = 2;

export const farPaths = {
  vxlan: { kind: 'vxlan', via: FAR, mac: vtepMac(FAR), vni: VNI, udpPort: 4789, mtu: 1450 },
  ipip: { kind: 'ipip', via: FAR, mtu: 1480 },
} as const satisfies Record<string, PathSpec>;

export class BenchNode {
  readonly io = new SinkIo(FAR);
  readonly memory: PacketMemory;
  readonly tables: Tables;
  readonly counters: Counters;
  readonly #paths: PathRegistry;
  readonly #fib4: Fib4Builder;
  readonly #fib6: Fib6Builder;

  constructor() {
    this.tables = openTables(createTableBuffers(1));
    this.counters = this.tables.counters[0];
    this.memory = createPacketMemory(PACKET_MEMORY, this.io.addressOf);
    this.io.attach(this.memory);
    this.#paths = new PathRegistry(this.tables, { mtu: () => 1450, host: () => 1 }, VNI, () => 1);
    this.#fib4 = new Fib4Builder(this.tables.fib4, () => 1);
    this.#fib6 = new Fib6Builder(this.tables.fib6, () => 1);
    ports.writePort(this.tables.ports, POD_PORT, { kind: ports.PortKind.pod, mtu: 1450, fds: [POD_PORT] });
  }

  /** A batch of PACKETS at most. */
  batch(ingress: Ingress): Batch {
    const batch = createBatch(PACKETS);
    resetBatch(batch, ingress);
    return batch;
  }

  route(prefix: string, path: PathSpec): void {
    const { address, length } = parsePrefix(prefix);
    const fib = address.family === 4 ? this.#fib4 : this.#fib6;
    fib.insert(address.words, length, this.#paths.acquire([path], 0));
  }

  /** The remote node's tunnel, as a worker has it. */
  tunnel(segment: boolean, templateLength: number): TunnelSender {
    const cache = new AdjacencyCache(this.memory, this.tables, { mac4: vtepMac(OWN), mac6: undefined });
    const fds = Array.from({ length: SEND_SOCKETS }, (_, n) => 1000 + n);
    const sender = new UnderlaySender(this.memory, this.io, this.counters, { fds, family: 4, segment });
    return new TunnelSender(this.memory, cache, sender, templateLength);
  }

  /** Packets counted with that verdict so far. */
  counted(verdict: number): number {
    return sumCell(this.tables.counters, verdictCell(verdict));
  }
}
