/**
 * The composition root: puts a node together from its configuration, in an order in which every step finds what it needs
 * and a failing one is undone, applies changes, and takes it apart again. What the parts do is in the parts.
 *
 *   checks ▸ underlay ▸ state folder ▸ host port ▸ engine ▸ routes ▸ NAT ▸ pods of an earlier daemon ▸ spool ▸ BGP ▸ timers
 *
 * What serves pods that stay over a restart stays with them: the host port, the kernel's routes and the NAT table (without
 * which an answer that comes meanwhile would meet the node's own TCP, and be reset). A node without pods leaves nothing.
 */
import { closeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Attachments } from '../cni/attachments.ts';
import type { Log, PodForwards, PortForward } from '../cni/host.ts';
import { emptyState } from '../cni/ipam/allocator.ts';
import { hostAddress } from '../cni/ipam/pool.ts';
import { Leases } from '../cni/leases.ts';
import { Plugin } from '../cni/plugin/plugin.ts';
import { forwardsOf } from '../cni/port-mappings.ts';
import { Spool, spoolFolder } from '../cni/spool.ts';
import { AttachmentStore } from '../cni/store.ts';
import { closeUnderlay, openUnderlay as openUnderlaySockets, probeUdp } from '../engine/device/underlay.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import type { StartBfd } from '../routing/bfd/bfd.ts';
import { startBfd } from '../routing/bfd/spawn.ts';
import type { Bgp } from '../routing/bgp/bgp.ts';
import { startBgp } from '../routing/bgp/spawn.ts';
import { openRtnetlink } from '../sys/rtnetlink.ts';
import { type Address, formatAddress } from '../wire/address.ts';
import { vtepMac } from '../wire/mac.ts';
import type { BgpStart } from './bgp/bgp-node.ts';
import { createBgpService } from './bgp/bgp-service.ts';
import { bootId } from './boot-id.ts';
import { Cleanup } from './cleanup.ts';
import type { NodeConfig } from './config/node-config.ts';
import { codeOf, WeftError } from './errors.ts';
import { openFabric, podMtu } from './fabric.ts';
import { openHostPort, removeHostPort } from './host-port.ts';
import { openKernelRoutes } from './kernel-routes.ts';
import { Nat } from './nat.ts';
import { createNodeService } from './node-service.ts';
import { decideOffloads, gsoLimits, type Offloads } from './offload.ts';
import { checkCpus, checkPrivileges, checkTun, claim } from './preflight.ts';
import { refuseRestartOnly } from './reload.ts';
import type { RunningNode } from './service.ts';
import { setSysctl } from './sysctl.ts';
import { startTicker } from './ticker.ts';
import { openUnderlay, type Underlay } from './underlay.ts';
import { openUplink, type Uplink } from './uplink.ts';

/** What the caller of `startNode` provides. */
export interface NodeContext {
  /** Path and version, for `weft status`. */
  readonly configPath: string;
  readonly version: string;
  readonly log: Log;
  /** The node cannot go on, e.g. a worker thread has ended; it should be stopped and started anew. */
  onFailure(error: Error): void;
  /** Other than the real ones in tests. */
  readonly startEngine?: (options: EngineOptions) => EngineHandle;
  readonly startBgp?: (options: BgpStart) => Bgp;
  readonly startBfd?: StartBfd;
}

/** What the node needs of the engine. */
export type EngineHandle = Pick<
  Engine,
  | 'addPort'
  | 'removePort'
  | 'setRoute'
  | 'removeRoute'
  | 'batch'
  | 'route'
  | 'routeCount'
  | 'deadPorts'
  | 'counters'
  | 'allowUplink'
  | 'explain'
  | 'stop'
>;

/** How often to look for pods that are gone and for changes of the underlay, milliseconds. */
const TICK = 250;
/** More threads than this share the underlay's queues without gain. */
const MOST_WORKERS = 8;
/** Microseconds: longer than a round trip between pods, so that who asks and waits for the answer is served awake. */
const BUSY_POLL = 100;

/**
 * Resolves when the node forwards, the pods of an earlier daemon included. Rejects, with everything as it was before, when
 * a part of the configuration does not fit this machine (WeftError, SysError: with a code and what to do).
 */
export async function startNode(config: NodeConfig, context: NodeContext): Promise<RunningNode> {
  const cleanup = new Cleanup(context.log);
  try {
    return await build(config, context, cleanup);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function build(initial: NodeConfig, context: NodeContext, cleanup: Cleanup): Promise<RunningNode> {
  const { log } = context;
  const { cidrs } = initial.pods;
  const hostInterface = initial.host.interface;
  let config = initial;

  checkPrivileges();
  checkTun();
  checkCpus(config.engine.cpus);
  const underlay = openUnderlay({ addresses: config.node.address, hostInterface });
  cleanup.add(() => underlay.close());
  cleanup.add(await claim(exclusive(config, underlay)));
  // As the engine will, but before anything of the machine is changed.
  openSockets(() => closeUnderlay(openUnderlaySockets(underlayOptions(config, underlay, 1, false))), config);
  const store = openStore(config.state, log);
  cleanup.add(() => store.close());
  const isEmpty = () => store.all().length === 0;

  const netlink = openRtnetlink();
  cleanup.add(() => netlink.close());
  cleanup.add(() => isEmpty() && removeHostPort(hostInterface, netlink));
  const workers = workerCount(config);
  const hostAddresses = cidrs.map(hostAddress);
  const hostMtu = podMtu(config, underlay);
  const { fds, index, offloads } = openHostPort({
    name: hostInterface,
    queues: workers,
    chooseOffloads: (kernel) => decideOffloads(config.engine.offload, { ...kernel, ...probeUdp() }),
    mtu: hostMtu,
    gso: gsoLimits(hostMtu),
    addresses: hostAddresses,
    netlink,
    log,
  });
  const uplink = openUplink({
    wanted: config.engine.offload.tunnelSegmentation && config.encap.receive.includes('vxlan'),
    underlay,
    port: config.encap.vxlan.port,
    netlink,
    log,
    onChange: (usable) => engine.allowUplink(usable),
  });
  cleanup.add(() => uplink.close());
  const engine = openEngine(config, context, { underlay, workers, hostAddresses, offloads, uplink, fds });
  cleanup.add(() => engine.stop());
  await uplink.tick();
  const hostPort = engine.addPort({ kind: 'host', mtu: hostMtu, fds });

  const background = openRtnetlink();
  cleanup.add(() => background.close());
  const kernel = openKernelRoutes({
    netlink,
    background,
    open: openRtnetlink,
    hostPort: { index, mtu: hostMtu },
    sources: hostAddresses,
    log,
  });
  cleanup.add(async () => {
    await kernel.settled();
    if (isEmpty()) await kernel.removeAll();
  });
  const nat = new Nat({
    hostInterface,
    folder: config.state,
    forwards: earlierForwards(store),
    onError: (error) => log.error({ err: error }, 'what pods send to outside may not be masqueraded'),
  });
  cleanup.add(() => isEmpty() && nat.apply(undefined));
  cleanup.add(() => nat.close());
  const fabric = openFabric(
    { engine, kernel, nat, underlay, hostPort, hostAddresses, hostMtu, cidrs },
    config,
  );
  await fabric.apply(config);

  const ipam = emptyState(cidrs);
  const attachments = new Attachments({
    store,
    ipam,
    ports: engine,
    routes: fabric,
    forwards: localToo(nat, hostInterface, log),
    log,
    bootId: bootId(),
    queues: workers,
    offload: offloads.tun,
    mtu: () => podMtu(config, underlay),
    gsoLimits,
  });
  cleanup.add(() => attachments.close());
  await attachments.recover();
  const spool = new Spool(spoolFolder(config.api.socket), (call) => plugin.carryOut(call), log);
  const plugin = new Plugin({
    attachments,
    cidrs,
    mtu: () => podMtu(config, underlay),
    impairment: () => underlay.problem(),
    drainSpool: () => spool.drain(),
    log,
  });
  await spool.drain();

  const bgp = createBgpService({
    config,
    underlay,
    table: fabric.table,
    batch: fabric.batch,
    batchInBackground: fabric.batchInBackground,
    pods: () => attachments.list().length,
    log,
    onFailure: context.onFailure,
    start:
      context.startBgp ?? (({ settings, events, restarting }) => startBgp(settings, events, { restarting })),
    startBfd: context.startBfd ?? startBfd,
    // What an earlier daemon had learned goes on leading there until peers have told what is so now.
    onInitialRoutes: () => kernel.removeStale(),
  });
  cleanup.add(() => bgp.stop(!isEmpty()));
  await bgp.start();

  // Takes many seconds with a million routes; what else is done now and then does not wait for it.
  let isRepairDue = false;
  const repairer = startTicker(
    TICK,
    async () => {
      if (!isRepairDue) return;
      isRepairDue = false;
      // What has no way any more is not missing.
      await bgp.settled();
      await kernel.repair();
    },
    log,
  );
  cleanup.add(() => repairer.stop());

  const ticker = startTicker(
    TICK,
    async () => {
      await attachments.check();
      const changed = underlay.changed();
      if (changed !== undefined) {
        fabric.refresh();
        bgp.underlayChanged();
        if (changed === 'links') {
          uplink.linksChanged();
          isRepairDue = true;
        }
      }
      bgp.tick();
      await uplink.tick();
      await spool.drain();
      if (engine.deadPorts().includes(hostPort)) {
        throw new Error(`${hostInterface} was deleted: the node is cut off from the fabric; restart weft`);
      }
    },
    log,
  );
  cleanup.add(() => ticker.stop());

  const { configPath, version } = context;
  const service = createNodeService({
    config: () => config,
    configPath,
    version,
    underlay,
    engine,
    kernel,
    fabric,
    bgp,
    attachments,
    leases: new Leases({ attachments, ipam, store }),
    plugin,
    workers,
    offloads,
    uplink,
    hostPort,
    hostAddresses,
  });
  const reload = async (next: NodeConfig) => {
    refuseRestartOnly(config, next);
    podMtu(next, underlay);
    await fabric.apply(next);
    await bgp.apply(next).catch(async (error) => {
      await fabric.apply(config);
      throw error;
    });
    config = next;
  };
  return { service, reload, stop: () => cleanup.run() };
}

/** What two nodes of one network namespace cannot share though the kernel would let them. */
function exclusive({ host, encap }: NodeConfig, { addresses }: Underlay): string[] {
  return [
    host.interface,
    ...addresses.map(({ address }) => `${formatAddress(address)} port ${encap.vxlan.port}`),
  ];
}

function openStore(folder: string, log: Log): AttachmentStore {
  try {
    return new AttachmentStore(folder, log);
  } catch (error) {
    if (codeOf(error) === 'in-use') throw error;
    throw new WeftError('failed', `state: ${folder} cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** What led to pods when the earlier daemon ended, and goes on doing so until it is known which of them are there. */
function earlierForwards(store: AttachmentStore): PortForward[] {
  return store
    .all()
    .filter(({ phase }) => phase === 'ready')
    .flatMap((attachment) => {
      const forwards = forwardsOf(attachment);
      return typeof forwards === 'string' ? [] : forwards;
    });
}

/** Lets 127.0.0.1 lead to pods as well: only while the table that keeps pods from that address is there. */
function localToo(nat: Nat, hostInterface: string, log: Log): PodForwards {
  const set = (value: '0' | '1') => {
    try {
      setSysctl(`net/ipv4/conf/${hostInterface}/route_localnet`, value, log);
    } catch (error) {
      log.warn({ err: error }, 'ports of 127.0.0.1 do not lead to pods');
    }
  };
  return {
    missing: (forwards) => nat.missing(forwards),
    async forward(forwards) {
      if (forwards.length === 0) set('0');
      await nat.forward(forwards);
      if (forwards.length > 0) set('1');
    },
  };
}

function workerCount({ engine }: NodeConfig): number {
  if (engine.workers !== 'auto') return engine.workers;
  return Math.min(engine.cpus.length || availableParallelism(), MOST_WORKERS);
}

interface EngineSurroundings {
  readonly underlay: Underlay;
  readonly workers: number;
  readonly hostAddresses: readonly Address[];
  readonly offloads: Offloads;
  readonly uplink: Uplink;
  /** Queues of the host port. */
  readonly fds: readonly number[];
}

/** Closes the host port's descriptors when there will be no engine to do it. */
function openEngine(
  config: NodeConfig,
  context: NodeContext,
  surroundings: EngineSurroundings,
): EngineHandle {
  const options = engineOptions(config, context, surroundings);
  try {
    return openSockets(
      () => (context.startEngine ? context.startEngine(options) : new Engine(options)),
      config,
    );
  } catch (error) {
    for (const fd of surroundings.fds) closeSync(fd);
    throw error;
  }
}

/** Runs what opens the engine's sockets. */
function openSockets<T>(open: () => T, { encap }: NodeConfig): T {
  try {
    return open();
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error;
    throw new WeftError(
      'in-use',
      `encap.vxlan.port: UDP port ${encap.vxlan.port} of an underlay address is in use, by a kernel VXLAN ` +
        'device (ip -d link show type vxlan) or another program (ss -ulpn); remove that, or choose another port',
      { cause: error },
    );
  }
}

function underlayOptions(
  { encap, engine }: NodeConfig,
  underlay: Underlay,
  workers: number,
  gro: boolean,
): EngineOptions['underlay'] {
  return {
    addresses: underlay.addresses.map(({ address }) => address),
    vxlanPort: encap.vxlan.port,
    workers,
    sourcePorts: engine.sourcePorts,
    vxlan: encap.receive.includes('vxlan'),
    ipip: encap.receive.includes('ipip'),
    gro,
  };
}

function engineOptions(
  config: NodeConfig,
  context: NodeContext,
  surroundings: EngineSurroundings,
): EngineOptions {
  const { underlay, workers, hostAddresses, offloads, uplink } = surroundings;
  const addresses = underlay.addresses.map(({ address }) => address);
  const first = (family: 4 | 6, list: readonly Address[]) =>
    list.find((address) => address.family === family);
  const [vtep4, vtep6] = [first(4, addresses), first(6, addresses)];
  // ICMP errors come from the node as pods know it.
  const [router4, router6] = [first(4, hostAddresses) ?? vtep4, first(6, hostAddresses) ?? vtep6];
  return {
    underlay: underlayOptions(config, underlay, workers, offloads.gro),
    vni: config.encap.vxlan.vni,
    mac4: vtep4 && vtepMac(vtep4),
    mac6: vtep6 && vtepMac(vtep6),
    segment: offloads.segment,
    batchedReads: offloads.batchedReads,
    uplink: uplink.engine,
    join: offloads.join,
    router: { ...(router4 && { v4: router4.words[0] }), ...(router6 && { v6: router6.words }) },
    busyPollMs: busyPollMicroseconds(config.engine) / 1000,
    cpus: config.engine.cpus,
    onFailure: context.onFailure,
  };
}

/** On one core, what looks for packets keeps those from running that would send them. */
function busyPollMicroseconds({ busyPoll }: NodeConfig['engine']): number {
  if (busyPoll !== 'auto') return busyPoll;
  return availableParallelism() > 1 ? BUSY_POLL : 0;
}
