// The forwarder of one worker: takes a batch from a port or from the underlay to its verdicts, in one go.
// Read this file first; the stages stand in the order in which a packet passes them.
//
//   TUN queue ──▶ port-reader ─┐                                                      ┌─▶ port-writer ──▶ TUN queue
//                              ├▶ parse ▶ admit ▶ route ▶ rewrite ▶ dispatch ─────────┤
//   UDP, raw ──▶ arrivals ─────┘      (a verdict at any stage)    │ │                 └─▶ tunnel-sender ─▶ UDP, raw
//                                                                 │ └▶ pacer: packets of ports with a rate limit
//                                                                 └▶ derived packets: ICMP errors, fragments
//
// Knows nothing of BGP, CNI, files or clocks. Never allocates, throws or logs between reading a batch and writing it.

import { Arrivals, type Receiver } from './arrivals.ts';
import { type Batch, createBatch, Ingress, resetBatch } from './batch.ts';
import { type Counters, countPortDrop, countTaken, countVerdict } from './counting.ts';
import { DerivedPackets } from './derived.ts';
import type { PacketIo } from './device/io.ts';
import { Fragmenter } from './fragment.ts';
import { IcmpErrors, type RouterAddresses } from './icmp-errors.ts';
import type { PacketMemory } from './memory.ts';
import { Pacer } from './pacer.ts';
import { PortReader } from './port-reader.ts';
import { PortWriter, type PortWriterOptions } from './port-writer.ts';
import { decide, decideLeaving } from './stages.ts';
import * as adjacencies from './tables/adjacencies.ts';
import type { Tables } from './tables/buffers.ts';
import * as ports from './tables/ports.ts';
import type { TunnelSender } from './tunnel-sender.ts';
import { type Tunnels, tunnelOf } from './tunnels.ts';
import { LIMITED, Verdict } from './verdict.ts';

const BATCH = 256;

export interface ForwarderOptions {
  readonly worker: number;
  readonly router: RouterAddresses;
  readonly batchedReads: boolean;
  readonly join: PortWriterOptions;
  /** Milliseconds, for rate limits (monotonic) and for "last seen" (since the epoch). */
  readonly clock: { monotonic(): number; wall(): number };
}

export class Forwarder {
  readonly #memory: PacketMemory;
  readonly #tables: Tables;
  readonly #counters: Counters;
  readonly #worker: number;
  readonly #batch: Batch = createBatch(BATCH);
  readonly #derived: DerivedPackets;
  readonly #reader: PortReader;
  readonly #arrivals: Arrivals;
  readonly #writer: PortWriter;
  readonly #tunnels: Tunnels<TunnelSender>;
  readonly #icmp: IcmpErrors;
  readonly #fragmenter: Fragmenter;
  readonly #pacer: Pacer;
  #taken = 0;

  constructor(
    memory: PacketMemory,
    io: PacketIo,
    tables: Tables,
    counters: Counters,
    tunnels: Tunnels<TunnelSender>,
    options: ForwarderOptions,
  ) {
    this.#memory = memory;
    this.#tables = tables;
    this.#counters = counters;
    this.#worker = options.worker;
    this.#tunnels = tunnels;
    this.#derived = new DerivedPackets(memory);
    this.#reader = new PortReader(memory, io, options.batchedReads);
    this.#arrivals = new Arrivals(memory, io, tables, counters, options.clock.wall);
    this.#writer = new PortWriter(memory, io, counters, options.join);
    this.#icmp = new IcmpErrors(memory, options.router, options.clock.monotonic);
    this.#fragmenter = new Fragmenter(memory);
    this.#pacer = new Pacer(memory, tables, BATCH, options.clock.monotonic);
  }

  /** Packets taken so far, modulo 2^31; super-packets count once. */
  get taken(): number {
    return this.#taken;
  }

  /** Milliseconds until a packet that waits may leave; Infinity when none does. */
  wait(): number {
    return this.#pacer.wait();
  }

  /** Forwards the packets that have waited long enough. To be called before others are taken. */
  release(): void {
    while (this.#pacer.collect()) {
      this.#leave();
      this.#flush();
      this.#pacer.left();
    }
  }

  /** Forwards what one port has to send, at most a batch. @returns 0, or minus errno of the queue */
  fromPort(port: number): number {
    const batch = this.#batch;
    resetBatch(batch, Ingress.port);
    const fd = ports.fd(this.#tables.ports, port, this.#worker);
    const result = this.#reader.read(batch, fd, port);
    if (batch.count > 0) this.#forward(batch);
    return result;
  }

  /** Forwards what one underlay socket received, at most one receive call's worth. */
  fromUnderlay(receiver: Receiver): void {
    this.#arrivals.forget();
    if (this.#arrivals.receive(receiver.fd) <= 0) return;
    for (let more = true; more; ) {
      resetBatch(this.#batch, Ingress.underlay);
      more = this.#arrivals.fill(this.#batch, receiver);
      if (this.#batch.count > 0) this.#stages(this.#batch);
    }
    this.#flush();
  }

  #forward(batch: Batch): void {
    this.#stages(batch);
    this.#flush();
  }

  #stages(batch: Batch): void {
    this.#taken = (this.#taken + batch.count) & 0x7fffffff;
    decide(batch, this.#memory, this.#tables);
    if (batch.ingress === Ingress.port) this.#countTaken(batch);
    this.#dispatch(batch);
    if (this.#pacer.leaving.count > 0) {
      this.#leave();
      this.#pacer.left();
    }
    if (this.#derived.batch.count > 0) this.#forwardDerived();
  }

  /** Takes packets that have passed their token buckets to their verdicts. */
  #leave(): void {
    const { leaving } = this.#pacer;
    decideLeaving(leaving, this.#memory, this.#tables);
    this.#dispatch(leaving);
    if (this.#derived.batch.count > 0) this.#forwardDerived();
  }

  /** Hands every packet to where its verdict or its adjacency says. */
  #dispatch(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) {
      const verdict = batch.verdict[i];
      if (verdict === Verdict.pending) this.#transmit(batch, i);
      else if (verdict === LIMITED) this.#pace(batch, i);
      else if (verdict !== Verdict.fragmented) this.#refuse(batch, i, verdict);
      else if (batch.ingress === Ingress.self) this.#refuse(batch, i, Verdict.tooBig);
      else this.#fragment(batch, i);
    }
  }

  #transmit(batch: Batch, i: number): void {
    const adjacency = batch.adjacency[i];
    const table = this.#tables.adjacencies;
    const kind = adjacencies.kind(table, adjacency);
    if (kind === adjacencies.AdjacencyKind.port) {
      const port = adjacencies.port(table, adjacency);
      this.#writer.deliver(batch, i, port, ports.fd(this.#tables.ports, port, this.#worker));
      return;
    }
    const tunnel = tunnelOf(this.#tunnels, kind, adjacencies.outerFamily(table, adjacency), batch.family[i]);
    if (tunnel === undefined) this.#refuse(batch, i, Verdict.encapDisabled);
    else tunnel.send(batch, i);
  }

  #pace(batch: Batch, i: number): void {
    const port = this.#pacer.take(batch, i);
    if (port === 0) return;
    batch.verdict[i] = Verdict.rateLimit;
    countPortDrop(this.#counters, Verdict.rateLimit, port, batch.segments[i]);
  }

  #refuse(batch: Batch, i: number, verdict: number): void {
    batch.verdict[i] = verdict;
    if (batch.ingress === Ingress.port) {
      countPortDrop(this.#counters, verdict, batch.source[i], batch.segments[i]);
    } else {
      countVerdict(this.#counters, verdict, batch.segments[i]);
    }
    if (batch.ingress !== Ingress.self && IcmpErrors.answers(verdict)) {
      this.#icmp.append(batch, i, this.#tables, this.#derived);
    }
  }

  #fragment(batch: Batch, i: number): void {
    countVerdict(this.#counters, Verdict.fragmented, batch.segments[i]);
    const mtu = adjacencies.mtu(this.#tables.adjacencies, batch.adjacency[i]);
    const fragments = Fragmenter.fragmentsPerPiece(batch, i, mtu);
    for (let n = 0; n < Fragmenter.pieces(batch, i); n++) {
      if (!this.#derived.hasRoom(fragments, mtu)) this.#forwardDerived();
      const first = this.#derived.batch.count;
      this.#fragmenter.append(batch, i, n, mtu, this.#derived);
      // They go where the packet would have gone: without its ports they would hash to another path of several.
      this.#derived.batch.adjacency.fill(batch.adjacency[i], first, this.#derived.batch.count);
    }
  }

  /** Sends the engine's own packets on their way and makes room for more. */
  #forwardDerived(): void {
    const { batch } = this.#derived;
    decide(batch, this.#memory, this.#tables);
    this.#dispatch(batch);
    this.#flush();
    this.#derived.reset();
  }

  #countTaken(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) {
      countTaken(this.#counters, batch.source[i], batch.segments[i], batch.length[i]);
    }
  }

  #flush(): void {
    this.#writer.flush();
    this.#tunnels.vxlan4?.flush();
    this.#tunnels.vxlan6?.flush();
    this.#tunnels.ipip4?.flush();
    this.#tunnels.ipip6?.flush();
  }
}
