/** Weft's own speaker in the network of these tests: several may live in its namespace, each at an address of its own. */
import type { BgpPath, PeerView } from '../../routing/bgp/bgp.ts';
import { changesOf } from '../../routing/bgp/route-batch.ts';
import type { BgpSettings, PeerSettings } from '../../routing/bgp/settings.ts';
import { Speaker } from '../../routing/bgp/speaker.ts';
import { ACCEPT_ALL } from '../../routing/policy/policy.ts';
import { parseAddress } from '../../wire/address.ts';
import { formatPrefix, parsePrefix } from '../../wire/prefix.ts';
import type { SessionConfig } from './daemon.ts';
import { address } from './network.ts';
import { type OwnRoute, parseCommunity, parseLarge, parseTarget, type Route, routeOf } from './route.ts';

const PORT = 179;
const HOLD_TIME = 9;

export interface WeftOptions {
  readonly asn: number;
  /** Router ID and, unless `listen` says otherwise, where it listens. */
  readonly address: string;
  readonly listen?: string;
  readonly peers: readonly PeerSettings[];
  readonly maxPaths?: number;
  readonly clusterId?: string;
  readonly restarting?: boolean;
}

const ownOf = (local: string) => {
  const host = Number(/\d+$/.exec(local));
  return { 4: parseAddress(address(host, 4)), 6: parseAddress(address(host, 6)) };
};

/** A session's other end, as Weft is told of it. */
export const peerOf = (
  { local, remote, localAsn, families, interface: link, ...session }: SessionConfig,
  asn: number,
  more: Partial<PeerSettings> = {},
): PeerSettings => ({
  name: session.name,
  endpoint:
    link === undefined
      ? { kind: 'address', address: parseAddress(local) }
      : { kind: 'interface', interface: link },
  asn: localAsn ?? asn,
  port: PORT,
  ...(link === undefined && { localAddress: parseAddress(remote) }),
  holdTime: HOLD_TIME,
  connectRetry: 1,
  passive: false,
  advertisementInterval: 0,
  multihop: 1,
  ttlSecurity: session.ttlSecurity ?? false,
  ...(session.password !== undefined && { password: session.password }),
  families,
  addPath: session.addPath ? 'both' : 'off',
  extendedMessages: true,
  gracefulRestart: session.gracefulRestart ?? false,
  extendedNextHop: session.extendedNextHop ?? false,
  client: false,
  ...(session.role !== undefined && { role: session.role === 'provider' ? 'customer' : 'provider' }),
  // Several speakers share the interface: each has but its own of the addresses there.
  ...(link === undefined && { nextHops: ownOf(remote) }),
  options: {},
  maxPrefixRestart: 0,
  import: ACCEPT_ALL,
  export: ACCEPT_ALL,
  ...more,
});

export class Weft {
  readonly log: string[] = [];
  /** What would go into the FIB, by prefix. */
  readonly best = new Map<string, readonly BgpPath[]>();
  /** Sessions that went up ('up peer') and down. */
  readonly events: string[] = [];
  readonly #speaker: Speaker;

  constructor({
    asn,
    address: own,
    listen = own,
    peers,
    maxPaths = 1,
    clusterId,
    restarting = false,
  }: WeftOptions) {
    const settings: BgpSettings = {
      asn,
      routerId: parseAddress(own),
      ...(clusterId !== undefined && { clusterId: parseAddress(clusterId) }),
      listen: { address: parseAddress(listen), port: PORT },
      maxPaths,
      gracefulRestart: { restartTime: 30, stalePathTime: 30, longLivedTime: 0, selectionDeferral: 10 },
      peers,
    };
    this.#speaker = new Speaker(
      settings,
      {
        onRoutes: (batch) => {
          for (const { prefix, paths } of changesOf(batch)) {
            if (paths.length === 0) this.best.delete(formatPrefix(prefix));
            else this.best.set(formatPrefix(prefix), paths);
          }
        },
        onInitialRoutes: () => {},
        // All is one hop away here.
        onNextHops: ({ added }) =>
          setImmediate(() => this.#speaker.nextHops(added.map((one) => ({ address: one, cost: 0 })))),
        onPeer: ({ peer, up }) => void this.events.push(`${up ? 'up' : 'down'} ${peer}`),
        onLog: (level, fields, text) =>
          void this.log.push(`${new Date().toISOString()} ${level} ${text} ${JSON.stringify(fields)}`),
        onFailure: (error) => void this.log.push(`failed: ${error.stack}`),
      },
      { restarting },
    );
    this.#speaker.start();
  }

  announce(routes: readonly OwnRoute[]): void {
    this.#speaker.originate(
      routes.map(({ prefix, med, communities, large, extended }) => ({
        prefix: parsePrefix(prefix),
        attributes: {
          ...(med !== undefined && { med }),
          ...(communities !== undefined && { communities: communities.map(parseCommunity) }),
          ...(large !== undefined && { largeCommunities: large.map(parseLarge) }),
          ...(extended !== undefined && { extendedCommunities: extended.map(parseTarget) }),
        },
      })),
    );
  }

  peer(name: string): PeerView {
    const view = this.#speaker.peers().find((one) => one.name === name);
    if (view === undefined) throw new Error(`no peer ${name}`);
    return view;
  }

  /** UPDATEs and ROUTE-REFRESHes to daemons, whose sessions have names with an s. */
  routeMessagesSent(): number {
    const toDaemons = this.#speaker.peers().filter(({ name }) => name.startsWith('s'));
    return toDaemons.reduce((sum, { messages: { sent } }) => sum + sent.update + sent.routeRefresh, 0);
  }

  /** As they came, before policy. */
  received(peer: string, prefix: string): Route[] {
    const asked = this.#speaker.routes({ rib: 'received', peer, prefix: parsePrefix(prefix) });
    return [...asked].flatMap((one) => (one === undefined ? [] : [routeOf(one)]));
  }

  /** Those that count, after policy. */
  accepted(peer: string, prefix: string): Route[] {
    const asked = this.#speaker.routes({ rib: 'accepted', peer, prefix: parsePrefix(prefix) });
    return [...asked].flatMap((one) => (one === undefined ? [] : [routeOf(one)]));
  }

  /** 'fresh' or 'stale' of the routes that a peer has sent. */
  staleness(peer: string, prefix: string): string[] {
    const asked = this.#speaker.routes({ rib: 'received', peer, prefix: parsePrefix(prefix) });
    return [...asked].flatMap((one) => (one === undefined ? [] : [one.staleness]));
  }

  /** BFD has lost it. */
  peerLost(peer: string, why: string): void {
    this.#speaker.peerLost(peer, why);
  }

  clear(peer: string, how: 'hard' | 'in' | 'out'): void {
    this.#speaker.clear(peer, how);
  }

  shutdown(peer: string, text: string): void {
    this.#speaker.shutdown(peer, text);
  }

  enable(peer: string): void {
    this.#speaker.enable(peer);
  }

  stop(restart = false): void {
    this.#speaker.stop({ restart });
  }
}
