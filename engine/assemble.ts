// Puts a forwarder together from what control prepared: used by the worker thread and, on memory devices, by tests.

import * as ipip from '../encap/ipip.ts';
import * as vxlan from '../encap/vxlan.ts';
import type { Mac } from '../wire/mac.ts';
import { AdjacencyCache } from './adjacency-cache.ts';
import type { Receiver } from './arrivals.ts';
import { monotonic } from './clock.ts';
import type { PacketIo } from './device/io.ts';
import { Forwarder } from './forwarder.ts';
import type { RouterAddresses } from './icmp-errors.ts';
import { createPacketMemory } from './memory.ts';
import { READ_AHEAD } from './port-reader.ts';
import type { PortWriterOptions } from './port-writer.ts';
import type { TableBuffers, Tables } from './tables/buffers.ts';
import { TunnelSender } from './tunnel-sender.ts';
import { UnderlaySender } from './underlay-sender.ts';
import { type Uplink, UplinkSender } from './uplink-sender.ts';
import { WAITING_ROOM } from './waiting-room.ts';

const PACKET_MEMORY = 16 * 1024 * 1024 + READ_AHEAD + WAITING_ROOM;

/** All that a worker needs to know; structured-cloneable. */
export interface WorkerSetup {
  readonly worker: number;
  readonly tables: TableBuffers;
  /** epoll descriptor, and the eventfd in it by which control wakes the worker. */
  readonly pollSet: number;
  readonly wake: number;
  readonly receivers: readonly Receiver[];
  readonly vxlan4: readonly number[];
  readonly vxlan6: readonly number[];
  readonly ipip4: readonly number[];
  readonly ipip6: readonly number[];
  /** Where super-packets in VXLAN over IPv4 may leave whole. */
  readonly uplink: Uplink | undefined;
  /** Inner source MAC by outer family. */
  readonly mac4: Mac | undefined;
  readonly mac6: Mac | undefined;
  /** Send trains with UDP_SEGMENT. */
  readonly segment: boolean;
  /** Read several packets of a queue by one system call. */
  readonly batchedReads: boolean;
  readonly join: PortWriterOptions;
  readonly router: RouterAddresses;
  /** Milliseconds that a worker looks for packets before it sleeps (busy-poll.ts). */
  readonly busyPollMs: number;
  /** The processor that the worker stays on; undefined: the scheduler's choice. */
  readonly cpu: number | undefined;
}

export interface Clock {
  monotonic(): number;
  wall(): number;
}

const SYSTEM_CLOCK: Clock = { monotonic, wall: Date.now };

export const assembleForwarder = (
  setup: WorkerSetup,
  tables: Tables,
  io: PacketIo,
  addressOf: (u8: Uint8Array) => number,
  clock: Clock = SYSTEM_CLOCK,
): Forwarder => {
  const memory = createPacketMemory(PACKET_MEMORY, addressOf);
  const counters = tables.counters[setup.worker];
  const cache = new AdjacencyCache(memory, tables, setup);
  const tunnel = (
    fds: readonly number[],
    family: 4 | 6,
    segment: boolean,
    templateLength: number,
    uplink?: UplinkSender,
  ): TunnelSender | undefined => {
    if (fds.length === 0) return undefined;
    const sender = new UnderlaySender(memory, io, counters, { fds, family, segment });
    return new TunnelSender(memory, cache, sender, templateLength, uplink);
  };
  const uplink = setup.uplink && new UplinkSender(memory, io, tables.control, counters, cache, setup.uplink);
  const tunnels = {
    vxlan4: tunnel(setup.vxlan4, 4, setup.segment, vxlan.HEADER_LENGTH, uplink),
    vxlan6: tunnel(setup.vxlan6, 6, setup.segment, vxlan.HEADER_LENGTH),
    ipip4: tunnel(setup.ipip4, 4, false, ipip.HEADER_LENGTH),
    ipip6: tunnel(setup.ipip6, 4, false, ipip.HEADER_LENGTH),
  };
  return new Forwarder(memory, io, tables, counters, tunnels, {
    worker: setup.worker,
    router: setup.router,
    batchedReads: setup.batchedReads,
    join: setup.join,
    clock,
  });
};
