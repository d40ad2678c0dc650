/**
 * A pod's interface: a TUN device inside the pod's namespace whose queues the engine reads and writes. Everything here
 * is synchronous, because the thread is in the pod's namespace meanwhile. Decides nothing about addresses or lifetimes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { libc } from '../sys/libc.ts';
import { inNamespace } from '../sys/netns.ts';
import {
  addresses,
  type Link,
  links,
  openRtnetlink,
  qdiscs,
  type Route,
  type Rtnetlink,
  routes,
} from '../sys/rtnetlink.ts';
import { openTunQueue, setOffload } from '../sys/tun.ts';
import { type Address, addressToBytes } from '../wire/address.ts';
import type { Prefix } from '../wire/prefix.ts';
import type { GsoLimits } from './host.ts';

export interface InterfaceSpec {
  readonly ifname: string;
  /** At most one a family. */
  readonly ips: readonly Address[];
  /** What the default routes go through, at most one a family; of a family that has none they go to the interface. */
  readonly gateways: readonly Address[];
  /** Beside the default routes; made with the interface and not repaired later. */
  readonly routes?: readonly PodRoute[] | undefined;
  readonly mtu: number;
  /** One a worker. */
  readonly queues: number;
  /** TunOffload. */
  readonly offload: number;
  readonly gso: GsoLimits;
}

/** A route in a pod, through its interface. */
export interface PodRoute {
  readonly destination: Prefix;
  readonly gateway?: Address | undefined;
}

/**
 * Packets that a queue of the device holds until the engine reads them. The default of 500 loses some at 200,000 a second:
 * two busy cores leave the queue unread for milliseconds.
 */
const TX_QUEUE_LENGTH = 10_000;

/**
 * Makes the interface with its addresses and default routes and brings it up; returns the descriptors of its queues. It
 * vanishes with the last of them until it is made persistent. When a step fails nothing is left.
 */
export function createInterface(namespace: number, spec: InterfaceSpec): number[] {
  return inNamespace(namespace, () => {
    const fds = openQueues(spec, 'new');
    return orClose(fds, () => {
      if (spec.ips.some(({ family }) => family === 6)) enableIpv6(spec.ifname);
      withNetlink((netlink) => {
        const { index } = netlink.get(links.byName(spec.ifname));
        netlink.run(
          links.change(index, {
            mtu: spec.mtu,
            txQueueLength: TX_QUEUE_LENGTH,
            gsoMaxSegments: spec.gso.maxSegments,
            gsoMaxSize: spec.gso.maxSize,
            addressGeneration: 'none',
          }),
          // The device never asks its discipline to wait; and a discipline for each of the 256 queues that it might have,
          // sized for TX_QUEUE_LENGTH, would be 90 MB a pod.
          qdiscs.replaceByNone(index),
          ...spec.ips.map((ip) => addresses.add(hostRoute(index, ip))),
          links.change(index, { up: true }),
        );
        addDefaultRoutes(netlink, index, spec.ips, spec.gateways);
        for (const route of spec.routes ?? []) addRoute(netlink, encoded(index, route));
      });
      return fds;
    });
  });
}

/** Opens the queues of an interface made earlier, whatever their number was then, and repairs what is missing of it. */
export function adoptInterface(namespace: number, spec: InterfaceSpec): number[] {
  return inNamespace(namespace, () => {
    const fds = openQueues(spec, 'existing');
    return orClose(fds, () => {
      withNetlink((netlink) => {
        const { index, up } = netlink.get(links.byName(spec.ifname));
        netlink.run(...spec.ips.map((ip) => addresses.replace(hostRoute(index, ip))));
        if (!up) netlink.run(links.change(index, { up: true }));
        // A plugin behind ours may have moved them to a table of its own.
        const lacking = spec.ips.filter(({ family }) => {
          const all = netlink.list(routes.all({ family }));
          return !all.some((route) => route.destination.length === 0 && route.index === index);
        });
        addDefaultRoutes(netlink, index, lacking, spec.gateways);
      });
      return fds;
    });
  });
}

export function hasInterface(namespace: number, ifname: string): boolean {
  return inNamespace(namespace, () => libc.if_nametoindex(ifname) !== 0);
}

export function findInterface(namespace: number, ifname: string): Link | undefined {
  return inNamespace(namespace, () => withNetlink((netlink) => netlink.find(links.byName(ifname))));
}

/** Deletes the interface if it exists and is a TUN. */
export function removeInterface(namespace: number, ifname: string): void {
  inNamespace(namespace, () =>
    withNetlink((netlink) => {
      const link = netlink.find(links.byName(ifname));
      if (link?.kind === 'tun') netlink.run(links.remove(link.index));
    }),
  );
}

/** The same without holding up this thread, for the kernel takes 25 ms, and as long for what comes before. */
export async function removeInterfaceInBackground(namespace: number, ifname: string): Promise<void> {
  const netlink = openRtnetlink(namespace);
  try {
    const link = await netlink.findInBackground(links.byName(ifname));
    if (link?.kind === 'tun') await netlink.runInBackground(links.remove(link.index));
  } finally {
    netlink.close();
  }
}

function openQueues({ ifname, queues, offload }: InterfaceSpec, device: 'new' | 'existing'): number[] {
  const fds: number[] = [];
  return orClose(fds, () => {
    for (let i = 0; i < queues; i++) {
      fds.push(openTunQueue({ name: ifname, device: i === 0 ? device : 'existing' }).fd);
    }
    setOffload(fds[0], offload);
    return fds;
  });
}

function orClose<T>(fds: readonly number[], fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    for (const fd of fds) libc.close(fd);
    throw error;
  }
}

function withNetlink<T>(fn: (netlink: Rtnetlink) => T): T {
  const netlink = openRtnetlink();
  try {
    return fn(netlink);
  } finally {
    netlink.close();
  }
}

/** Runtimes switch IPv6 off in pods that they do not expect to have it; the reference plugins switch it on as well. */
function enableIpv6(ifname: string): void {
  const path = `/proc/sys/net/ipv6/conf/${ifname}/disable_ipv6`;
  if (readFileSync(path, 'utf8').trim() !== '0') writeFileSync(path, '0');
}

function hostRoute(index: number, ip: Address) {
  // Nobody else can have the address, so duplicate address detection would only delay the pod.
  const v6 = ip.family === 6;
  return {
    index,
    address: addressToBytes(ip),
    prefixLength: v6 ? 128 : 32,
    ...(v6 && { flags: addresses.AddressFlag.noDad }),
  };
}

/**
 * A default route a family, through the gateway, and a route to that. The interface leads there anyway, having no neighbours
 * to choose from; but who reads routes takes one without a gateway for one to a network that is connected directly. The
 * plugin `sbr` cannot copy such a default route.
 */
function addDefaultRoutes(
  netlink: Rtnetlink,
  index: number,
  ips: readonly Address[],
  gateways: readonly Address[],
): void {
  const found = ips.map(({ family }) => gateways.find((gateway) => gateway.family === family));
  const toGateways = found.flatMap((gateway) => {
    if (!gateway) return [];
    const address = addressToBytes(gateway);
    return [{ destination: { address, length: address.length * 8 }, index }];
  });
  const defaults = ips.map(({ family }, i) => ({
    destination: { address: new Uint8Array(family === 4 ? 4 : 16), length: 0 },
    gateway: found[i] && addressToBytes(found[i]),
    index,
  }));
  const all: Route[] = [...toGateways, ...defaults];
  const errors = netlink.settle(all.map(routes.add));
  for (const [i, error] of errors.entries()) if (error) addRoute(netlink, all[i]);
}

/** Of a pod that has such a route already this one comes second: for sockets bound to the interface. */
function addRoute(netlink: Rtnetlink, route: Route): void {
  const [error] = netlink.settle([routes.add(route)]);
  if (error?.code === 'EEXIST') netlink.run(routes.add({ ...route, priority: 1024 + (route.index ?? 0) }));
  else if (error) throw error;
}

/** Whatever the gateway, the interface leads to it. */
function encoded(index: number, { destination, gateway }: PodRoute): Route {
  const { address, length } = destination;
  return {
    destination: { address: addressToBytes(address), length },
    index,
    ...(gateway && { gateway: addressToBytes(gateway), onlink: true }),
  };
}
