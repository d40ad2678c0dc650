/**
 * BGP in a node: the speaker's thread on one side, route table, underlay and kernel on the other. What the speaker learns
 * becomes routes, what the node has is announced, next hops are resolved and watched.
 *
 *   speaker ▸ learned routes ▸ route table ▸ engine, kernel        configuration, pods ▸ announcements ▸ speaker
 *           ◂ next hops      ◂ kernel's table, links, learned routes
 */
import { hostname } from 'node:os';
import type { Log } from '../../cni/host.ts';
import type { BfdView, StartBfd } from '../../routing/bfd/bfd.ts';
import type { Bgp, BgpEvents, ResolvedNextHop } from '../../routing/bgp/bgp.ts';
import { Lull } from '../../routing/bgp/lull.ts';
import { changesOf, type RouteBatch } from '../../routing/bgp/route-batch.ts';
import type { BgpSettings } from '../../routing/bgp/settings.ts';
import { LearnedRoutes, type LearnedSurroundings } from '../../routing/learned.ts';
import { isResolved, nextHopKey } from '../../routing/next-hops.ts';
import type { RouteTable } from '../../routing/route-table.ts';
import { libc } from '../../sys/libc.ts';
import { type Address, addressEquals } from '../../wire/address.ts';
import { formatPrefix, type Prefix } from '../../wire/prefix.ts';
import type { NodeConfig } from '../config/node-config.ts';
import { surroundings } from '../fabric.ts';
import { openKernelWays } from '../kernel-ways.ts';
import { pause } from '../portions.ts';
import type { Underlay } from '../underlay.ts';
import { readVersion } from '../version.ts';
import { announcements } from './announcements.ts';
import { openBfdPeers } from './bfd-peers.ts';
import { bgpSettings } from './settings.ts';
import { readSnapshot, removeSnapshot, SnapshotKeeper, writeSnapshot } from './snapshot.ts';

export interface BgpStart {
  readonly settings: BgpSettings;
  readonly events: BgpEvents;
  /** The node went on forwarding for its peers while it was away (RFC 4724). */
  readonly restarting: boolean;
}

export interface BgpNodeOptions {
  readonly config: NodeConfig;
  readonly underlay: Underlay;
  readonly table: RouteTable;
  /** Changes inside are carried to engine and kernel together. */
  batch(work: () => void): void;
  /** The same for many; resolves when the kernel has them too. */
  batchInBackground(work: () => void): Promise<void>;
  /** Pods that are attached now. */
  pods(): number;
  readonly log: Log;
  onFailure(error: Error): void;
  start(options: BgpStart): Bgp;
  startBfd: StartBfd;
  /** Every peer has told what it knows, or has had its time: what an earlier daemon left and none confirmed may go. */
  onInitialRoutes(): void;
}

export interface BgpNode {
  readonly bgp: Bgp;
  readonly learned: LearnedRoutes;
  /** Without asking the speaker, who may be at work. */
  sessions(): { readonly peers: number; readonly established: number };
  /** Ends the session with a peer until it is enabled. */
  shutdown(peer: string, text: string): Promise<void>;
  enable(peer: string): Promise<void>;
  /** What BFD knows of a peer; undefined: it is not watched. */
  bfd(peer: string): BfdView | undefined;
  /** Resolves when the peers have told all they know, or after `patience` milliseconds. */
  initialRoutes(patience: number): Promise<void>;
  /** Rejects, with nothing changed, what cannot be. */
  apply(config: NodeConfig): Promise<void>;
  /** What the underlay is has changed: peers are told at once, routes follow some at a time. */
  refresh(): void;
  /** Resolves when routes have followed all that has changed until now. */
  settled(): Promise<void>;
  /** To be called now and then: tells peers what there is now, and keeps the record of what they told. Mostly cheap. */
  tick(): void;
  /** Of one that has stopped: nothing that was learned is in use any more. */
  forget(): Promise<void>;
  /** @param restart peers are to keep what they know of this node */
  stop(restart: boolean): Promise<void>;
}

/** Changes that leave something to tidy up, and milliseconds without any: behind the speaker, who does so as well. */
const MUCH = 10_000;
const REST = 1500;

/** A route that the engine has no room for is logged so often at most, milliseconds. */
const COMPLAINT_INTERVAL = 10_000;

export function openBgpNode(options: BgpNodeOptions): BgpNode {
  const { table, underlay, log } = options;
  let config = options.config;
  const own = () => underlay.addresses.map(({ address }) => address);
  const ways = openKernelWays(log, () => reconsiderNow());
  const world = (): LearnedSurroundings => ({
    ...surroundings(config, underlay),
    sends: (encap, family) =>
      config.encap.receive.includes(encap) && own().some((address) => address.family === family),
    isOwn: (address) => own().some((each) => addressEquals(each, address)),
    interfaceIndex: ways.interfaceIndex,
    kernel: ways.covering,
  });
  const learned = new LearnedRoutes(table, world(), complaints(log));
  const earlier = readSnapshot(config.state, config.bgp?.gracefulRestart.restartTime ?? 0);
  if (earlier) {
    log.info({ routes: earlier.length }, 'learned routes of before are used until peers have told theirs');
    options.batch(() => learned.update(earlier));
    for (const prefixes of learned.refresh()) options.batch(() => learned.install(prefixes));
  }
  /** Once peers have told what is so: what is only believed is not to be believed again. */
  let keeper: SnapshotKeeper | undefined;
  const unconfirmed = new Map<string, Prefix>(
    earlier?.map(({ prefix }) => [formatPrefix(prefix), prefix] as const),
  );

  /** Next hops that the speaker asks for, and what it was told last. */
  const wanted = new Map<string, { readonly address: Address; told: number | null | undefined }>();
  const tell = () => {
    const news: ResolvedNextHop[] = [];
    for (const entry of wanted.values()) {
      const resolution = learned.resolve({ address: entry.address });
      const cost = isResolved(resolution) ? resolution.cost : null;
      if (cost === entry.told) continue;
      entry.told = cost;
      news.push({ address: entry.address, cost });
    }
    if (news.length > 0) bgp.nextHops(news);
  };
  let isStopped = false;
  /** Some at a time, for they may be all there are; what is to be done at once comes first. */
  const inBatches = async (
    portions: Iterable<readonly Prefix[]>,
    work: (prefixes: readonly Prefix[]) => void,
  ) => {
    for (const prefixes of regrouped(portions, AT_ONCE)) {
      await options.batchInBackground(() => work(prefixes));
      await pause();
    }
  };
  /** What is to follow a change follows what was to follow the ones before. */
  let following = Promise.resolve();
  const reconsider = (): Promise<void> => {
    const elsewhere = learned.refresh(world());
    tell();
    following = following.then(() =>
      inBatches(elsewhere, (prefixes) => {
        if (!isStopped) learned.install(prefixes);
      }),
    );
    return following;
  };
  const forget = (portions: Iterable<readonly Prefix[]>) =>
    inBatches(portions, (prefixes) => learned.update(prefixes.map((prefix) => ({ prefix, paths: [] }))));
  const reconsiderNow = () => void reconsider().catch(options.onFailure);

  const established = new Set<string>();
  let finish = () => {};
  const initial = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const initialDone = async () => {
    if (unconfirmed.size > 0) {
      log.info({ routes: unconfirmed.size }, 'learned routes of before that no peer has told again are gone');
      const gone = [...unconfirmed.values()];
      unconfirmed.clear();
      await forget([gone]);
    }
    keeper = new SnapshotKeeper({
      state: config.state,
      seconds: () => config.bgp?.gracefulRestart.restartTime ?? 0,
      learned,
      onFailure: (error) =>
        log.warn({ err: error }, 'what was learned cannot be written down: it would not survive a crash'),
    });
    options.onInitialRoutes();
    finish();
  };

  const bfd = openBfdPeers({
    config: () => config.bgp,
    start: options.startBfd,
    onLost: (peer, why) => bgp.peerLost(peer, `BFD: ${why}`),
    onFailure: options.onFailure,
    log,
  });
  // Tables that have grown leave behind what they were, all over the heap.
  const lull = new Lull(MUCH, REST, () => void libc.malloc_trim(0));
  const events: BgpEvents = {
    async onRoutes(batch: RouteBatch) {
      for (const { prefix } of unconfirmed.size > 0 ? changesOf(batch) : []) {
        unconfirmed.delete(formatPrefix(prefix));
      }
      let carries = false;
      await options.batchInBackground(() => {
        carries = learned.update(changesOf(batch));
      });
      keeper?.changed();
      lull.happened(batch.lengths.length);
      if (carries) await reconsider();
    },
    onInitialRoutes: () => void initialDone().catch(options.onFailure),
    onNextHops({ added, removed }) {
      for (const address of removed) wanted.delete(nextHopKey({ address }));
      for (const address of added) wanted.set(nextHopKey({ address }), { address, told: undefined });
      tell();
    },
    onPeer(event) {
      if (event.up) established.add(event.peer);
      else established.delete(event.peer);
      bfd.onPeer(event);
    },
    onLog: (level, fields, text) => log[level === 'debug' ? 'info' : level](fields, `BGP: ${text}`),
    onFailure: options.onFailure,
  };
  const settings = () => {
    if (!config.bgp) throw new Error('BGP is not configured');
    const identity = { name: config.node.name ?? hostname(), description: `Weft ${readVersion()}` };
    return bgpSettings(config.bgp, own(), identity);
  };
  const bgp = options.start({ settings: settings(), events, restarting: earlier !== undefined });
  let announced = '';
  const announce = () => {
    const facts = {
      underlay: own(),
      pods: options.pods(),
      hasRoute: (prefix: Prefix) => table.get(prefix) !== undefined,
    };
    const routes = announcements(config, facts);
    const signature = JSON.stringify(routes);
    if (signature === announced) return;
    announced = signature;
    bgp.originate(routes);
  };
  announce();
  removeSnapshot(config.state);

  return {
    bgp,
    learned,
    sessions() {
      const configured = settings().peers.filter(({ endpoint }) => endpoint.kind !== 'prefix');
      const names = new Set([...configured.map(({ name }) => name), ...established]);
      return { peers: names.size, established: established.size };
    },
    async shutdown(peer, text) {
      await bgp.shutdown(peer, text);
      bfd.shutDown(peer, true);
    },
    async enable(peer) {
      await bgp.enable(peer);
      bfd.shutDown(peer, false);
    },
    bfd: bfd.view,
    initialRoutes(patience) {
      let timer: NodeJS.Timeout | undefined;
      const bound = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patience);
      });
      return Promise.race([initial, bound]).finally(() => clearTimeout(timer));
    },
    async apply(next) {
      const before = config;
      config = next;
      try {
        await bgp.apply(settings());
      } catch (error) {
        config = before;
        throw error;
      }
      bfd.refresh();
      await reconsider();
      announce();
    },
    refresh() {
      reconsiderNow();
      announce();
    },
    settled: () => following,
    tick() {
      announce();
      if (!isStopped) keeper?.tick();
    },
    forget: () => forget(learned.portions()),
    async stop(restart) {
      isStopped = true;
      ways.close();
      if (restart) writeSnapshot(config.state, learned);
      else removeSnapshot(config.state);
      await bgp.stop({ restart });
      await bfd.stop();
    },
  };
}

/** Learned routes that change their way in one go, at most. */
const AT_ONCE = 4096;

/** The same prefixes in portions of that size, the last of what is left. */
function* regrouped(portions: Iterable<readonly Prefix[]>, size: number): Generator<readonly Prefix[]> {
  let some: Prefix[] = [];
  for (const portion of portions) {
    for (const prefix of portion) {
      some.push(prefix);
      if (some.length < size) continue;
      yield some;
      some = [];
    }
  }
  if (some.length > 0) yield some;
}

/** One line for many. */
function complaints(log: Log): (prefix: Prefix, error: unknown) => void {
  let silentUntil = 0;
  let unsaid = 0;
  return (prefix, error) => {
    unsaid++;
    if (performance.now() < silentUntil) return;
    silentUntil = performance.now() + COMPLAINT_INTERVAL;
    log.error({ err: error, prefix: formatPrefix(prefix), routes: unsaid }, 'learned routes are not in use');
    unsaid = 0;
  };
}
