/**
 * The node's kernel table as the resolving of next hops sees it: routes of everyone but Weft, over links that are up, kept
 * current by the kernel's notifications. Reads only; what Weft itself installs is in kernel-routes.ts.
 */
import type { KernelWay } from '../routing/next-hops.ts';
import { PrefixMap } from '../routing/prefix-map.ts';
import { keyOf, type PrefixKey } from '../routing/route-table.ts';
import {
  links,
  type Notification,
  openNotifications,
  openRtnetlink,
  type Route,
  RouteTable,
  type Rtnetlink,
  routes,
} from '../sys/rtnetlink.ts';
import { watchReadable } from '../sys/watch.ts';
import { type Address, addressFromBytes } from '../wire/address.ts';
import type { Prefix } from '../wire/prefix.ts';
import { WEFT_PROTOCOL } from './protocol.ts';

export interface KernelWays {
  /** Those that contain the address, longest first. */
  covering(address: Address): Iterable<{ readonly prefix: Prefix; readonly value: KernelWay }>;
  interfaceIndex(name: string): number | undefined;
  close(): void;
}

/** What belongs together in the kernel comes in several messages; a cable that is cut must not wait longer than this, ms. */
const SETTLE = 5;

/** @param onChange called when ways are other ones than before */
export function openKernelWays(onChange: () => void): KernelWays {
  const notifications = openNotifications(['link', 'route'], { exceptRoutesOf: WEFT_PROTOCOL });
  const netlink = openRtnetlink();
  let current = read(netlink);
  let timer: NodeJS.Timeout | undefined;
  const renew = () => {
    timer = undefined;
    const next = read(netlink);
    if (next.signature === current.signature) return;
    current = next;
    onChange();
  };
  const watch = watchReadable(
    notifications.fd,
    () => {
      if (notifications.drain().some(concernsOthers)) timer ??= setTimeout(renew, SETTLE);
    },
    false,
  );
  return {
    covering: (address) => current.ways.covering(address),
    interfaceIndex: (name) => current.interfaces.get(name),
    close() {
      clearTimeout(timer);
      watch.close();
      notifications.close();
      netlink.close();
    },
  };
}

function concernsOthers(notification: Notification): boolean {
  return notification.subject !== 'route' || isForeign(notification.value);
}

const isForeign = ({ protocol, table }: Route): boolean =>
  protocol !== WEFT_PROTOCOL && table === RouteTable.main;

interface Reading {
  readonly ways: PrefixMap<KernelWay>;
  readonly interfaces: ReadonlyMap<string, number>;
  /** Equal for equal readings. */
  readonly signature: string;
}

function read(netlink: Rtnetlink): Reading {
  const all = netlink.list(links.all());
  const up = new Set(all.filter(({ up, carrier }) => up && carrier).map(({ index }) => index));
  const best = new Map<
    PrefixKey,
    { readonly prefix: Prefix; readonly way: KernelWay; readonly metric: number }
  >();
  for (const family of [4, 6] as const) {
    for (const route of netlink.list(routes.all({ family, table: RouteTable.main })).filter(isForeign)) {
      const way = wayOf(route, up);
      if (!way) continue;
      const { address, length } = route.destination;
      const prefix = { address: addressFromBytes(address), length };
      const metric = route.priority ?? 0;
      const known = best.get(keyOf(prefix));
      if (!known || metric < known.metric) best.set(keyOf(prefix), { prefix, way, metric });
      // IPv6 shows several ways of one route as several routes of one metric.
      else if (metric === known.metric) {
        best.set(keyOf(prefix), { prefix, way: { hops: [...known.way.hops, ...way.hops] }, metric });
      }
    }
  }
  const ways = new PrefixMap<KernelWay>();
  for (const { prefix, way } of best.values()) ways.set(prefix, way);
  const interfaces = new Map(all.map(({ name, index }) => [name, index]));
  const signature = JSON.stringify([
    [...best].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    [...interfaces],
  ]);
  return { ways, interfaces, signature };
}

/** Undefined where another route decides: one whose links are all down, or which has rules of its own (throw). */
function wayOf(route: Route, up: ReadonlySet<number>): KernelWay | undefined {
  if (route.type === 'unreachable' || route.type === 'blackhole' || route.type === 'prohibit')
    return { hops: [] };
  if (route.type !== undefined && route.type !== 'unicast') return undefined;
  const hops = (route.hops ?? [route]).flatMap(({ index, gateway }) =>
    index !== undefined && up.has(index)
      ? [{ interface: index, ...(gateway && { gateway: addressFromBytes(gateway) }) }]
      : [],
  );
  return hops.length > 0 ? { hops } : undefined;
}
