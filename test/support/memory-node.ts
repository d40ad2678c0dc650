// A node without kernel, threads or sockets: shared tables, a registry of paths and one forwarder on a MemoryIo.

import type { Receiver } from '../../engine/arrivals.ts';
import { assembleForwarder, type WorkerSetup } from '../../engine/assemble.ts';
import { type EngineCounters, readCounters } from '../../engine/engine-counters.ts';
import { Explainer, type PacketDescription, type Step } from '../../engine/explain.ts';
import type { Forwarder } from '../../engine/forwarder.ts';
import { PathRegistry, type PathSpec } from '../../engine/paths.ts';
import { createTableBuffers, openTables, type Tables } from '../../engine/tables/buffers.ts';
import { allowUplink } from '../../engine/tables/control-block.ts';
import { Fib4Builder } from '../../engine/tables/fib4-builder.ts';
import { Fib6Builder } from '../../engine/tables/fib6-builder.ts';
import * as ports from '../../engine/tables/ports.ts';
import { Direction, type RateLimit, writeRate } from '../../engine/tables/rates.ts';
import { tunnelsWithSockets } from '../../engine/tunnels.ts';
import { parseAddress } from '../../wire/address.ts';
import { parseMac, vtepMac } from '../../wire/mac.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { MemoryIo } from './memory-io.ts';

export interface MemoryNodeOptions {
  readonly address: string;
  readonly address6?: string;
  readonly router4?: string;
  readonly router6?: string;
  readonly vni?: number;
  readonly segment?: boolean;
  readonly batchedReads?: boolean;
  readonly join?: boolean;
  readonly sendSockets?: number;
  /** Whether super-packets may leave whole. */
  readonly uplink?: boolean;
}

/** Descriptors by which tests know the node's sockets. */
export const Fd = {
  vxlan4: 1000,
  vxlan6: 1100,
  ipip4: 1200,
  ipip6: 1300,
  receive4: 2000,
  receive6: 2001,
  uplink: 3000,
} as const;
export const HOST_PORT = 1;
export const UPLINK_MAC = parseMac('02:00:00:00:00:77');
/** Of the sending sockets, by flow hash. */
export const PORTS = Array.from({ length: 8 }, (_, n) => 50_000 + n);

export class MemoryNode {
  readonly io = new MemoryIo();
  readonly tables: Tables;
  readonly forwarder: Forwarder;
  /** What the forwarder was made from, for another one on the same tables. */
  readonly setup: WorkerSetup;
  readonly paths: PathRegistry;
  readonly receivers: { readonly vxlan4: Receiver; readonly vxlan6: Receiver; readonly ipip: Receiver };
  now = 1000;
  readonly #fib4: Fib4Builder;
  readonly #fib6: Fib6Builder;
  readonly #explainer: Explainer;
  readonly #mtus = new Map<number, number>();

  constructor(options: MemoryNodeOptions) {
    const buffers = createTableBuffers(1);
    this.tables = openTables(buffers);
    const address = parseAddress(options.address);
    const address6 = parseAddress(options.address6 ?? 'fd00:77::1');
    const join = options.join ?? true;
    this.receivers = {
      vxlan4: { kind: 'vxlan', fd: Fd.receive4, mac: vtepMac(address) },
      vxlan6: { kind: 'vxlan', fd: Fd.receive6, mac: vtepMac(address6) },
      ipip: { kind: 'ipip', fd: Fd.ipip4 },
    };
    const sockets = (first: number): number[] =>
      Array.from({ length: options.sendSockets ?? 8 }, (_, n) => first + n);
    const router = {
      ...(options.router4 === undefined ? {} : { v4: parseAddress(options.router4).words[0] }),
      ...(options.router6 === undefined ? {} : { v6: parseAddress(options.router6).words }),
    };
    const setup: WorkerSetup = {
      worker: 0,
      tables: buffers,
      pollSet: -1,
      wake: -1,
      receivers: Object.values(this.receivers),
      vxlan4: sockets(Fd.vxlan4),
      vxlan6: sockets(Fd.vxlan6),
      ipip4: [Fd.ipip4],
      ipip6: [Fd.ipip6],
      mac4: vtepMac(address),
      mac6: vtepMac(address6),
      segment: options.segment ?? true,
      batchedReads: options.batchedReads ?? true,
      uplink: { fd: Fd.uplink, mac: UPLINK_MAC, source: address.words[0], ports: PORTS },
      busyPollMs: 0,
      cpu: undefined,
      join: { joinTcp: join, joinUdp: join },
      router,
    };
    this.setup = setup;
    allowUplink(this.tables.control, options.uplink ?? false);
    const clock = { monotonic: () => this.now, wall: () => this.now };
    this.#explainer = new Explainer(this.tables, tunnelsWithSockets(setup));
    this.forwarder = assembleForwarder(setup, this.tables, this.io, this.io.addressOf, clock);
    this.#fib4 = new Fib4Builder(this.tables.fib4, () => 1);
    this.#fib6 = new Fib6Builder(this.tables.fib6, () => 1);
    const lookup = { mtu: (id: number) => this.#mtus.get(id) ?? 1450, host: () => HOST_PORT };
    this.paths = new PathRegistry(this.tables, lookup, options.vni ?? 4096, () => 1);
    this.port(HOST_PORT, 1500, 'host');
  }

  /** Adds a port; its descriptor is its id. */
  port(id: number, mtu = 1450, kind: 'pod' | 'host' = 'pod'): void {
    this.#mtus.set(id, mtu);
    ports.writePort(this.tables.ports, id, {
      kind: kind === 'pod' ? ports.PortKind.pod : ports.PortKind.host,
      mtu,
      fds: [id],
    });
  }

  limit(port: number, direction: keyof typeof Direction, limit: RateLimit | undefined): void {
    writeRate(this.tables.rates, port, Direction[direction], limit, this.now);
  }

  removeRoute(prefix: string): void {
    const { address, length } = parsePrefix(prefix);
    (address.family === 4 ? this.#fib4 : this.#fib6).remove(address.words, length);
  }

  route(prefix: string, ...paths: PathSpec[]): void {
    const { address, length } = parsePrefix(prefix);
    const fib = address.family === 4 ? this.#fib4 : this.#fib6;
    fib.insert(address.words, length, this.paths.acquire(paths, fib.get(address.words, length)));
  }

  /** A pod with its routes. */
  pod(id: number, ...addresses: string[]): void {
    this.port(id);
    for (const address of addresses)
      this.route(`${address}/${address.includes(':') ? 128 : 32}`, { kind: 'port', port: id });
  }

  counters(): EngineCounters {
    return readCounters(this.tables.counters, this.paths.remotes());
  }

  /** Packets by verdict, those that were counted. */
  verdicts(): Record<string, number> {
    const { verdicts } = this.counters();
    return Object.fromEntries(Object.entries(verdicts).filter(([, packets]) => packets > 0));
  }

  explain(packet: PacketDescription): Step[] {
    return this.#explainer.explain(packet, { paths: this.paths, hostPort: HOST_PORT });
  }
}

export const vxlanTo = (
  via: string,
  more: { vni?: number; mtu?: number; udpPort?: number } = {},
): PathSpec => ({
  kind: 'vxlan',
  via: parseAddress(via),
  mac: vtepMac(parseAddress(via)),
  vni: more.vni ?? 4096,
  udpPort: more.udpPort ?? 4789,
  mtu: more.mtu ?? 1450,
});
export const ipipTo = (via: string, mtu = 1480): PathSpec => ({ kind: 'ipip', via: parseAddress(via), mtu });
export const toPort = (port: number): PathSpec => ({ kind: 'port', port });
export const unreachable: PathSpec = { kind: 'unreachable' };
