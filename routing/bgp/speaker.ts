/**
 * A BGP speaker: its peers, its RIB, whom it listens to, and what changes when its settings do. Lives in one thread and
 * is asked there; what it tells goes out through `BgpEvents`.
 */

import { libc } from '../../sys/libc.ts';
import type { AcceptedSocket } from '../../sys/tcp.ts';
import { type Address, addressEquals, addressFromBytes, formatAddress } from '../../wire/address.ts';
import { hostPrefix, type Prefix, prefixContains } from '../../wire/prefix.ts';
import { isLinkLocal } from '../rib/hops.ts';
import { Rib } from '../rib/rib.ts';
import type { Explanation, RouteAttributes } from '../rib/route.ts';
import type {
  BgpEvents,
  DownloadQuery,
  OriginatedRoute,
  PeerView,
  ResolvedNextHop,
  RouteQuery,
  RouteView,
  StartOptions,
} from './bgp.ts';
import { Collector, type CollectorView } from './bmp/collector.ts';
import type { Monitored } from './bmp/station.ts';
import { Changes } from './changes.ts';
import { realClock } from './clock.ts';
import { Cease } from './codec/errors.ts';
import { Discovery } from './discovery.ts';
import type { Source } from './downloads.ts';
import { interfaceOfScope } from './links.ts';
import { dump } from './mrt/dump.ts';
import type { Speaker as Identity } from './negotiate.ts';
import { dynamicName, Peer, type PeerContext } from './peer.ts';
import { routesOf } from './route-view.ts';
import { Selection } from './selection.ts';
import type { BgpSettings, PeerSettings } from './settings.ts';
import { Listener, type ListenKey, PeerSockets, type Target, TTL_MAX } from './transport.ts';

const ANY4: Address = { family: 4, words: [0] };
const TTL_DEFAULT = 64;

export class Speaker {
  #settings: BgpSettings;
  readonly #events: BgpEvents;
  readonly #peers = new Map<string, Peer>();
  readonly #sockets = new WeakMap<Peer, PeerSockets>();
  /** By the operator, until enabled. */
  readonly #stopped = new Set<string>();
  readonly #discovery: Discovery;
  readonly #nextHops = new Map<string, number>();
  /** Asked for by the RIB and not answered yet, or answered: what the node was told that routes use. */
  readonly #askedFor = new Map<string, Address>();
  readonly #originated = new Map<string, OriginatedRoute>();
  readonly #withPending = new Set<string>();
  #identity: { -readonly [K in keyof Identity]: Identity[K] };
  #rib: Rib;
  readonly #changes: Changes;
  #context: PeerContext;
  #selection: Selection | undefined;
  #listeners: Listener[] = [];
  #collectors: Collector[] = [];
  #expiry: NodeJS.Timeout | undefined;
  #flush: NodeJS.Immediate | undefined;
  #newNextHops: Address[] = [];
  #oldNextHops: Address[] = [];

  constructor(settings: BgpSettings, events: BgpEvents, { restarting }: StartOptions) {
    this.#settings = settings;
    this.#events = events;
    const { asn, routerId, gracefulRestart } = settings;
    this.#identity = { asn, routerId, gracefulRestart, restarting };
    this.#discovery = new Discovery(
      (name, address) => this.#onSpeaker(name, address),
      (text) => events.onLog('warn', {}, text),
    );
    this.#changes = this.#newChanges();
    this.#rib = this.#newRib();
    this.#changes.follow(this.#rib);
    this.#context = this.#newContext();
  }

  /** Listens and looks for its peers. @throws SysError when it cannot listen, with nothing left behind */
  start(): void {
    this.#listen(this.#settings);
    const { peers, gracefulRestart } = this.#settings;
    const { restarting } = this.#identity;
    if (restarting) this.#rib.deferSelection();
    const awaited = peers.filter(({ endpoint, shutdown }) => endpoint.kind !== 'prefix' && !shutdown);
    const names = awaited.map(({ name }) => name);
    this.#selection = new Selection(names, gracefulRestart.selectionDeferral, (why) => this.#select(why));
    for (const peer of peers) this.#add(peer);
    this.#collect(this.#settings);
  }

  apply(settings: BgpSettings): void {
    const before = this.#settings;
    const isAnother = !same(identityOf(before), identityOf(settings));
    if (!same(before.listen, settings.listen)) this.#listen(settings);
    this.#settings = settings;
    this.#identity.gracefulRestart = settings.gracefulRestart;
    if (isAnother) this.#becomeAnother(settings);
    else this.#applyPeers(settings);
    this.#setKeys();
    this.#collect(settings);
  }

  originate(routes: readonly OriginatedRoute[]): void {
    const wanted = new Map(routes.map((route) => [keyOf(route.prefix), route]));
    for (const [key, { prefix }] of this.#originated) {
      if (wanted.has(key)) continue;
      this.#rib.withdraw(prefix);
      this.#originated.delete(key);
    }
    for (const [key, route] of wanted) {
      if (same(this.#originated.get(key), route)) continue;
      this.#originated.set(key, route);
      this.#originateOne(route);
    }
    this.#scheduleFlush();
  }

  nextHops(resolved: readonly ResolvedNextHop[]): void {
    for (const { address, cost } of resolved) {
      const key = addressKey(address);
      if (cost === null) this.#nextHops.delete(key);
      // No route may use it any more by now.
      else if (this.#askedFor.has(key)) this.#nextHops.set(key, cost);
    }
    this.#rib.nextHopsChanged(resolved.map(({ address }) => address));
    this.#scheduleFlush();
  }

  peers(): PeerView[] {
    return [...this.#peers.values()].map((peer) => peer.view());
  }

  collectors(): CollectorView[] {
    return this.#collectors.map((one) => one.view());
  }

  routes(query: RouteQuery): IterableIterator<RouteView | undefined> {
    if (query.rib !== 'local') this.#peer(query.peer ?? '');
    return routesOf(this.#rib, query);
  }

  /** @throws Error when it cannot be had */
  download(query: DownloadQuery): Source {
    if (query.kind === 'recording') return this.#peer(query.peer).record(query.bounds);
    const { view, peer } = query;
    const { asn, routerId } = this.#settings;
    const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);
    return dump(this.#rib, {
      view,
      ...(peer !== undefined && { peer: this.#peer(peer).name }),
      asn,
      routerId,
      now: seconds(Date.now()),
      since: (name) =>
        seconds(performance.timeOrigin + (this.#peers.get(name)?.session.since ?? performance.now())),
    });
  }

  explain(prefix: Prefix): readonly Explanation[] {
    return this.#rib.explain(prefix);
  }

  clear(name: string, how: 'hard' | 'in' | 'out'): void {
    const peer = this.#peer(name);
    if (how === 'hard') {
      peer.reset(Cease.administrativeReset, 'cleared by the operator');
      this.#begin(peer);
    } else if (!peer.isUp)
      throw new Error(`there is no session with the peer ${name}, but ${peer.session.state}`);
    else if (how === 'out') {
      for (const family of peer.session.agreement?.families ?? []) this.#rib.resend(name, family);
    } else if (!peer.askAgain()) {
      throw new Error(`the peer ${name} does not know route refresh: clear it 'hard'`);
    }
    this.#scheduleFlush();
  }

  shutdown(name: string, text: string): void {
    const peer = this.#peer(name);
    this.#stopped.add(name);
    peer.handle({ kind: 'stop', text });
    this.#selection?.gone(name);
  }

  enable(name: string): void {
    const peer = this.#peer(name);
    this.#stopped.delete(name);
    this.#begin(peer);
  }

  peerLost(name: string, why: string): void {
    const peer = this.#peers.get(name);
    if (peer?.isUp) peer.reset(Cease.bfdDown, why);
  }

  /** All routes that changed have been told. */
  settled(): Promise<void> {
    return this.#changes.settled();
  }

  stop({ restart }: { readonly restart: boolean }): void {
    this.#selection?.stop();
    for (const peer of this.#peers.values()) {
      if (!restart) peer.handle({ kind: 'stop', text: '' });
      peer.dispose();
    }
    this.#peers.clear();
    for (const collector of this.#collectors.splice(0)) collector.close('the speaker stops');
    for (const listener of this.#listeners.splice(0)) listener.close();
    this.#discovery.close();
    clearTimeout(this.#expiry);
    clearImmediate(this.#flush);
  }

  #peer(name: string): Peer {
    const peer = this.#peers.get(name);
    if (peer !== undefined) return peer;
    throw new Error(
      `there is no BGP peer ${name}; there are: ${[...this.#peers.keys()].join(', ') || 'none'}`,
    );
  }

  #newRib(): Rib {
    const { asn, routerId, clusterId, decision, maxPaths } = this.#settings;
    return new Rib({
      asn,
      routerId,
      ...(clusterId !== undefined && { clusterId }),
      ...(decision !== undefined && { decision }),
      maxPaths,
      resolve: (nextHop) => this.#resolve(nextHop),
      onUnusedHop: (nextHop) => this.#forgetHop(nextHop),
      onBest: () => this.#changes.wake(),
      onPending: (peer) => {
        this.#withPending.add(peer);
        this.#scheduleFlush();
      },
    });
  }

  #newChanges(): Changes {
    return new Changes(
      (batch) => this.#events.onRoutes(batch),
      (name) => this.#peers.get(name)?.session.ends?.interface,
    );
  }

  #newContext(): PeerContext {
    return {
      speaker: this.#identity,
      rib: this.#rib,
      events: this.#events,
      clock: realClock,
      sockets: (peer) => this.#socketsOf(peer),
      random: Math.random,
      onUp: (peer) => this.#onUp(peer),
      onDown: (peer, how) => {
        for (const collector of this.#collectors) collector.peerDown(peer.name, how);
      },
      onEndOfRib: (peer, family) => this.#selection?.endOfRib(peer.name, family),
      onHandled: (peer) => {
        this.#forgetIfGone(peer);
        this.#scheduleFlush();
      },
    };
  }

  #originateOne({ prefix, attributes }: OriginatedRoute): void {
    const { family } = prefix.address;
    const own: Address = { family, words: family === 4 ? [0] : [0, 0, 0, 0] };
    const complete: RouteAttributes = {
      origin: 0,
      asPath: [],
      ...attributes,
      nextHop: attributes.nextHop ?? own,
    };
    this.#rib.originate(prefix, complete);
  }

  #resolve(nextHop: Address): number | undefined {
    const key = addressKey(nextHop);
    if (!this.#askedFor.has(key)) {
      this.#askedFor.set(key, nextHop);
      this.#newNextHops.push(nextHop);
      this.#scheduleFlush();
    }
    return this.#nextHops.get(key);
  }

  #forgetHop(nextHop: Address): void {
    const key = addressKey(nextHop);
    if (!this.#askedFor.delete(key)) return;
    this.#nextHops.delete(key);
    this.#oldNextHops.push(nextHop);
    this.#scheduleFlush();
  }

  /** What can wait until what is being handled is through: others' queues, timers, questions. */
  #scheduleFlush(): void {
    this.#flush ??= setImmediate(() => {
      this.#flush = undefined;
      // What came and went meanwhile is nobody's business.
      const added = this.#newNextHops.splice(0).filter((one) => this.#askedFor.has(addressKey(one)));
      const removed = this.#oldNextHops.splice(0);
      if (added.length > 0 || removed.length > 0) this.#events.onNextHops({ added, removed });
      for (const name of this.#withPending) {
        this.#withPending.delete(name);
        const peer = this.#peers.get(name);
        if (peer?.isUp) peer.handle({ kind: 'pending' });
      }
      this.#expireLater();
      if (this.#rib.removeLeaving()) this.#scheduleFlush();
    });
  }

  #expireLater(): void {
    clearTimeout(this.#expiry);
    const at = this.#rib.nextDeadline();
    if (at === undefined) return;
    const wait = Math.max(0, Math.ceil(at - performance.now()));
    this.#expiry = setTimeout(() => {
      this.#rib.expire(performance.now());
      this.#scheduleFlush();
    }, wait);
  }

  #select(why: 'all' | 'time'): void {
    const { restarting } = this.#identity;
    this.#identity.restarting = false;
    if (restarting) {
      const text =
        why === 'all' ? 'all peers have told their routes' : 'some peers have not told their routes in time';
      this.#events.onLog('info', {}, `the restart is over: ${text}`);
      this.#rib.startSelection();
    }
    void this.#changes.settled().then(() => this.#events.onInitialRoutes());
    for (const name of this.#peers.keys()) this.#withPending.add(name);
    this.#scheduleFlush();
  }

  #onUp(peer: Peer): void {
    const monitored = peer.monitored();
    if (monitored !== undefined) for (const collector of this.#collectors) collector.peerUp(monitored);
    const { restart } = peer.session.agreement ?? {};
    // RFC 4724 section 4.1: one that has itself come back just now waits for us.
    const telling =
      restart === undefined || restart.restarting ? [] : (peer.session.agreement?.families ?? []);
    this.#selection?.up(peer.name, telling);
  }

  /** Dynamic peers come back as others, if at all. */
  #forgetIfGone(peer: Peer): void {
    const { state } = peer.session;
    if (peer.template === undefined || (state !== 'idle' && state !== 'active')) return;
    setImmediate(() => {
      const { state: now } = peer.session;
      if (this.#peers.get(peer.name) !== peer || (now !== 'idle' && now !== 'active')) return;
      peer.dispose();
      this.#peers.delete(peer.name);
    });
  }

  #add(settings: PeerSettings, template?: string): Peer | undefined {
    if (settings.endpoint.kind === 'prefix') return undefined;
    const peer = new Peer(this.#context, settings, template);
    this.#peers.set(peer.name, peer);
    if (settings.endpoint.kind === 'interface') this.#discovery.watch(settings.endpoint.interface);
    this.#begin(peer);
    return peer;
  }

  #begin(peer: Peer): void {
    const isShut = peer.settings.shutdown !== undefined || this.#stopped.has(peer.name);
    if (!isShut) peer.handle({ kind: 'start' });
  }

  #remove(peer: Peer, subcode: number, why: string): void {
    peer.reset(subcode, why, -1);
    peer.dispose();
    this.#peers.delete(peer.name);
    this.#selection?.gone(peer.name);
    if (peer.settings.endpoint.kind === 'interface')
      this.#discovery.unwatch(peer.settings.endpoint.interface);
  }

  #applyPeers({ peers }: BgpSettings): void {
    const wanted = new Map(peers.map((peer) => [peer.name, peer]));
    for (const peer of [...this.#peers.values()]) {
      const settings = wanted.get(peer.template ?? peer.name);
      if (settings === undefined) this.#remove(peer, Cease.peerDeconfigured, 'not configured any more');
      else this.#change(peer, settings);
    }
    for (const settings of peers) if (!this.#peers.has(settings.name)) this.#add(settings);
  }

  #change(peer: Peer, wanted: PeerSettings): void {
    const { name, endpoint } = peer.settings;
    const settings: PeerSettings = peer.template === undefined ? wanted : { ...wanted, name, endpoint };
    if (same(peer.settings, settings)) return;
    const { import: oldImport, export: oldExport, options: oldOptions, ...oldRest } = peer.settings;
    const { import: newImport, export: newExport, options: newOptions, ...newRest } = settings;
    if (!same(oldRest, newRest)) {
      this.#remove(peer, Cease.configurationChange, 'its configuration changed');
      if (peer.template === undefined) this.#add(settings);
      return;
    }
    peer.settings = settings;
    if (!peer.isUp) return;
    if (!same(oldOptions, newOptions)) this.#rib.setOptions(name, newOptions);
    if (same(oldImport, newImport) && same(oldExport, newExport)) return;
    this.#rib.setPolicies(name, {
      ...(newImport !== undefined && { import: newImport }),
      ...(newExport !== undefined && { export: newExport }),
    });
  }

  /** Another AS or router ID: every session begins anew, over an empty RIB. */
  #becomeAnother(settings: BgpSettings): void {
    for (const peer of [...this.#peers.values()]) {
      this.#remove(peer, Cease.configurationChange, 'the speaker itself is another now');
    }
    const { asn, routerId } = settings;
    Object.assign(this.#identity, { asn, routerId });
    // Its routes are still the node's.
    while (this.#rib.removeLeaving());
    this.#rib = this.#newRib();
    this.#changes.follow(this.#rib);
    this.#context = this.#newContext();
    for (const route of this.#originated.values()) this.#originateOne(route);
    for (const peer of settings.peers) this.#add(peer);
  }

  #socketsOf(peer: Peer): PeerSockets {
    const sockets = new PeerSockets(
      () => this.#targetOf(peer),
      (input) => peer.handle(input),
    );
    this.#sockets.set(peer, sockets);
    return sockets;
  }

  #targetOf({ address, settings }: Peer): Target {
    const { endpoint, port, localAddress, localAsn, multihop, ttlSecurity, password } = settings;
    const on = endpoint.kind === 'prefix' ? undefined : endpoint.interface;
    const isInternal = settings.asn === (localAsn ?? this.#settings.asn);
    const ttl = ttlSecurity ? TTL_MAX : isInternal ? TTL_DEFAULT : multihop;
    return {
      address,
      port,
      ttl,
      ...(on !== undefined && { interface: on }),
      ...(localAddress !== undefined && { localAddress }),
      ...(ttlSecurity && { minimumTtl: TTL_MAX + 1 - multihop }),
      ...(password !== undefined && { password }),
    };
  }

  #listen(settings: BgpSettings): void {
    const before = this.#listeners;
    // The same port cannot be had twice.
    for (const listener of before) listener.close();
    this.#listeners = [];
    if (settings.listen === undefined) return;
    const { address, port } = settings.listen;
    const isAny = address.family === 6 && address.words.every((word) => word === 0);
    const onAccepted = (accepted: AcceptedSocket): void => this.#onAccepted(accepted);
    try {
      this.#listeners.push(new Listener(address, port, onAccepted));
      if (isAny) this.#listeners.push(new Listener(ANY4, port, onAccepted));
    } catch (error) {
      if (!isAny || (error as { code?: string }).code !== 'EAFNOSUPPORT') throw error;
      this.#listeners.push(new Listener(ANY4, port, onAccepted));
    }
    this.#setKeys();
  }

  /** Connections to stations whose settings did not change stay. */
  #collect({ collectors = [] }: BgpSettings): void {
    const before = this.#collectors;
    const stays = (one: Collector): boolean => collectors.some((settings) => same(settings, one.settings));
    for (const one of before) if (!stays(one)) one.close('it is not configured any more');
    const monitored = (): Monitored[] => [...this.#peers.values()].flatMap((peer) => peer.monitored() ?? []);
    this.#collectors = collectors.map(
      (settings) =>
        before.find((one) => same(settings, one.settings)) ??
        new Collector(settings, monitored, (level, fields, text) => this.#events.onLog(level, fields, text)),
    );
  }

  #setKeys(): void {
    const keys: ListenKey[] = this.#settings.peers.flatMap(({ name, endpoint, password }) => {
      if (password === undefined) return [];
      if (endpoint.kind === 'prefix') return [{ prefix: endpoint.prefix, password }];
      const address = endpoint.kind === 'address' ? endpoint.address : this.#peers.get(name)?.address;
      return address === undefined ? [] : [{ prefix: hostPrefix(address), password }];
    });
    for (const listener of this.#listeners) listener.setKeys(keys);
  }

  #onAccepted(accepted: AcceptedSocket): void {
    const remote = addressFromBytes(accepted.remote);
    const on = accepted.scope === 0 ? undefined : interfaceOfScope(accepted.scope);
    const peer = this.#peerAt(remote, on) ?? this.#welcome(remote);
    if (peer === undefined) {
      libc.close(accepted.fd);
      this.#events.onLog(
        'debug',
        { from: formatAddress(remote) },
        'a BGP connection from a stranger was closed',
      );
      return;
    }
    this.#sockets.get(peer)?.adopt(accepted);
  }

  #peerAt(remote: Address, on: string | undefined): Peer | undefined {
    for (const peer of this.#peers.values()) {
      const { endpoint } = peer.settings;
      if (endpoint.kind === 'interface') {
        if (isLinkLocal(remote) && on === endpoint.interface) {
          this.#onSpeaker(endpoint.interface, remote);
          return peer;
        }
      } else if (peer.address !== undefined && addressEquals(peer.address, remote)) {
        const wanted = endpoint.kind === 'address' ? endpoint.interface : undefined;
        if (wanted === undefined || on === undefined || wanted === on) return peer;
      }
    }
    return undefined;
  }

  /** A peer for somebody who comes from one of the prefixes; the longest decides. */
  #welcome(remote: Address): Peer | undefined {
    const templates = this.#settings.peers.flatMap((settings) => {
      const { endpoint } = settings;
      const fits = endpoint.kind === 'prefix' && prefixContains(endpoint.prefix, remote);
      return fits && settings.shutdown === undefined ? [{ settings, endpoint }] : [];
    });
    const best = templates.sort((a, b) => b.endpoint.prefix.length - a.endpoint.prefix.length)[0];
    if (best === undefined) return undefined;
    const { settings, endpoint } = best;
    const there = [...this.#peers.values()].filter(({ template }) => template === settings.name).length;
    if (there >= endpoint.limit) {
      const fields = { peer: settings.name, from: formatAddress(remote), limit: endpoint.limit };
      this.#events.onLog(
        'warn',
        fields,
        'a BGP peer was turned away: there are as many of its prefix as may be',
      );
      return undefined;
    }
    const own: PeerSettings = {
      ...settings,
      name: dynamicName(settings.name, remote),
      endpoint: { kind: 'address', address: remote },
      passive: true,
    };
    return this.#add(own, settings.name);
  }

  #onSpeaker(name: string, address: Address): void {
    for (const peer of this.#peers.values()) {
      const { endpoint } = peer.settings;
      if (endpoint.kind !== 'interface' || endpoint.interface !== name) continue;
      if (peer.address !== undefined && (peer.isUp || addressEquals(peer.address, address))) continue;
      peer.address = address;
      this.#setKeys();
      peer.handle({ kind: 'leave' });
      this.#begin(peer);
    }
  }
}

/** What a RIB is built upon. */
const identityOf = ({ asn, routerId, clusterId, decision, maxPaths }: BgpSettings) => ({
  asn,
  routerId,
  clusterId,
  decision,
  maxPaths,
});

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const addressKey = ({ words }: Address): string => words.join('.');
const keyOf = ({ address, length }: Prefix): string => `${addressKey(address)}/${length}`;
