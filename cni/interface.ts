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
  RouteTable,
  type Rtnetlink,
  routes,
} from '../sys/rtnetlink.ts';
import { openTunQueue, setOffload } from '../sys/tun.ts';
import { type Address, addressToBytes } from '../wire/address.ts';
import type { GsoLimits } from './host.ts';

export interface InterfaceSpec {
  readonly ifname: string;
  /** At most one a family. */
  readonly ips: readonly Address[];
  readonly mtu: number;
  /** One a worker. */
  readonly queues: number;
  /** TunOffload. */
  readonly offload: number;
  readonly gso: GsoLimits;
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
        for (const { family } of spec.ips) addDefaultRoute(netlink, index, family);
      });
      return fds;
    });
  });
}

/** Opens the queues of an interface made earlier, whatever their number was then, and repairs what is missing of it. */
export function adoptInterface(namespace: string, spec: InterfaceSpec): number[] {
  return inNamespace(namespace, () => {
    const fds = openQueues(spec, 'existing');
    return orClose(fds, () => {
      withNetlink((netlink) => {
        const { index, up } = netlink.get(links.byName(spec.ifname));
        netlink.run(...spec.ips.map((ip) => addresses.replace(hostRoute(index, ip))));
        if (!up) netlink.run(links.change(index, { up: true }));
        for (const { family } of spec.ips) {
          const all = netlink.list(routes.all({ family, table: RouteTable.main }));
          const hasDefault = all.some((route) => route.destination.length === 0 && route.index === index);
          if (!hasDefault) addDefaultRoute(netlink, index, family);
        }
      });
      return fds;
    });
  });
}

export function findInterface(namespace: string | number, ifname: string): Link | undefined {
  return inNamespace(namespace, () => withNetlink((netlink) => netlink.find(links.byName(ifname))));
}

/** Deletes the interface if it exists and is a TUN. */
export function removeInterface(namespace: string | number, ifname: string): void {
  inNamespace(namespace, () =>
    withNetlink((netlink) => {
      const link = netlink.find(links.byName(ifname));
      if (link?.kind === 'tun') netlink.run(links.remove(link.index));
    }),
  );
}

/** The same without holding up this thread, for the kernel takes 25 ms. */
export async function removeInterfaceInBackground(namespace: string, ifname: string): Promise<void> {
  const netlink = openRtnetlink(namespace);
  try {
    const link = netlink.find(links.byName(ifname));
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

/** Of a pod that has a default route already this one comes second: for sockets bound to the interface. */
function addDefaultRoute(netlink: Rtnetlink, index: number, family: 4 | 6): void {
  const route = { destination: { address: new Uint8Array(family === 4 ? 4 : 16), length: 0 }, index };
  const [error] = netlink.settle([routes.add(route)]);
  if (error?.code === 'EEXIST') netlink.run(routes.add({ ...route, priority: 1024 + index }));
  else if (error) throw error;
}
