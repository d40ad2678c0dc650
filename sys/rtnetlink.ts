/**
 * rtnetlink(7): links, addresses, routes, rules, neighbours and nexthops of a network namespace. The modules build requests,
 * a socket runs them, several in one system call:
 *
 *   const rtnetlink = openRtnetlink('/run/netns/blue');
 *   const { index } = rtnetlink.get(links.byName('eth0'));
 *   rtnetlink.run(
 *     addresses.add({ index, address: Uint8Array.of(10, 0, 0, 1), prefixLength: 24 }),
 *     links.change(index, { up: true, mtu: 1450 }),
 *   );
 */

export type { InterfaceAddress } from './netlink/addresses.ts';
export * as addresses from './netlink/addresses.ts';
export type { Link, LinkStatistics } from './netlink/link.ts';
export * as links from './netlink/links.ts';
export type { Dump, Request } from './netlink/message.ts';
export type { Neighbour } from './netlink/neighbours.ts';
export * as neighbours from './netlink/neighbours.ts';
export type { Nexthop } from './netlink/nexthops.ts';
export * as nexthops from './netlink/nexthops.ts';
export { type Notification, type Notifications, openNotifications } from './netlink/notifications.ts';
export * as qdiscs from './netlink/qdiscs.ts';
export { type Route, type RouteHop, RouteProtocol, RouteScope, RouteTable } from './netlink/route.ts';
export * as routes from './netlink/routes.ts';
export type { Rule } from './netlink/rules.ts';
export * as rules from './netlink/rules.ts';
export { openRtnetlink, type Rtnetlink } from './netlink/socket.ts';
