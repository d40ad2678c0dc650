/**
 * Kernel settings that a node of the fabric needs, in the network namespace of the calling thread. Reads first and leaves
 * alone what is right already; says what it has changed. Never sets anything back: others may rely on it by then.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../cni/host.ts';
import { links, RouteProtocol, RouteTable, type Rtnetlink, routes } from '../sys/rtnetlink.ts';
import { WeftError } from './errors.ts';

/** Sets, say, net/ipv4/ip_forward. Throws an error that says what to do when that is not possible. */
export function setSysctl(name: string, value: string, log: Log): void {
  const path = join('/proc/sys', name);
  try {
    const before = readFileSync(path, 'utf8').trim();
    if (before === value) return;
    writeFileSync(path, value);
    log.info({ sysctl: name.replaceAll('/', '.'), before, value }, 'kernel setting changed');
  } catch (error) {
    throw new WeftError(
      'failed',
      `setting ${name.replaceAll('/', '.')} to ${value} failed (${(error as Error).message}); set it before weft starts, or give weft a writable /proc/sys`,
      { cause: error },
    );
  }
}

/** Lets the node forward packets of the family, without costing it what it learned of its routers. */
export function enableForwarding(family: 4 | 6, netlink: Rtnetlink, log: Log): void {
  if (family === 4) {
    setSysctl('net/ipv4/ip_forward', '1', log);
    return;
  }
  // Forwarding makes the kernel forget routers heard by advertisements and not listen any more (accept_ra 1); 2 keeps both.
  const learned = netlink
    .list(routes.all({ family: 6, table: RouteTable.main, protocol: RouteProtocol.ra }))
    .flatMap(({ index, hops }) => [index, ...(hops ?? []).map((hop) => hop.index)]);
  for (const index of new Set(learned)) {
    const link = index === undefined ? undefined : netlink.find(links.byIndex(index));
    if (link) setSysctl(`net/ipv6/conf/${link.name}/accept_ra`, '2', log);
  }
  setSysctl('net/ipv6/conf/all/forwarding', '1', log);
}
