/**
 * The routes of the configuration as candidates of the route table: encapsulation and MTU of each path worked out from
 * what is known of the underlay. Pure; called again whenever configuration or underlay change.
 */
import { type Address, formatAddress } from '../wire/address.ts';
import { type Mac, vtepMac } from '../wire/mac.ts';
import { formatPrefix, type Prefix } from '../wire/prefix.ts';
import type { Path } from './path.ts';
import { keyOf, type PrefixKey, type RouteTable } from './route-table.ts';

export type Encap = 'vxlan' | 'ipip' | 'direct';

/** Routes of the configuration that contradict each other or what an encapsulation can carry. */
export class RouteError extends Error {
  override readonly name = 'RouteError';
  readonly code = 'config';
}

/** One entry of `routes:`. Several with the same `to` share its flows (ECMP). */
export interface StaticRoute {
  readonly to: Prefix;
  readonly via: Address;
  readonly encap?: Encap | undefined;
  readonly mac?: Mac | undefined;
  readonly vni?: number | undefined;
  readonly port?: number | undefined;
}

/** What a path needs to know besides the route itself. */
export interface Surroundings {
  readonly encap: Encap;
  /** 'cross-subnet': unencapsulated to those for whom `onLink` holds. */
  readonly when: 'always' | 'cross-subnet';
  readonly vni: number;
  readonly udpPort: number;
  /** Whether the address is inside the subnet of one of this node's underlay addresses. */
  onLink(via: Address): boolean;
  /** Largest IP packet that the underlay carries to the address, bytes. */
  mtu(via: Address): number;
}

/**
 * Bytes that an encapsulation adds to an inner IP packet: RFC 7348 (outer IP, UDP 8, VXLAN 8, inner Ethernet 14),
 * RFC 2003 (outer IPv4).
 */
export function encapOverhead(encap: Encap, family: 4 | 6): number {
  if (encap === 'direct') return 0;
  const outer = family === 4 ? 20 : 40;
  return encap === 'vxlan' ? outer + 8 + 8 + 14 : outer;
}

/**
 * Returns a function that makes the table's static routes those given: adds, changes and removes, and touches nothing
 * that stays the same. It throws, with nothing changed, when the routes contradict each other or the underlay.
 */
export function staticRoutes(
  table: RouteTable,
): (routes: readonly StaticRoute[], surroundings: Surroundings) => void {
  let current: ReadonlyMap<PrefixKey, RouteToPaths> = new Map();
  return (routes, surroundings) => {
    const wanted = groupByPrefix(routes, surroundings);
    const gone = [...current].filter(([key]) => !wanted.has(key));
    current = wanted;
    for (const [, { prefix }] of gone) table.remove(prefix, 'static');
    for (const { prefix, paths } of wanted.values()) table.set(prefix, { source: 'static', paths });
  };
}

interface RouteToPaths {
  readonly prefix: Prefix;
  readonly paths: readonly Path[];
}

function groupByPrefix(
  routes: readonly StaticRoute[],
  surroundings: Surroundings,
): ReadonlyMap<PrefixKey, RouteToPaths> {
  const groups = new Map<PrefixKey, StaticRoute[]>();
  for (const route of routes) {
    const key = keyOf(route.to);
    groups.set(key, [...(groups.get(key) ?? []), route]);
  }
  const wanted = new Map<PrefixKey, RouteToPaths>();
  for (const [key, group] of groups) {
    const prefix = group[0].to;
    wanted.set(key, { prefix, paths: pathsOf(prefix, group, surroundings) });
  }
  return wanted;
}

function pathsOf(prefix: Prefix, group: readonly StaticRoute[], surroundings: Surroundings): Path[] {
  // All of a group or none: what the kernel routes for one path would come back to the engine for the other.
  const adjacent =
    surroundings.when === 'cross-subnet' &&
    group.every(({ via }) => via.family === prefix.address.family && surroundings.onLink(via));
  const encaps = group.map(({ encap }) => encap ?? (adjacent ? 'direct' : surroundings.encap));
  if (new Set(encaps.map((encap) => encap === 'direct')).size > 1) {
    throw new RouteError(
      `routes to ${formatPrefix(prefix)}: some are direct and others encapsulated; the paths of one prefix must be all direct or all not`,
    );
  }
  return group.map((route, i) => pathOf(route, encaps[i], surroundings));
}

function pathOf({ to, via, mac, vni, port }: StaticRoute, encap: Encap, surroundings: Surroundings): Path {
  const mtu = surroundings.mtu(via) - encapOverhead(encap, via.family);
  if (encap === 'vxlan') {
    return {
      kind: 'vxlan',
      via,
      mac: mac ?? vtepMac(via),
      vni: vni ?? surroundings.vni,
      udpPort: port ?? surroundings.udpPort,
      mtu,
    };
  }
  const route = `route to ${formatPrefix(to)} via ${formatAddress(via)}`;
  if (encap === 'ipip' && via.family !== 4) {
    throw new RouteError(
      `${route}: IPIP goes over IPv4 only; use 'encap: vxlan' or an IPv4 underlay address`,
    );
  }
  if (encap === 'direct' && via.family !== to.address.family) {
    throw new RouteError(`${route}: a direct route needs a next hop of the family of its prefix`);
  }
  return { kind: encap, via, mtu };
}
