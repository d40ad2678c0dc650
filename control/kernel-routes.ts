/**
 * The routes of Weft in the node's own kernel table, by which the node's packets, and those that come to it for pods,
 * find the fabric: told apart from everyone else's by a protocol number of their own. Never touches another's route.
 */

import type { Log } from '../cni/host.ts';
import type { KernelPath, KernelRoutes } from '../routing/fib-sync.ts';
import { keyOf } from '../routing/route-table.ts';
import { type Route, RouteTable, type Rtnetlink, routes } from '../sys/rtnetlink.ts';
import { type Address, addressFromBytes, addressToBytes } from '../wire/address.ts';
import { formatPrefix, type Prefix } from '../wire/prefix.ts';

/** RTPROT_* of Weft: no daemon that is known has it (iproute2's rt_protos). `ip route show proto 87` shows what is Weft's. */
export const WEFT_PROTOCOL = 87;

export interface KernelRouteOptions {
  readonly netlink: Rtnetlink;
  /** Index and MTU of the host port. */
  readonly hostPort: { readonly index: number; readonly mtu: number };
  /** The node's own addresses in the fabric: what it sends there comes from them. At most one a family is used. */
  readonly sources: readonly Address[];
  readonly log: Log;
}

export function openKernelRoutes({ netlink, hostPort, sources, log }: KernelRouteOptions): NodeRoutes {
  const wanted = new Map<string, Route>();
  /** Those of the wanted that the kernel took. */
  const installed = new Set<string>();
  /** What an earlier daemon left and nobody has asked for yet, by key. */
  const stale = new Map<string, Route>();
  for (const route of listOwn(netlink)) stale.set(keyOfRoute(route), route);

  const install = (key: string, route: Route): void => {
    // Replacing is for our own only: where there is none of ours, another's of the same prefix is to stay.
    const ours = installed.has(key) || stale.has(key);
    const [error] = netlink.settle([ours ? routes.replace(route) : routes.add(route)]);
    stale.delete(key);
    wanted.set(key, route);
    if (!error) installed.add(key);
    if (error)
      log.warn(
        { err: error },
        "a route of the fabric is not in the node's table: the node itself may not reach it",
      );
  };
  const uninstall = (key: string, route: Route): void => {
    wanted.delete(key);
    installed.delete(key);
    stale.delete(key);
    const { destination, index, priority } = route;
    const error = netlink.settle([
      routes.remove({
        destination,
        protocol: WEFT_PROTOCOL,
        ...(index && { index }),
        ...(priority && { priority }),
      }),
    ])[0];
    // The kernel drops routes by itself when an interface goes down.
    if (error && error.code !== 'ESRCH')
      log.warn({ err: error }, "a route could not be removed from the node's table");
  };

  return {
    set(prefix, path) {
      const source = sources.find(({ family }) => family === prefix.address.family);
      install(keyOf(prefix), kernelRoute(prefix, path, hostPort, source));
    },
    remove(prefix) {
      const key = keyOf(prefix);
      const route = wanted.get(key);
      if (route) uninstall(key, route);
    },
    removeStale() {
      for (const [key, route] of [...stale]) uninstall(key, route);
    },
    repair() {
      const present = new Set(listOwn(netlink).map(keyOfRoute));
      for (const [key, route] of wanted) {
        if (present.has(key)) continue;
        const [error] = netlink.settle([routes.add(route)]);
        if (error) continue;
        installed.add(key);
        log.info(
          { prefix: textOf(route) },
          "a route of the fabric was missing in the node's table and is back",
        );
      }
    },
    removeAll() {
      for (const [key, route] of [...wanted, ...stale]) uninstall(key, route);
    },
  };
}

export interface NodeRoutes extends KernelRoutes {
  /** Removes what an earlier daemon left, but for what has been set since. */
  removeStale(): void;
  /** Puts back what the kernel has dropped, as it does when an interface goes down. */
  repair(): void;
  removeAll(): void;
}

function kernelRoute(
  prefix: Prefix,
  path: KernelPath,
  hostPort: { readonly index: number; readonly mtu: number },
  source: Address | undefined,
): Route {
  const destination = { address: addressToBytes(prefix.address), length: prefix.length };
  const common = { destination, protocol: WEFT_PROTOCOL };
  if (path.kind === 'fabric') {
    const mtu = Math.min(path.mtu, hostPort.mtu);
    return {
      ...common,
      index: hostPort.index,
      mtu,
      ...(source && { preferredSource: addressToBytes(source) }),
    };
  }
  const gateways = path.vias.map(addressToBytes);
  if (gateways.length === 1) return { ...common, gateway: gateways[0] };
  return { ...common, hops: gateways.map((gateway) => ({ gateway })) };
}

function listOwn(netlink: Rtnetlink): Route[] {
  const filter = { table: RouteTable.main, protocol: WEFT_PROTOCOL };
  return ([4, 6] as const).flatMap((family) => netlink.list(routes.all({ family, ...filter })));
}

function prefixOf({ destination }: Route): Prefix {
  return { address: addressFromBytes(destination.address), length: destination.length };
}

function keyOfRoute(route: Route): string {
  return keyOf(prefixOf(route));
}

function textOf(route: Route): string {
  return formatPrefix(prefixOf(route));
}
