/**
 * Requests about routes: to add, replace, delete, list them and to ask which one a packet would take. Builds requests
 * and does nothing itself; `Rtnetlink` runs them. Source: linux/rtnetlink.h.
 */
import { Errno } from '../errno.ts';
import { addressText } from '../sockaddr.ts';
import {
  attribute,
  concat,
  type Dump,
  NlmFlag,
  nested,
  optional,
  type Query,
  type Request,
  raw,
  u16,
  u32,
} from './message.ts';
import {
  ROUTE_TYPES,
  type Route,
  type RouteHop,
  RouteProtocol,
  RouteScope,
  RouteTable,
  RTMSG_SIZE,
  RTNEXTHOP_SIZE,
  RTNH_F_ONLINK,
  Rta,
  readRoute,
} from './route.ts';
import { type Family, familyNumber, familyOf, prefixText, Rtm } from './types.ts';

/** Fails with EEXIST when the table has a route of the same destination and priority. */
export function add(route: Route): Request {
  return request(Rtm.newRoute, NlmFlag.create | NlmFlag.exclusive, route, 'adding');
}

/** Adds the route, in place of the one of the same destination, priority and table if there is one. */
export function replace(route: Route): Request {
  return request(Rtm.newRoute, NlmFlag.create | NlmFlag.replace, route, 'setting');
}

/** Deletes the first route that has all that is given. Fails with ESRCH when there is none. */
export function remove(route: Route): Request {
  return request(Rtm.delRoute, 0, route, 'deleting');
}

export interface RouteFilter {
  readonly family: Family;
  readonly table?: number | undefined;
  readonly protocol?: number | undefined;
  /** All but those of this protocol; the kernel lists them all the same, and nothing is made of them. */
  readonly exceptProtocol?: number | undefined;
}

/** Those of one family; clones that the kernel made of others for its own use are left out. */
export function all(filter: RouteFilter): Dump<Route> {
  const { family, table, protocol, exceptProtocol } = filter;
  const header = new Uint8Array(RTMSG_SIZE);
  header[0] = familyNumber(family);
  header[PROTOCOL] = protocol ?? 0;
  return {
    answer: 'many',
    type: Rtm.getRoute,
    flags: 0,
    payload: concat(header, optional(Rta.table, table, u32)),
    doing: `listing the IPv${family} routes${table === undefined ? '' : ` of table ${table}`}`,
    // Kernels before 4.20 do not filter.
    read: (message) => {
      if (message.payload[PROTOCOL] === exceptProtocol) return undefined;
      const route = readRoute(message);
      if (!route || (table ?? route.table) !== route.table) return undefined;
      return (protocol ?? route.protocol) === route.protocol ? route : undefined;
    },
    // A table that was never written to does not exist for the kernel.
    emptyOn: Errno.ENOENT,
  };
}

export interface RouteQuestion {
  readonly source?: Uint8Array | undefined;
  /** Index of the interface that the packet comes from; else it is one of this node's own. */
  readonly inputInterface?: number | undefined;
  readonly mark?: number | undefined;
}

/**
 * The route that a packet to `destination` takes: its interface, gateway, preferred source, and its MTU where that is less than
 * the interface's. Fails with ENETUNREACH where there is none, and with the errors of unreachable and prohibit routes.
 */
export function getRoute(destination: Uint8Array, question: RouteQuestion = {}): Query<Route> {
  const { source, inputInterface, mark } = question;
  const header = new Uint8Array(RTMSG_SIZE);
  header[0] = familyOf(destination);
  header[1] = destination.length * 8;
  header[2] = source ? source.length * 8 : 0;
  return {
    answer: 'one',
    type: Rtm.getRoute,
    flags: 0,
    payload: concat(
      header,
      attribute(Rta.destination, destination),
      optional(Rta.source, source, raw),
      optional(Rta.inputInterface, inputInterface, u32),
      optional(Rta.mark, mark, u32),
    ),
    doing: `asking for the route to ${addressText(destination)}`,
    read: readRoute,
  };
}

/** Where struct rtmsg has it. */
const PROTOCOL = 5;

/** Where `request` puts the destination's address: in the attribute behind the header. */
const DESTINATION = RTMSG_SIZE + 4;

/**
 * The same request for another destination of its family, for many routes that are alike but for that.
 *
 * @throws RangeError for a destination that all are in: it has no address in a request
 */
export function withDestination(request: Request, { address, length }: Route['destination']): Request {
  if (request.payload[1] === 0 || length === 0) throw new RangeError('a default route is like no other');
  const payload = request.payload.slice();
  payload[1] = length;
  payload.set(address, DESTINATION);
  return new Redirected(request, payload);
}

class Redirected implements Request {
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  readonly #from: Request;

  constructor(from: Request, payload: Uint8Array) {
    this.type = from.type;
    this.flags = from.flags;
    this.payload = payload;
    this.#from = from;
  }

  /** Made when it is asked for, which is hardly ever. */
  get doing(): string {
    const [family, length] = this.payload;
    const address = this.payload.subarray(DESTINATION, DESTINATION + (family === familyNumber(4) ? 4 : 16));
    return `${this.#from.doing.split(' ', 1)[0]} the route to ${prefixText({ address, length })}`;
  }

  get remedies(): Request['remedies'] {
    return this.#from.remedies;
  }
}

function request(type: number, flags: number, route: Route, verb: string): Request {
  const { destination, table = RouteTable.main, gateway, hops, mtu } = route;
  const family = familyOf(destination.address);
  const header = new Uint8Array(RTMSG_SIZE);
  header[0] = family;
  header[1] = destination.length;
  header[4] = table < 256 ? table : 0;
  header[PROTOCOL] = route.protocol ?? (type === Rtm.newRoute ? RouteProtocol.static : 0);
  header[6] = route.scope ?? defaultScope(type, route);
  header[7] = route.type === undefined && type === Rtm.delRoute ? 0 : ROUTE_TYPES[route.type ?? 'unicast'];
  header.set(u32(route.onlink ? RTNH_F_ONLINK : 0), 8);
  return {
    type,
    flags,
    payload: concat(
      header,
      destination.length > 0 ? attribute(Rta.destination, destination.address) : undefined,
      gateway && encodeGateway(family, gateway),
      optional(Rta.preferredSource, route.preferredSource, raw),
      table > 255 ? attribute(Rta.table, u32(table)) : undefined,
      optional(Rta.outputInterface, route.index, u32),
      optional(Rta.priority, route.priority, u32),
      mtu === undefined ? undefined : nested(Rta.metrics, attribute(Rta.mtu, u32(mtu))),
      hops && attribute(Rta.multipath, concat(...hops.map((hop) => encodeHop(family, hop)))),
      optional(Rta.nexthopId, route.nexthopId, u32),
    ),
    doing: `${verb} the route to ${prefixText(destination)} in table ${table}`,
    remedies: {
      EEXIST: 'the table has one to the same destination already',
      ESRCH: 'the table has no such route',
      ENETUNREACH: 'its gateway is not reachable directly; give `onlink`, or an address in its subnet',
      ENETDOWN: 'its interface is down',
      ENODEV: 'its interface does not exist',
    },
  };
}

function defaultScope(type: number, route: Route): number {
  if (type === Rtm.delRoute) return RouteScope.nowhere;
  const direct = route.type === undefined || route.type === 'unicast';
  const routed = route.gateway ?? route.hops ?? route.nexthopId;
  if (route.type === 'local') return RouteScope.host;
  return direct && routed === undefined ? RouteScope.link : RouteScope.universe;
}

function encodeGateway(family: number, gateway: Uint8Array): Uint8Array {
  const own = familyOf(gateway);
  return own === family ? attribute(Rta.gateway, gateway) : attribute(Rta.via, concat(u16(own), gateway));
}

function encodeHop(family: number, hop: RouteHop): Uint8Array {
  const gateway = hop.gateway && encodeGateway(family, hop.gateway);
  const header = new Uint8Array(RTNEXTHOP_SIZE);
  header.set(u16(RTNEXTHOP_SIZE + (gateway?.length ?? 0)));
  header[2] = hop.onlink ? RTNH_F_ONLINK : 0;
  header[3] = (hop.weight ?? 1) - 1;
  header.set(u32(hop.index ?? 0), 4);
  return concat(header, gateway);
}
