/**
 * The node's own port into the fabric (`weft0`): a TUN in the node's namespace with the node's address in each of its pod
 * ranges. Persistent, so that a restart of the daemon takes nothing away from the node's connections; what serves pods
 * that stay, stays, and a node without pods leaves nothing behind. Routes through it are in kernel-routes.ts.
 */

import type { GsoLimits, Log } from '../cni/host.ts';
import { readRingProblem } from '../sys/io-uring.ts';
import { libc } from '../sys/libc.ts';
import { addresses, links, qdiscs, type Rtnetlink } from '../sys/rtnetlink.ts';
import { openTunQueue, probeOffloads, setOffload, setPersistent } from '../sys/tun.ts';
import { type Address, addressToBytes } from '../wire/address.ts';
import { WeftError } from './errors.ts';
import type { KernelOffloads, Offloads } from './offload.ts';
import { enableForwarding, setSysctl } from './sysctl.ts';

export interface HostPortOptions {
  /** `host.interface`. */
  readonly name: string;
  /** One a worker. */
  readonly queues: number;
  /** Chooses the offloads from what the kernel has for TUN queues. */
  chooseOffloads(kernel: Pick<KernelOffloads, 'tun' | 'ringProblem'>): Offloads;
  readonly mtu: number;
  readonly gso: GsoLimits;
  /** The first usable address of each of the node's pod ranges. */
  readonly addresses: readonly Address[];
  readonly netlink: Rtnetlink;
  readonly log: Log;
}

export interface HostPort {
  readonly index: number;
  /** One a queue; whoever takes them closes them. */
  readonly fds: readonly number[];
  readonly offloads: Offloads;
}

const TX_QUEUE_LENGTH = 10_000;

/** Makes the interface or takes over that of an earlier daemon. Throws when one of that name is something else. */
export function openHostPort(options: HostPortOptions): HostPort {
  const { name, netlink } = options;
  const before = netlink.find(links.byName(name));
  if (before && before.kind !== 'tun') {
    throw new WeftError(
      'failed',
      `host.interface: ${name} exists and is no TUN interface (${before.kind ?? 'hardware'}); give another name, or delete it`,
    );
  }
  const fds: number[] = [];
  try {
    for (let i = 0; i < options.queues; i++) fds.push(openTunQueue({ name }).fd);
    const kernel = { tun: probeOffloads(fds[0]), ringProblem: readRingProblem(fds[0]) };
    const offloads = options.chooseOffloads(kernel);
    setOffload(fds[0], offloads.tun);
    const { index } = netlink.get(links.byName(name));
    netlink.run(
      links.change(index, {
        mtu: options.mtu,
        txQueueLength: TX_QUEUE_LENGTH,
        gsoMaxSegments: options.gso.maxSegments,
        gsoMaxSize: options.gso.maxSize,
        addressGeneration: 'none',
      }),
      qdiscs.replaceByNone(index),
    );
    setAddresses(netlink, index, options.addresses);
    netlink.run(links.change(index, { up: true }));
    for (const family of new Set(options.addresses.map((address) => address.family))) {
      enableForwarding(family, netlink, options.log);
    }
    // Answers may leave another way than by which the question came.
    setSysctl(`net/ipv4/conf/${name}/rp_filter`, '0', options.log);
    setPersistent(fds[0], true);
    return { index, fds, offloads };
  } catch (error) {
    for (const fd of fds) libc.close(fd);
    throw error;
  }
}

/** Deletes the interface, and with it its addresses and the routes through it. */
export function removeHostPort(name: string, netlink: Rtnetlink): void {
  const link = netlink.find(links.byName(name));
  if (link?.kind === 'tun') netlink.run(links.remove(link.index));
}

/** What an earlier configuration left goes, what is right stays untouched. */
function setAddresses(netlink: Rtnetlink, index: number, wanted: readonly Address[]): void {
  const bytes = wanted.map(addressToBytes);
  const isWanted = (address: Uint8Array) => bytes.some((other) => Buffer.compare(other, address) === 0);
  const stale = netlink.list(addresses.all({ index })).filter(({ address }) => !isWanted(address));
  netlink.run(
    ...stale.map(addresses.remove),
    ...bytes.map((address) => {
      const v6 = address.length === 16;
      const flags = v6 ? { flags: addresses.AddressFlag.noDad } : {};
      return addresses.replace({ index, address, prefixLength: v6 ? 128 : 32, ...flags });
    }),
  );
}
