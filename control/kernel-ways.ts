/**
 * The node's kernel table as the resolving of next hops sees it: routes of everyone but Weft, over links that are up, kept
 * current by the kernel's notifications. Reads only; what Weft itself installs is in kernel-routes.ts.
 */
import type { Log } from '../cni/host.ts';
import type { KernelWay } from '../routing/next-hops.ts';
import { PrefixMap } from '../routing/prefix-map.ts';
import { keyOf, type PrefixKey } from '../routing/route-table.ts';
import {
  type Link,
  links,
  type Notification,
  openNotifications,
  openRtnetlink,
  type Route,
  RouteTable,
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
/** After a list that could not be read, ms. */
const RETRY = 1000;

/** @param onChange called when ways are other ones than before */
export function openKernelWays(log: Log, onChange: () => void): KernelWays {
  const notifications = openNotifications(['link', 'route'], { exceptRoutesOf: WEFT_PROTOCOL });
  const netlink = openRtnetlink();
  let foreign = FAMILIES.flatMap((family) => netlink.list(foreignOf(family)));
  let current = reading(netlink.list(links.all()), foreign);
  let timer: NodeJS.Timeout | undefined;
  let isListing = false;
  let isOutdated = false;
  let isClosed = false;
  const look = () => {
    const next = reading(netlink.list(links.all()), foreign);
    if (next.signature === current.signature) return;
    current = next;
    onChange();
  };
  const renew = () => {
    timer = undefined;
    // What a link that is up or down changes is so at once; the routes may be many, with those of Weft among them.
    look();
    isOutdated = true;
    if (!isListing) void list();
  };
  const renewIn = (milliseconds: number) => {
    timer ??= setTimeout(renew, milliseconds);
  };
  const list = async () => {
    isListing = true;
    try {
      while (isOutdated && !isClosed) {
        isOutdated = false;
        const listed = await listForeign();
        if (isClosed) return;
        foreign = listed;
        look();
      }
    } catch (error) {
      log.warn({ err: error }, "the routes of the node's table could not be read, and are read again");
      if (!isClosed) renewIn(RETRY);
    } finally {
      isListing = false;
    }
  };
  const watch = watchReadable(
    notifications.fd,
    () => {
      if (notifications.drain().some(concernsOthers)) renewIn(SETTLE);
    },
    false,
  );
  return {
    covering: (address) => current.ways.covering(address),
    interfaceIndex: (name) => current.interfaces.get(name),
    close() {
      isClosed = true;
      clearTimeout(timer);
      watch.close();
      notifications.close();
      netlink.close();
    },
  };
}

const FAMILIES = [4, 6] as const;

function foreignOf(family: 4 | 6) {
  return routes.all({ family, table: RouteTable.main, exceptProtocol: WEFT_PROTOCOL });
}

/** Some at a time, everything else having its turn in between. */
async function listForeign(): Promise<Route[]> {
  const netlink = openRtnetlink();
  try {
    const all: Route[] = [];
    for (const family of FAMILIES) {
      let found: Route[] = [];
      const begin = () => {
        found = [];
      };
      await netlink.visit(foreignOf(family), begin, (route) => found.push(route));
      for (const route of found) all.push(route);
    }
    return all;
  } finally {
    netlink.close();
  }
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

function reading(all: readonly Link[], foreign: readonly Route[]): Reading {
  const up = new Set(all.filter(({ up, carrier }) => up && carrier).map(({ index }) => index));
  const best = new Map<
    PrefixKey,
    { readonly prefix: Prefix; readonly way: KernelWay; readonly metric: number }
  >();
  for (const route of foreign) {
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
