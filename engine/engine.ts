// The control side's handle on the engine: ports and routes go in, counters and explanations come out. The only writer
// of the shared tables; makes each change public by an epoch and frees what it replaced when all workers have seen it.

import type { Address } from '../wire/address.ts';
import type { Mac } from '../wire/mac.ts';
import type { Prefix } from '../wire/prefix.ts';
import type { WorkerSetup } from './assemble.ts';
import { monotonic } from './clock.ts';
import { closeDescriptors, closeInBackground, createWake, wakeUp } from './device/descriptors.ts';
import { createPollSet, Source, unwatch, watch } from './device/poller.ts';
import { closeUnderlay, openUnderlay, type UnderlayOptions } from './device/underlay.ts';
import { type EngineCounters, readCounters } from './engine-counters.ts';
import { Explainer, type PacketDescription, type Step } from './explain.ts';
import type { RouterAddresses } from './icmp-errors.ts';
import { PathRegistry, type PathSpec, type PortId } from './paths.ts';
import type { PortWriterOptions } from './port-writer.ts';
import { spawnWorker } from './spawn.ts';
import { createTableBuffers, openTables, type Tables } from './tables/buffers.ts';
import {
  acknowledgedEpoch,
  allowUplink,
  loadEpoch,
  publishEpoch,
  requestStop,
  setWorkerCount,
} from './tables/control-block.ts';
import { clearPortCells, PortCounter, portCell } from './tables/counters.ts';
import { Fib4Builder } from './tables/fib4-builder.ts';
import { Fib6Builder } from './tables/fib6-builder.ts';
import { IdPool } from './tables/id-pool.ts';
import { Limits } from './tables/limits.ts';
import * as ports from './tables/ports.ts';
import { Direction, type RateLimit, writeRate } from './tables/rates.ts';
import { tunnelsWithSockets } from './tunnels.ts';
import type { Uplink } from './uplink-sender.ts';

export type { EngineCounters, PacketDescription, PathSpec, PortId, RateLimit, Step };

export interface PortSpec {
  readonly kind: 'pod' | 'host';
  readonly mtu: number;
  /** TUN queues, non-blocking, with a virtio header: one a worker. The engine closes them when the port goes. */
  readonly fds: readonly number[];
  readonly limits?: PortLimits;
}

/** Directions as the pod sees them; what is left out has no limit. */
export interface PortLimits {
  readonly ingress?: RateLimit | undefined;
  readonly egress?: RateLimit | undefined;
}

export interface EngineOptions {
  readonly underlay: UnderlayOptions;
  /** The VNI of this node. */
  readonly vni: number;
  /** Inner source MAC by family of the outer header. */
  readonly mac4: Mac | undefined;
  readonly mac6: Mac | undefined;
  /** Send trains with UDP_SEGMENT. */
  readonly segment: boolean;
  /** Read several packets of a queue by one system call. */
  readonly batchedReads: boolean;
  readonly join: PortWriterOptions;
  readonly router: RouterAddresses;
  /** Unused until allowUplink; stays the caller's to close. */
  readonly uplink: Omit<Uplink, 'ports'> | undefined;
  /** Milliseconds that a worker looks for packets before it sleeps (busy-poll.ts). */
  readonly busyPollMs: number;
  /** Processors that workers stay on, dealt in turn; none: the scheduler's choice. */
  readonly cpus: readonly number[];
  /** A worker thread ended although nobody asked it to. */
  readonly onFailure: (error: Error) => void;
}

/** How long a change may take to be seen by all workers before something is wrong with one. */
const PATIENCE_MS = 5000;

export class Engine {
  readonly #tables: Tables;
  readonly #setups: WorkerSetup[];
  readonly #workers: { readonly ended: Promise<void>; terminate(): void }[];
  readonly #portIds = new IdPool(Limits.ports, 'ports');
  readonly #ports = new Map<PortId, PortSpec>();
  readonly #paths: PathRegistry;
  readonly #fib4: Fib4Builder;
  readonly #fib6: Fib6Builder;
  readonly #explainer: Explainer;
  readonly #sockets: ReturnType<typeof openUnderlay>;
  #stopping = false;
  #batching = false;

  constructor(options: EngineOptions) {
    const { workers } = options.underlay;
    this.#sockets = openUnderlay(options.underlay);
    const buffers = createTableBuffers(workers);
    this.#tables = openTables(buffers);
    setWorkerCount(this.#tables.control, workers);
    const nextEpoch = (): number => loadEpoch(this.#tables.control) + 1;
    this.#fib4 = new Fib4Builder(this.#tables.fib4, nextEpoch);
    this.#fib6 = new Fib6Builder(this.#tables.fib6, nextEpoch);
    const lookup = { mtu: (id: PortId) => this.#port(id).mtu, host: () => this.#hostPort() };
    this.#paths = new PathRegistry(this.#tables, lookup, options.vni, nextEpoch);
    this.#explainer = new Explainer(this.#tables, tunnelsWithSockets(this.#sockets[0]));
    this.#setups = this.#sockets.map((sockets, worker) => {
      const { underlay, vni, onFailure, cpus, uplink, ...rest } = options;
      const { vxlan4Ports, ...descriptors } = sockets;
      const setup = {
        ...rest,
        ...descriptors,
        uplink: uplink && { ...uplink, ports: vxlan4Ports },
        worker,
        cpu: cpus[worker % cpus.length],
        tables: buffers,
        pollSet: createPollSet(),
        wake: createWake(),
      };
      watch(setup.pollSet, setup.wake, Source.wake, 0);
      for (const [index, { fd }] of setup.receivers.entries())
        watch(setup.pollSet, fd, Source.receiver, index);
      return setup;
    });
    this.#workers = this.#setups.map((setup) => this.#start(setup, options.onFailure));
  }

  /** @throws RangeError when all ports are in use, Error when the descriptors are not one a worker */
  addPort(spec: PortSpec): PortId {
    if (spec.fds.length !== this.#setups.length) {
      throw new Error(
        `a port needs ${this.#setups.length} descriptors, one a worker, not ${spec.fds.length}`,
      );
    }
    const id = this.#portIds.take();
    clearPortCells(this.#tables.counters, id);
    const kind = spec.kind === 'pod' ? ports.PortKind.pod : ports.PortKind.host;
    ports.writePort(this.#tables.ports, id, { kind, mtu: spec.mtu, fds: spec.fds });
    this.#writeRates(id, spec.limits);
    this.#ports.set(id, spec);
    publishEpoch(this.#tables.control);
    for (const [worker, setup] of this.#setups.entries())
      watch(setup.pollSet, spec.fds[worker], Source.port, id);
    return id;
  }

  /** Routes to the port should be gone before. Resolves when no worker uses the port and its descriptors are closed. */
  async removePort(id: PortId): Promise<void> {
    const { fds } = this.#port(id);
    this.#ports.delete(id);
    for (const [worker, setup] of this.#setups.entries()) {
      if (this.#tables.counters[worker][portCell(id, PortCounter.dead)] === 0)
        unwatch(setup.pollSet, fds[worker]);
    }
    ports.clearPort(this.#tables.ports, id);
    this.#writeRates(id);
    const epoch = publishEpoch(this.#tables.control);
    await this.#seen(epoch);
    await closeInBackground(fds);
    this.#portIds.release(id, epoch);
    this.#reclaim();
  }

  /** Adds the route or replaces its paths; several paths share the flows (ECMP). */
  setRoute({ address, length }: Prefix, paths: readonly PathSpec[]): void {
    const fib = this.#fib(address);
    const old = fib.get(address.words, length);
    const nextHop = this.#paths.acquire(paths, old);
    try {
      fib.insert(address.words, length, nextHop);
    } catch (error) {
      this.#paths.release(nextHop);
      throw error;
    }
    if (old !== 0) this.#paths.release(old);
    this.#publish();
  }

  /** Nothing happens when there is no such route. */
  removeRoute({ address, length }: Prefix): void {
    const fib = this.#fib(address);
    const old = fib.get(address.words, length);
    if (!fib.remove(address.words, length)) return;
    this.#paths.release(old);
    this.#publish();
  }

  /** Makes the routes that change inside public together. */
  batch(work: () => void): void {
    const outer = this.#batching;
    this.#batching = true;
    try {
      work();
    } finally {
      this.#batching = outer;
      this.#publish();
    }
  }

  /** The paths by which the prefix is forwarded; undefined: it has no route of its own. */
  route({ address, length }: Prefix): readonly PathSpec[] | undefined {
    const nextHop = this.#fib(address).get(address.words, length);
    return nextHop === 0 ? undefined : this.#paths.pathsOf(nextHop);
  }

  /** How many prefixes have a route. */
  routeCount(): number {
    return this.#fib4.size + this.#fib6.size;
  }

  /** Ports whose interface or namespace is gone: a worker found its queue dead. */
  deadPorts(): PortId[] {
    return [...this.#ports.keys()].filter((id) =>
      this.#tables.counters.some((block) => block[portCell(id, PortCounter.dead)] !== 0),
    );
  }

  /** Lets super-packets leave whole, by the uplink, or none. */
  allowUplink(allowed: boolean): void {
    allowUplink(this.#tables.control, allowed);
  }

  counters(): EngineCounters {
    return readCounters(this.#tables.counters, this.#paths.remotes());
  }

  /** What the engine would do with a packet now, computed by the stages that forward. */
  explain(packet: PacketDescription): Step[] {
    return this.#explainer.explain(packet, { paths: this.#paths, hostPort: this.#findHostPort() });
  }

  /** Ends the workers and closes every descriptor; persistent TUNs stay. */
  async stop(): Promise<void> {
    this.#stopping = true;
    requestStop(this.#tables.control);
    for (const { wake } of this.#setups) wakeUp(wake);
    await Promise.all(this.#workers.map(({ ended }) => ended));
    for (const { fds } of this.#ports.values()) closeDescriptors(fds);
    closeUnderlay(this.#sockets);
    closeDescriptors(this.#setups.flatMap(({ pollSet, wake }) => [pollSet, wake]));
  }

  #start(setup: WorkerSetup, onFailure: (error: Error) => void): { ended: Promise<void>; terminate(): void } {
    const thread = spawnWorker(setup);
    const ended = new Promise<void>((resolve) => {
      thread.once('error', (error) => onFailure(error as Error));
      thread.once('exit', (code) => {
        if (!this.#stopping) onFailure(new Error(`worker ${setup.worker} ended with code ${code}`));
        resolve();
      });
    });
    return { ended, terminate: () => void thread.terminate() };
  }

  #writeRates(id: PortId, limits: PortLimits = {}): void {
    const now = monotonic();
    writeRate(this.#tables.rates, id, Direction.ingress, limits.ingress, now);
    writeRate(this.#tables.rates, id, Direction.egress, limits.egress, now);
  }

  #publish(): void {
    if (this.#batching) return;
    publishEpoch(this.#tables.control);
    this.#reclaim();
  }

  #reclaim(): void {
    const acknowledged = acknowledgedEpoch(this.#tables.control);
    this.#paths.reclaim(acknowledged);
    this.#fib4.reclaim(acknowledged);
    this.#fib6.reclaim(acknowledged);
    this.#portIds.reclaim(acknowledged);
  }

  /** Resolves when every worker has acknowledged `epoch`; wakes those that wait for packets. */
  async #seen(epoch: number): Promise<void> {
    for (const { wake } of this.#setups) wakeUp(wake);
    const deadline = performance.now() + PATIENCE_MS;
    while (acknowledgedEpoch(this.#tables.control) < epoch && !this.#stopping) {
      if (performance.now() > deadline) throw new Error(`a worker has not answered for ${PATIENCE_MS} ms`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #fib(address: Address): Fib4Builder | Fib6Builder {
    return address.family === 4 ? this.#fib4 : this.#fib6;
  }

  #port(id: PortId): PortSpec {
    const port = this.#ports.get(id);
    if (!port) throw new Error(`there is no port ${id}`);
    return port;
  }

  #findHostPort(): PortId | undefined {
    return [...this.#ports].find(([, { kind }]) => kind === 'host')?.[0];
  }

  #hostPort(): PortId {
    const id = this.#findHostPort();
    if (id === undefined)
      throw new Error('a direct route leaves through the node: it needs the host interface');
    return id;
  }
}
