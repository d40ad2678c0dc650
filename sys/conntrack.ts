/**
 * The kernel's table of connections, as far as translated ports need it: to find those to a port, and to end them, so that
 * what comes next of them is looked at anew. Builds requests; the socket that runs them is one of rtnetlink's kind.
 *
 *   const conntrack = openConntrack();
 *   conntrack.settle(conntrack.list(connections.to({ family: 4, protocol: 17, port: 53 })).map(connections.remove));
 */

export type { Connection, ConnectionFilter } from './netlink/connections.ts';
export * as connections from './netlink/connections.ts';

import { NETLINK_NETFILTER, openNetlink, type Rtnetlink } from './netlink/socket.ts';

/** Of the given namespace (path or descriptor) or else of that of this thread. */
export function openConntrack(namespace?: string | number): Rtnetlink {
  return openNetlink(NETLINK_NETFILTER, namespace);
}
