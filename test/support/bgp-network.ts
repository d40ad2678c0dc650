/**
 * Speakers without kernel and time: RIBs, peers and sessions as they run, joined by connections of this file's making on a
 * clock that jumps from event to event. The same seed gives the same run.
 */
import type { BgpEvents } from '../../routing/bgp/bgp.ts';
import type { Clock } from '../../routing/bgp/clock.ts';
import { Peer, type PeerContext } from '../../routing/bgp/peer.ts';
import type { Ends, Input } from '../../routing/bgp/session.ts';
import type { PeerSettings, RestartSettings } from '../../routing/bgp/settings.ts';
import { ACCEPT_ALL } from '../../routing/policy/policy.ts';
import { Rib } from '../../routing/rib/rib.ts';
import type { RibRoute, RouteAttributes } from '../../routing/rib/route.ts';
import { type Address, formatAddress, parseAddress } from '../../wire/address.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../../wire/prefix.ts';
import { allBest } from './rib.ts';

/** One way, milliseconds. */
const LATENCY = 1;

export const DEFAULTS: Omit<PeerSettings, 'name' | 'endpoint' | 'asn'> = {
  port: 179,
  holdTime: 90,
  connectRetry: 5,
  passive: false,
  advertisementInterval: 0,
  multihop: 1,
  ttlSecurity: false,
  families: [4],
  addPath: 'off',
  extendedMessages: true,
  gracefulRestart: true,
  extendedNextHop: false,
  client: false,
  options: {},
  maxPrefixRestart: 0,
  import: ACCEPT_ALL,
  export: ACCEPT_ALL,
};

const RESTART: RestartSettings = {
  restartTime: 120,
  stalePathTime: 300,
  longLivedTime: 0,
  selectionDeferral: 30,
};

export class Network {
  now = 0;
  /** Whose packets get lost on the way, by the addresses of both ends: 'from to'. */
  readonly silent = new Set<string>();
  readonly speakers = new Map<string, SimSpeaker>();
  readonly connections = new Set<Link>();
  readonly #queue: { at: number; order: number; call: (() => void) | undefined }[] = [];
  #order = 0;
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed;
  }

  /** Of a speaker that is not there yet. */
  speaker(address: string, asn: number, options: SpeakerOptions = {}): SimSpeaker {
    const speaker = new SimSpeaker(this, parseAddress(address), asn, options);
    this.speakers.set(address, speaker);
    return speaker;
  }

  random = (): number => {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return this.#seed / 2 ** 32;
  };

  at(time: number, call: () => void): () => void {
    const entry: { at: number; order: number; call: (() => void) | undefined } = {
      at: Math.max(this.now, time),
      order: ++this.#order,
      call,
    };
    push(this.#queue, entry);
    return () => {
      entry.call = undefined;
    };
  }

  /** @param seconds of the clock in here */
  run(seconds: number): void {
    const end = this.now + seconds * 1000;
    for (let first = this.#queue[0]; first !== undefined && first.at <= end; first = this.#queue[0]) {
      pop(this.#queue);
      this.now = first.at;
      first.call?.();
    }
    this.now = end;
  }

  /** Until it is so; fails after `seconds`. */
  until(so: () => boolean, seconds = 120): void {
    const end = this.now + seconds * 1000;
    while (!so()) {
      const first = this.#queue[0];
      if (first === undefined || first.at > end) throw new Error(`it is not so after ${seconds} s`);
      pop(this.#queue);
      this.now = first.at;
      first.call?.();
    }
  }

  /** All connections between two break. */
  cut(a: string, b: string): void {
    for (const link of [...this.connections]) {
      const ends = [link.from.text, link.to.text];
      if (ends.includes(a) && ends.includes(b)) link.break('connection reset');
    }
  }
}

/** A binary heap by time, and by order at the same time. */
type Entry = { at: number; order: number; call: (() => void) | undefined };
const earlier = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
const push = (heap: Entry[], entry: Entry): void => {
  let i = heap.push(entry) - 1;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (!earlier(heap[i], heap[parent])) break;
    [heap[i], heap[parent]] = [heap[parent], heap[i]];
    i = parent;
  }
};
const pop = (heap: Entry[]): void => {
  const last = heap.pop() as Entry;
  if (heap.length === 0) return;
  heap[0] = last;
  for (let i = 0; ; ) {
    let least = i;
    for (const child of [2 * i + 1, 2 * i + 2]) {
      if (child < heap.length && earlier(heap[child], heap[least])) least = child;
    }
    if (least === i) return;
    [heap[i], heap[least]] = [heap[least], heap[i]];
    i = least;
  }
};

/** A connection: the ends are a peer's sockets and the number that it has there. */
class Link {
  readonly from: Sockets;
  readonly to: Sockets;
  readonly numbers: readonly [number, number];
  #open = true;

  constructor(from: Sockets, to: Sockets, numbers: readonly [number, number]) {
    this.from = from;
    this.to = to;
    this.numbers = numbers;
    from.network.connections.add(this);
  }

  send(by: Sockets, bytes: Uint8Array): void {
    const { network } = by;
    const [other, number] = this.#other(by);
    const copy = bytes.slice();
    network.at(network.now + LATENCY, () => {
      if (!this.#open || network.silent.has(`${by.text} ${other.text}`)) return;
      other.tell({ kind: 'data', connection: number, bytes: copy });
    });
    const mine = by === this.from ? this.numbers[0] : this.numbers[1];
    // Of one that nobody takes from, the kernel takes nothing any more.
    if (network.silent.has(`${by.text} ${other.text}`)) return;
    network.at(network.now, () => by.tell({ kind: 'written', connection: mine, count: copy.length }));
  }

  close(by: Sockets): void {
    const { network } = by;
    const [other, number] = this.#other(by);
    network.at(network.now + LATENCY, () => {
      this.#open = false;
      network.connections.delete(this);
      if (network.silent.has(`${by.text} ${other.text}`)) return;
      other.tell({ kind: 'disconnected', connection: number, why: 'the peer closed the connection' });
    });
  }

  break(why: string): void {
    this.#open = false;
    this.from.network.connections.delete(this);
    this.from.tell({ kind: 'disconnected', connection: this.numbers[0], why });
    this.to.tell({ kind: 'disconnected', connection: this.numbers[1], why });
  }

  #other(by: Sockets): [Sockets, number] {
    return by === this.from ? [this.to, this.numbers[1]] : [this.from, this.numbers[0]];
  }
}

/** Of one peer of a speaker. */
class Sockets {
  readonly network: Network;
  readonly owner: SimSpeaker;
  readonly peer: Peer;
  readonly links = new Map<number, Link>();
  #lastAccepted = -1;

  constructor(owner: SimSpeaker, peer: Peer) {
    this.network = owner.network;
    this.owner = owner;
    this.peer = peer;
  }

  get text(): string {
    return this.owner.text;
  }

  connect(connection: number): void {
    const { network } = this;
    const remote = formatAddress(this.peer.address as Address);
    network.at(network.now + 2 * LATENCY, () => {
      const other = network.speakers.get(remote)?.socketsOf(this.text);
      if (other === undefined) {
        this.tell({ kind: 'disconnected', connection, why: 'connection refused' });
        return;
      }
      const number = other.accept();
      const link = new Link(this, other, [connection, number]);
      this.links.set(connection, link);
      other.links.set(number, link);
      other.tell({ kind: 'accepted', connection: number, ends: other.ends() });
      this.tell({ kind: 'connected', connection, ends: this.ends() });
    });
  }

  accept(): number {
    this.#lastAccepted += 2;
    return this.#lastAccepted;
  }

  ends(): Ends {
    return { local: this.owner.address, remote: this.peer.address as Address };
  }

  write(connection: number, bytes: Uint8Array): void {
    this.links.get(connection)?.send(this, bytes);
  }

  close(connection: number): void {
    this.links.get(connection)?.close(this);
    this.links.delete(connection);
  }

  tell(input: Input): void {
    if (this.owner.isAlive) this.peer.handle(input);
  }
}

const told = ({ prefix, attributes }: { prefix: Prefix; attributes: RouteAttributes }): string =>
  `${formatPrefix(prefix)} ${JSON.stringify(attributes)}`;

export interface SpeakerOptions {
  readonly restarting?: boolean;
  readonly restart?: Partial<RestartSettings>;
  readonly routerId?: string;
}

export class SimSpeaker {
  readonly network: Network;
  readonly address: Address;
  readonly text: string;
  readonly rib: Rib;
  readonly best = new Map<string, readonly RibRoute[]>();
  readonly log: string[] = [];
  readonly peers = new Map<string, Peer>();
  isAlive = true;
  readonly #context: PeerContext;
  /** By the peer's address. */
  readonly #sockets = new Map<string, Sockets>();
  readonly #pending = new Set<string>();
  #isFlushing = false;
  #unexpire = (): void => {};

  constructor(
    network: Network,
    address: Address,
    asn: number,
    { restarting = false, restart, routerId }: SpeakerOptions,
  ) {
    this.network = network;
    this.address = address;
    this.text = formatAddress(address);
    const id = routerId === undefined ? address : parseAddress(routerId);
    this.rib = new Rib({
      asn,
      routerId: id,
      resolve: () => 1,
      onBest: () => {
        for (const { prefix } of allBest(this.rib)) {
          const routes = this.rib.chosen(prefix);
          if (routes.length === 0) this.best.delete(formatPrefix(prefix));
          else this.best.set(formatPrefix(prefix), routes);
        }
      },
      onPending: (name) => {
        this.#pending.add(name);
        this.#flushLater();
      },
    });
    const clock: Clock = {
      now: () => network.now,
      at: (time, call) => network.at(time, () => this.isAlive && call()),
    };
    const events = {
      onPeer: () => {},
      onLog: (_level: string, fields: object, text: string) =>
        void this.log.push(`${text} ${JSON.stringify(fields)}`),
    } as unknown as BgpEvents;
    this.#context = {
      speaker: { asn, routerId: id, gracefulRestart: { ...RESTART, ...restart }, restarting },
      rib: this.rib,
      events,
      clock,
      sockets: (peer) => {
        const sockets = new Sockets(this, peer);
        this.#sockets.set(formatAddress(peer.address as Address), sockets);
        return sockets;
      },
      random: network.random,
      onUp: () => {},
      onDown: () => {},
      onEndOfRib: () => {},
      onHandled: () => this.#flushLater(),
    };
  }

  /** Looks for it at once. */
  peer(address: string, asn: number | 'external', more: Partial<PeerSettings> = {}): Peer {
    const endpoint = { kind: 'address', address: parseAddress(address) } as const;
    const peer = new Peer(this.#context, { ...DEFAULTS, name: address, endpoint, asn, ...more });
    this.peers.set(peer.name, peer);
    peer.handle({ kind: 'start' });
    return peer;
  }

  originate(prefix: string, attributes: Partial<RouteAttributes> = {}): void {
    const nextHop = parseAddress(prefix.includes(':') ? '::' : '0.0.0.0');
    this.rib.originate(parsePrefix(prefix), { origin: 0, asPath: [], nextHop, ...attributes });
  }

  withdraw(prefix: string): void {
    this.rib.withdraw(parsePrefix(prefix));
  }

  /** The Loc-RIB: prefixes with where they lead and whether that is fresh. */
  get routes(): string[] {
    return [...this.rib.locRib()]
      .map(
        ({ prefix, routes: [first] }) => `${formatPrefix(prefix)} ${first.peer ?? 'own'} ${first.staleness}`,
      )
      .sort();
  }

  /** What it has from a peer, and what it has told one. */
  heard(peer: string): string[] {
    return [...this.rib.adjIn(peer, 'before')].map(told).sort();
  }

  said(peer: string): string[] {
    return [...this.rib.adjOut(peer)].map(told).sort();
  }

  socketsOf(remote: string): Sockets | undefined {
    return this.#sockets.get(remote);
  }

  /** From one moment to the next: its connections break, and it is gone. */
  crash(): void {
    this.isAlive = false;
    this.network.speakers.delete(this.text);
    for (const link of [...this.network.connections]) {
      if (link.from.owner === this || link.to.owner === this) link.break('connection reset');
    }
  }

  #flushLater(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.network.at(this.network.now, () => {
      this.#isFlushing = false;
      if (!this.isAlive) return;
      for (const name of this.#pending) {
        this.#pending.delete(name);
        const peer = this.peers.get(name);
        if (peer?.isUp) peer.handle({ kind: 'pending' });
      }
      if (this.rib.removeLeaving()) this.#flushLater();
      this.#unexpire();
      const at = this.rib.nextDeadline();
      if (at !== undefined) {
        this.#unexpire = this.network.at(at, () => {
          if (!this.isAlive) return;
          this.rib.expire(this.network.now);
          this.#flushLater();
        });
      }
    });
  }
}
