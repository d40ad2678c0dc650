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

/** One way to reach a prefix. `mtu` is the largest inner IP packet, in bytes; `vni` 0 to 2^24 - 1. */
export type PathSpec =
  | { readonly kind: 'port'; readonly port: PortId }
  | {
      readonly kind: 'vxlan';
      readonly via: Address;
      readonly mac: Mac;
      readonly vni: number;
      readonly udpPort: number;
      readonly mtu: number;
    }
  | { readonly kind: 'ipip'; readonly via: Address; readonly mtu: number }
  | { readonly kind: 'direct'; readonly via: Address; readonly mtu: number }
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
  readonly adjacencies: readonly Adjacency[];
  readonly firstBucket: number;
}

export class PathRegistry {
  readonly #tables: Tables;
  readonly #ports: PortLookup;
  readonly #nextEpoch: () => number;
  readonly #ownVni: number;
  readonly #remotes = new Map<string, Remote>();
  readonly #adjacencies = new Map<string, Adjacency>();
  readonly #nextHops = new Map<string, NextHop>();
  readonly #byId = new Map<number, NextHop>();
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
    return this.#byId.get(nextHop)?.adjacencies.map(({ path }) => path) ?? [];
  }

  /** A next hop for these paths, in use until released. @param previous the next hop whose flows should stay where they are */
  acquire(paths: readonly PathSpec[], previous: number): number {
    const key = paths.map(pathKey).join(' ');
    const known = this.#nextHops.get(key);
    if (known) {
      known.users++;
      return known.id;
    }
    const adjacencies: Adjacency[] = [];
    try {
      for (const path of paths) adjacencies.push(this.#acquireAdjacency(path));
      const nextHop = this.#writeNextHop(key, adjacencies, previous);
      this.#nextHops.set(key, nextHop);
      this.#byId.set(nextHop.id, nextHop);
      return nextHop.id;
    } catch (error) {
      for (const adjacency of adjacencies) this.#releaseAdjacency(adjacency);
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

  /** One path: the bucket of the next hop's own number. Several: a group of buckets behind those. */
  #writeNextHop(key: string, adjacencies: readonly Adjacency[], previous: number): NextHop {
    const { buckets, nextHops } = this.#tables;
    const group = adjacencies.length > 1 ? this.#groupIds.take() : 0;
    const id = this.#takeId(this.#nextHopIds, () => {
      if (group > 0) this.#groupIds.release(group, this.#nextEpoch());
    });
    if (adjacencies.length === 1) {
      buckets[id] = adjacencies[0].id;
      writeNextHop(nextHops, id, id, 1);
      return { id, key, users: 1, adjacencies, firstBucket: id };
    }
    const first = firstBucketOf(group);
    const before = this.#byId.get(previous);
    const old =
      before && before.adjacencies.length > 1
        ? Array.from(buckets.subarray(before.firstBucket, before.firstBucket + BUCKETS_PER_GROUP))
        : [];
    const paths = adjacencies.map((adjacency) => ({ adjacency: adjacency.id, weight: 1 }));
    buckets.set(dealBuckets(paths, old, BUCKETS_PER_GROUP), first);
    writeNextHop(nextHops, id, first, BUCKETS_PER_GROUP);
    return { id, key, users: 1, adjacencies, firstBucket: first };
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

const firstBucketOf = (group: number): number => Limits.nextHops + (group - 1) * BUCKETS_PER_GROUP;
const groupOf = (firstBucket: number): number => (firstBucket - Limits.nextHops) / BUCKETS_PER_GROUP + 1;

const pathKey = (path: PathSpec): string => {
  if (path.kind === 'unreachable') return path.kind;
  if (path.kind === 'port') return `port:${path.port}`;
  const to = `${path.kind}:${formatAddress(path.via)}:${path.mtu}`;
  return path.kind === 'vxlan' ? `${to}:${formatMac(path.mac)}:${path.vni}:${path.udpPort}` : to;
};
