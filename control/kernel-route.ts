/**
 * What the kernel is asked for where a route of the fabric leads: made from values, and compared with what the kernel has.
 */
import type { KernelPath } from '../routing/fib-sync.ts';
import { keyOf } from '../routing/route-table.ts';
import { type Request, type Route, routes } from '../sys/rtnetlink.ts';
import { type Address, addressFromBytes, addressToBytes } from '../wire/address.ts';
import type { Prefix } from '../wire/prefix.ts';
import { WEFT_PROTOCOL } from './protocol.ts';

export type UnderlayPath = Extract<KernelPath, { kind: 'underlay' }>;

export function sameVias(a: UnderlayPath, b: UnderlayPath): boolean {
  return a === b || JSON.stringify(a.vias) === JSON.stringify(b.vias);
}

export function samePath(a: KernelPath, b: KernelPath): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/**
 * Routes that were learned stand behind those that someone set on this node: 20 is what routing daemons use; in IPv6, where
 * a link's own route has 256 and one without a metric 1024, between these.
 */
const LEARNED_METRIC = { 4: 20, 6: 512 } as const;
const DEFAULT_METRIC = { 4: 0, 6: 1024 } as const;

interface RouteParts {
  readonly hostPort: { readonly index: number; readonly mtu: number };
  readonly source: Address | undefined;
  readonly group: number | undefined;
}

export function kernelRoute(
  prefix: Prefix,
  path: KernelPath,
  { hostPort, source, group }: RouteParts,
): Route {
  const { family } = prefix.address;
  const common = {
    destination: { address: addressToBytes(prefix.address), length: prefix.length },
    protocol: WEFT_PROTOCOL,
    ...(path.learned && { priority: LEARNED_METRIC[family] }),
  };
  if (path.kind === 'fabric') {
    const mtu = Math.min(path.mtu, hostPort.mtu);
    return {
      ...common,
      index: hostPort.index,
      mtu,
      ...(source && { preferredSource: addressToBytes(source) }),
    };
  }
  if (group !== undefined) return { ...common, nexthopId: group };
  const hops = path.vias.map(({ address, interface: index, weight }) => ({
    gateway: addressToBytes(address),
    ...(index !== undefined && { index }),
    ...(weight !== undefined && { weight }),
  }));
  if (hops.length > 1) return { ...common, hops };
  const { weight, ...only } = hops[0];
  return { ...common, ...only };
}

export const VERBS = { add: routes.add, replace: routes.replace, remove: removal } as const;
export type Verb = keyof typeof VERBS;

export function removal({ destination, index, priority }: Route): Request {
  return routes.remove({
    destination,
    protocol: WEFT_PROTOCOL,
    ...(index !== undefined && { index }),
    ...(priority !== undefined && { priority }),
  });
}

export function leadsAlike(wanted: Route, found: Route): boolean {
  if (wanted.nexthopId !== undefined || found.nexthopId !== undefined)
    return wanted.nexthopId === found.nexthopId;
  if (wanted.hops === undefined && found.hops === undefined) {
    return sameBytes(wanted.gateway ?? NO_GATEWAY, found.gateway ?? NO_GATEWAY);
  }
  const gateways = (route: Route) =>
    (route.hops ?? [route]).map(({ gateway }) => Buffer.from(gateway ?? []).toString('hex')).sort();
  return gateways(wanted).join() === gateways(found).join();
}

export function prefixOf({ destination }: Route): Prefix {
  return { address: addressFromBytes(destination.address), length: destination.length };
}

const NO_GATEWAY = new Uint8Array(0);

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** The kernel has one route of ours at each. */
export function placeOf(route: Route): string {
  return `${keyOf(prefixOf(route))} ${metricOf(route)}`;
}

/** As the kernel has it where none is given. */
export function metricOf({ destination, priority }: Route): number {
  return priority ?? DEFAULT_METRIC[destination.address.length === 4 ? 4 : 6];
}
