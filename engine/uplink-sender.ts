// Super-packets that leave whole: written into a TAP, the uplink, with their VXLAN headers in front, for the underlay's device
// to cut behind them, as it does for the kernel's own VXLAN (`tx-udp_tnl-csum-segmentation`). What leaves in one piece costs
// one write whatever it carries. The kernel forwards it by its own routes.

import { foldChecksum } from '../wire/checksum.ts';
import type { Mac } from '../wire/mac.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import * as vnet from '../wire/vnet.ts';
import { type AdjacencyCache, address4Of, copyTemplate, portOf, templateOf } from './adjacency-cache.ts';
import { type Batch, Gso } from './batch.ts';
import { type Counters, countEncapsulated } from './counting.ts';
import type { PacketIo } from './device/io.ts';
import { type PacketMemory, storePointer } from './memory.ts';
import { checksumField, pseudoSum } from './offload/transport-checksum.ts';
import { uplinkAllowed } from './tables/control-block.ts';
import * as cells from './uplink-cell.ts';

const IOVEC = 16;
const MAX_IP = 65535;

/** What a worker needs to know of the uplink. */
export interface Uplink {
  readonly fd: number;
  /** Of the device, which takes what is addressed to it. */
  readonly mac: Mac;
  /** The node's underlay address, as the other end knows it. */
  readonly source: number;
  /** UDP source ports by flow hash: those of the sending sockets, so that a flow has one. A power of two. */
  readonly ports: readonly number[];
}

export class UplinkSender {
  readonly #memory: PacketMemory;
  readonly #io: PacketIo;
  readonly #control: Int32Array;
  readonly #counters: Counters;
  readonly #cache: AdjacencyCache;
  readonly #uplink: Uplink;
  readonly #cell: number;
  readonly #iovecs: number;
  #identification = 0;

  constructor(
    memory: PacketMemory,
    io: PacketIo,
    control: Int32Array,
    counters: Counters,
    cache: AdjacencyCache,
    uplink: Uplink,
  ) {
    this.#memory = memory;
    this.#io = io;
    this.#control = control;
    this.#counters = counters;
    this.#cache = cache;
    this.#uplink = uplink;
    this.#cell = memory.reserve(cells.LENGTH);
    this.#iovecs = memory.reserve(2 * IOVEC);
    storePointer(memory, this.#iovecs, this.#cell);
    memory.i32[(this.#iovecs >> 2) + 2] = cells.LENGTH;
    cells.prepare(memory.view, this.#cell, uplink.mac);
  }

  /** Whether packet `i`, which needs segmentation, may go this way: it has to fit a packet of IPv4 with what goes before it. */
  takes(batch: Batch, i: number): boolean {
    return (
      uplinkAllowed(this.#control) && batch.segments[i] > 1 && batch.length[i] + cells.OVERHEAD <= MAX_IP
    );
  }

  /** @returns false when the device has refused it: nothing has left */
  send(batch: Batch, i: number): boolean {
    const ip = batch.offset[i];
    const length = batch.length[i];
    const headers = this.#headers(batch, i);
    this.#openChecksum(batch, i);
    this.#writeCell(batch, i, headers);
    const { i32, base } = this.#memory;
    storePointer(this.#memory, this.#iovecs + IOVEC, ip);
    i32[((this.#iovecs + IOVEC) >> 2) + 2] = length;
    if (this.#io.writev(this.#uplink.fd, base + this.#iovecs, 2) < 0) return false;
    const segments = batch.segments[i];
    this.#identification = (this.#identification + segments) & 0xffff;
    const remote = this.#cache.remote(batch.adjacency[i]);
    countEncapsulated(this.#counters, remote, segments, length + (segments - 1) * headers);
    return true;
  }

  /** Bytes of the inner headers that every segment has. */
  #headers(batch: Batch, i: number): number {
    const transport = batch.headerLength[i];
    if (batch.gso[i] === Gso.udp) return transport + udp.LENGTH;
    return transport + tcp.headerLength(this.#memory.view, batch.offset[i] + transport);
  }

  /** The inner checksum is left to whoever cuts: its field holds the sum of the pseudo-header. */
  #openChecksum(batch: Batch, i: number): void {
    const ip = batch.offset[i];
    const transport = batch.headerLength[i];
    const protocol = batch.protocol[i];
    const sum = pseudoSum(this.#memory, batch.family[i], ip, protocol, batch.length[i] - transport);
    this.#memory.view.setUint16(ip + transport + checksumField(protocol), foldChecksum(sum), true);
  }

  #writeCell(batch: Batch, i: number, headers: number): void {
    const { view } = this.#memory;
    const { source, ports } = this.#uplink;
    const cell = this.#cell;
    const entry = this.#cache.entry(batch.adjacency[i]);
    const to = address4Of(this.#memory, entry);
    const port = ports[batch.hash[i] & (ports.length - 1)];
    copyTemplate(this.#memory, templateOf(entry, batch.family[i]), cell + cells.VXLAN);
    const toPort = portOf(this.#memory, entry);
    cells.writeOuter(
      view,
      cell,
      batch.length[i],
      batch.tos[i],
      this.#identification,
      source,
      to,
      port,
      toPort,
    );
    const gso =
      batch.gso[i] === Gso.udp ? vnet.Gso.udpL4 : batch.family[i] === 4 ? vnet.Gso.tcpv4 : vnet.Gso.tcpv6;
    const field = checksumField(batch.protocol[i]);
    cells.writeOffload(view, cell, gso, headers, batch.segmentSize[i], batch.headerLength[i], field);
  }
}
