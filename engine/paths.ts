// What control says a route points to, and the registry that turns it into rows of the shared tables: one adjacency for
// each distinct way to send, one remote for each underlay address, one next hop for each distinct set of paths, shared
// and counted. A row is given back when its last route goes, and reused when no worker can still be looking at it.

import { type Address, formatAddress, mappedWords } from '../wire/address.ts';
import { formatMac, type Mac } from '../wire/mac.ts';
import { AdjacencyKind, type AdjacencyRow, writeAdjacency } from './tables/adjacencies.ts';
import type { Tables } from './tables/buffers.ts';
import { clearRemoteCells } from './tables/counters.ts';
import { IdPool } from './tables/id-pool.ts';
import { Limits } from './tables/limits.ts';
import { BUCKETS_PER_GROUP, dealBuckets, writeNextHop } from './tables/next-hops.ts';
import { linkRemote, setRemoteVnis, unlinkRemote } from './tables/remotes.ts';

export type PortId = number;

/**
 * One way to reach a prefix. `mtu` is the largest inner IP packet, in bytes; `vni` 0 to 2^24 - 1; `weight` relative to the
 * other paths, default 1.
 */
export type PathSpec =
  | { readonly kind: 'port'; readonly port: PortId }
  | {
      readonly kind: 'vxlan';
      readonly via: Address;
      readonly mac: Mac;
      readonly vni: number;
      readonly udpPort: number;
      readonly mtu: number;
      readonly weight?: number;
    }
  | { readonly kind: 'ipip'; readonly via: Address; readonly mtu: number; readonly weight?: number }
  | { readonly kind: 'direct'; readonly via: Address; readonly mtu: number; readonly weight?: number }
  | { readonly kind: 'unreachable' };

/** What the registry has to know of ports to send to one. */
export interface PortLookup {
  mtu(port: PortId): number;
  /** The node's own port, through which `direct` leaves. @throws Error when there is none */
  host(): PortId;
}

interface Shared {
  readonly id: number;
  readonly key: string;
  users: number;
}

interface Remote extends Shared {
  readonly address: Address;
  /** Users by VNI that adjacencies to it send with. */
  readonly vnis: Map<number, number>;
}

interface Adjacency extends Shared {
  readonly path: PathSpec;
  readonly remote: Remote | undefined;
}

interface NextHop extends Shared {
  readonly paths: readonly PathSpec[];
  readonly adjacencies: readonly Adjacency[];
  readonly firstBucket: number;
}

const MOST_USUAL = 4096;

export class PathRegistry {
  readonly #tables: Tables;
  readonly #ports: PortLookup;
  readonly #nextEpoch: () => number;
  readonly #ownVni: number;
  readonly #remotes = new Map<string, Remote>();
  readonly #adjacencies = new Map<string, Adjacency>();
  readonly #nextHops = new Map<string, NextHop>();
  readonly #byId = new Map<number, NextHop>();
  /** Where a route went that came from one next hop and got certain paths: the others go there too. */
  readonly #usual = new Map<string, NextHop>();
  readonly #keys = new WeakMap<readonly PathSpec[], string>();
  readonly #remoteIds = new IdPool(Limits.remotes, 'tunnel end points');
  readonly #adjacencyIds = new IdPool(Limits.adjacencies, 'adjacencies');
  readonly #nextHopIds = new IdPool(Limits.nextHops, 'next hops');
  readonly #groupIds = new IdPool(
    (Limits.buckets - Limits.nextHops) / BUCKETS_PER_GROUP,
    'next hops with several paths',
  );

  /** @param ownVni the VNI that every tunnel end point may use @param nextEpoch the epoch that will make the change public */
  constructor(tables: Tables, ports: PortLookup, ownVni: number, nextEpoch: () => number) {
    this.#tables = tables;
    this.#ports = ports;
    this.#ownVni = ownVni;
    this.#nextEpoch = nextEpoch;
  }

  /** Underlay addresses that routes name, with the remote id by which they are counted. */
  remotes(): { readonly id: number; readonly address: Address }[] {
    return [...this.#remotes.values()].map(({ id, address }) => ({ id, address }));
  }

  /** The paths of a next hop. */
  pathsOf(nextHop: number): readonly PathSpec[] {
    return this.#byId.get(nextHop)?.paths ?? [];
  }

  /**
   * A next hop for these paths, in use until released. Routes with the same paths share it, unless the past of one would
   * have flows change their path that need not.
   * @param previous the next hop whose flows should stay where they are
   */
  acquire(paths: readonly PathSpec[], previous: number): number {
    const before = this.#byId.get(previous);
    const past = before && before.adjacencies.length > 1 ? before : undefined;
    const key = this.#keyOf(paths);
    const way = `${past?.id ?? 0}>${key}`;
    const usual = this.#usual.get(way);
    if (usual && this.#byId.get(usual.id) === usual) {
      usual.users++;
      return usual.id;
    }
    const nextHop = this.#find(key, paths, past);
    // Of what is gone meanwhile nothing is kept for long.
    if (this.#usual.size >= MOST_USUAL) this.#usual.clear();
    this.#usual.set(way, nextHop);
    return nextHop.id;
  }

  #find(key: string, paths: readonly PathSpec[], past: NextHop | undefined): NextHop {
    const adjacencies: Adjacency[] = [];
    try {
      for (const path of paths) adjacencies.push(this.#acquireAdjacency(path));
      const dealt = this.#deal(paths, adjacencies, past);
      const whole = dealt ? `${key}|${dealt.join()}` : key;
      const known = this.#nextHops.get(whole);
      if (known) {
        for (const adjacency of adjacencies) this.#releaseAdjacency(adjacency);
        known.users++;
        return known;
      }
      const nextHop = this.#writeNextHop(whole, paths, adjacencies, dealt);
      this.#nextHops.set(whole, nextHop);
      this.#byId.set(nextHop.id, nextHop);
      return nextHop;
    } catch (error) {
      for (const adjacency of adjacencies) this.#releaseAdjacency(adjacency);
      // Without room for one of its own it shares what others have, at the cost of flows that move.
      if (past && error instanceof RangeError) return this.#find(key, paths, undefined);
      throw error;
    }
  }

  release(id: number): void {
    const nextHop = this.#byId.get(id);
    if (!nextHop || --nextHop.users > 0) return;
    this.#nextHops.delete(nextHop.key);
    this.#byId.delete(id);
    this.#nextHopIds.release(id, this.#nextEpoch());
    if (nextHop.adjacencies.length > 1)
      this.#groupIds.release(groupOf(nextHop.firstBucket), this.#nextEpoch());
    for (const adjacency of nextHop.adjacencies) this.#releaseAdjacency(adjacency);
  }

  reclaim(acknowledged: number): void {
    for (const pool of [this.#remoteIds, this.#adjacencyIds, this.#nextHopIds, this.#groupIds]) {
      pool.reclaim(acknowledged);
    }
  }

  #keyOf(paths: readonly PathSpec[]): string {
    let key = this.#keys.get(paths);
    if (key === undefined) {
      key = paths.map((path) => `${pathKey(path)}*${weightOf(path)}`).join(' ');
      this.#keys.set(paths, key);
    }
    return key;
  }

  /** Which bucket is whose, undefined for a single path. */
  #deal(
    paths: readonly PathSpec[],
    adjacencies: readonly Adjacency[],
    past: NextHop | undefined,
  ): readonly number[] | undefined {
    if (paths.length === 1) return undefined;
    const { buckets } = this.#tables;
    const old = past
      ? Array.from(buckets.subarray(past.firstBucket, past.firstBucket + BUCKETS_PER_GROUP))
      : [];
    const weighted = adjacencies.map(({ id }, n) => ({ adjacency: id, weight: weightOf(paths[n]) }));
    return dealBuckets(weighted, old, BUCKETS_PER_GROUP);
  }

  /** One path: the bucket of the next hop's own number. Several: a group of buckets behind those. */
  #writeNextHop(
    key: string,
    paths: readonly PathSpec[],
    adjacencies: readonly Adjacency[],
    dealt: readonly number[] | undefined,
  ): NextHop {
    const { buckets, nextHops } = this.#tables;
    const group = dealt ? this.#groupIds.take() : 0;
    const id = this.#takeId(this.#nextHopIds, () => {
      if (group > 0) this.#groupIds.release(group, this.#nextEpoch());
    });
    const firstBucket = dealt ? firstBucketOf(group) : id;
    buckets.set(dealt ?? [adjacencies[0].id], firstBucket);
    writeNextHop(nextHops, id, firstBucket, dealt ? BUCKETS_PER_GROUP : 1);
    return { id, key, users: 1, paths, adjacencies, firstBucket };
  }

  #acquireAdjacency(path: PathSpec): Adjacency {
    const key = pathKey(path);
    const known = this.#adjacencies.get(key);
    if (known) {
      known.users++;
      return known;
    }
    const remote = 'via' in path ? this.#acquireRemote(path.via, vniOf(path)) : undefined;
    const id = this.#takeId(this.#adjacencyIds, () => {
      if (remote) this.#releaseRemote(remote, vniOf(path));
    });
    writeAdjacency(this.#tables.adjacencies, id, this.#row(path, remote?.id ?? 0));
    const adjacency = { id, key, users: 1, path, remote };
    this.#adjacencies.set(key, adjacency);
    return adjacency;
  }

  #releaseAdjacency(adjacency: Adjacency): void {
    if (--adjacency.users > 0) return;
    const { id, key, path, remote } = adjacency;
    this.#adjacencies.delete(key);
    this.#adjacencyIds.release(id, this.#nextEpoch());
    if (remote) this.#releaseRemote(remote, vniOf(path));
  }

  /** Takes an id; when there is none, undoes what was done before. */
  #takeId(pool: IdPool, undo: () => void): number {
    try {
      return pool.take();
    } catch (error) {
      undo();
      throw error;
    }
  }

  #acquireRemote(address: Address, vni: number | undefined): Remote {
    const remote = this.#remotes.get(formatAddress(address)) ?? this.#newRemote(address);
    // Before it is counted: this is what can fail, and a remote that was there keeps its VNIs then.
    this.#useVni(remote, vni, 1);
    remote.users++;
    return remote;
  }

  #releaseRemote(remote: Remote, vni: number | undefined): void {
    this.#useVni(remote, vni, -1);
    if (--remote.users > 0) return;
    this.#remotes.delete(remote.key);
    unlinkRemote(this.#tables.remotes, remote.id);
    this.#remoteIds.release(remote.id, this.#nextEpoch());
  }

  #newRemote(address: Address): Remote {
    const key = formatAddress(address);
    const remote: Remote = { id: this.#remoteIds.take(), key, users: 0, address, vnis: new Map() };
    clearRemoteCells(this.#tables.counters, remote.id);
    linkRemote(this.#tables.remotes, remote.id, mappedWords(address));
    this.#remotes.set(key, remote);
    return remote;
  }

  /** A remote may send with the node's own VNI and with those that routes to it use. */
  #useVni(remote: Remote, vni: number | undefined, change: 1 | -1): void {
    const users = vni === undefined ? 0 : (remote.vnis.get(vni) ?? 0) + change;
    const others = [...remote.vnis.keys()].filter((other) => other !== vni);
    const used = users > 0 ? [...others, vni as number] : others;
    setRemoteVnis(this.#tables.remotes, remote.id, [...new Set([this.#ownVni, ...used])]);
    if (vni === undefined) return;
    if (users > 0) remote.vnis.set(vni, users);
    else remote.vnis.delete(vni);
  }

  #row(path: PathSpec, remote: number): AdjacencyRow {
    switch (path.kind) {
      case 'port':
        return { kind: AdjacencyKind.port, mtu: this.#ports.mtu(path.port), port: path.port };
      case 'direct':
        return { kind: AdjacencyKind.port, mtu: path.mtu, port: this.#ports.host(), remote };
      case 'unreachable':
        return { kind: AdjacencyKind.unreachable, mtu: 0 };
      case 'ipip':
        return { kind: AdjacencyKind.ipip, mtu: path.mtu, remote, outer: path.via };
      case 'vxlan': {
        const { mtu, via, mac, vni, udpPort } = path;
        return { kind: AdjacencyKind.vxlan, mtu, remote, outer: via, mac, vni, udpPort };
      }
    }
  }
}

const vniOf = (path: PathSpec): number | undefined => (path.kind === 'vxlan' ? path.vni : undefined);

const weightOf = (path: PathSpec): number => ('weight' in path ? (path.weight ?? 1) : 1);

const firstBucketOf = (group: number): number => Limits.nextHops + (group - 1) * BUCKETS_PER_GROUP;
const groupOf = (firstBucket: number): number => (firstBucket - Limits.nextHops) / BUCKETS_PER_GROUP + 1;

const pathKey = (path: PathSpec): string => {
  if (path.kind === 'unreachable') return path.kind;
  if (path.kind === 'port') return `port:${path.port}`;
  const to = `${path.kind}:${formatAddress(path.via)}:${path.mtu}`;
  return path.kind === 'vxlan' ? `${to}:${formatMac(path.mac)}:${path.vni}:${path.udpPort}` : to;
};
