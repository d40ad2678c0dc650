/**
 * What a route is, read from RTM_NEWROUTE messages. Source: linux/rtnetlink.h.
 */
import { AF_INET, AF_INET6 } from '../sockaddr.ts';
import {
  type Attributes,
  decodeAttributes,
  getBytes,
  getNested,
  getU32,
  type Message,
  readI32,
  readU16,
  readU32,
} from './message.ts';
import { anyAddress, type BytePrefix, Rtm } from './types.ts';

//  struct rtmsg   0 u8 family   1 u8 destination length   2 u8 source length   3 u8 tos
//                 4 u8 table   5 u8 protocol   6 u8 scope   7 u8 type   8 u32 flags
export const RTMSG_SIZE = 12;
//  struct rtnexthop   0 u16 length with attributes   2 u8 flags   3 u8 weight less one   4 i32 interface index
export const RTNEXTHOP_SIZE = 8;
export const RTNH_F_ONLINK = 4;

export const Rta = {
  destination: 1,
  source: 2,
  inputInterface: 3,
  outputInterface: 4,
  gateway: 5,
  priority: 6,
  preferredSource: 7,
  metrics: 8,
  multipath: 9,
  table: 15,
  mark: 16,
  via: 18,
  nexthopId: 30,
  // in metrics
  mtu: 2,
} as const;

/** What a route does with a packet, by the kernel's number. */
export const ROUTE_TYPES = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
} as const;
export type RouteType = keyof typeof ROUTE_TYPES;

/** RT_SCOPE_*. */
export const RouteScope = { universe: 0, link: 253, host: 254, nowhere: 255 } as const;
/** RT_TABLE_*. */
export const RouteTable = { default: 253, main: 254, local: 255 } as const;
/** RTPROT_* of who installed a route; 4 to 255, of which many are taken (/etc/iproute2/rt_protos). */
export const RouteProtocol = {
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  ra: 9,
  bird: 12,
  bgp: 186,
} as const;

/** One way to go. */
export interface RouteHop {
  /** Index of the interface. */
  readonly index?: number | undefined;
  /** Address of the next router, of either family. */
  readonly gateway?: Uint8Array | undefined;
  /** The gateway is reachable on the interface though no prefix says so. */
  readonly onlink?: boolean | undefined;
  /** 1 to 256; default 1. */
  readonly weight?: number | undefined;
}

export interface Route extends Omit<RouteHop, 'weight'> {
  readonly destination: BytePrefix;
  /** Default 'unicast'. */
  readonly type?: RouteType | undefined;
  /** Default 254, the main table. */
  readonly table?: number | undefined;
  /** Default `static` in requests. */
  readonly protocol?: number | undefined;
  /** Default: universe with a gateway, else link. */
  readonly scope?: number | undefined;
  /** The smaller the better. 0 of IPv6 means the kernel's default of 1024. */
  readonly priority?: number | undefined;
  /** Source address that this node uses on the route. */
  readonly preferredSource?: Uint8Array | undefined;
  /** Bytes: the path's MTU as a metric of the route. */
  readonly mtu?: number | undefined;
  /** Several ways at once, instead of `index` and `gateway`. */
  readonly hops?: readonly RouteHop[] | undefined;
  /** Id of a nexthop object, instead of `index`, `gateway` and `hops`. */
  readonly nexthopId?: number | undefined;
}

/** Undefined when the message is not about a route, or about one of another family than IPv4 and IPv6. */
export function readRoute(message: Message): Route | undefined {
  if (message.type !== Rtm.newRoute && message.type !== Rtm.delRoute) return undefined;
  const { payload } = message;
  const family = payload[0];
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const attributes = decodeAttributes(payload, RTMSG_SIZE);
  const flags = readU32(payload, 8);
  const multipath = attributes.get(Rta.multipath);
  return {
    destination: {
      address: getBytes(attributes, Rta.destination) ?? anyAddress(family),
      length: payload[1],
    },
    type: ROUTE_TYPE_NAMES[payload[7]] ?? 'unicast',
    table: getU32(attributes, Rta.table) ?? payload[4],
    protocol: payload[5],
    scope: payload[6],
    index: getU32(attributes, Rta.outputInterface),
    gateway: readGateway(attributes),
    onlink: (flags & RTNH_F_ONLINK) !== 0 || undefined,
    priority: getU32(attributes, Rta.priority),
    preferredSource: getBytes(attributes, Rta.preferredSource),
    mtu: getU32(getNested(attributes, Rta.metrics), Rta.mtu),
    hops: multipath && readHops(multipath),
    nexthopId: getU32(attributes, Rta.nexthopId),
  };
}

const ROUTE_TYPE_NAMES: Readonly<Record<number, RouteType>> = Object.fromEntries(
  Object.entries(ROUTE_TYPES).map(([name, number]) => [number, name as RouteType]),
);

/** RTA_GATEWAY, or RTA_VIA (u16 family, address) when it is of another family than the route. */
function readGateway(attributes: Attributes): Uint8Array | undefined {
  return getBytes(attributes, Rta.gateway) ?? attributes.get(Rta.via)?.slice(2);
}

function readHops(bytes: Uint8Array): RouteHop[] {
  const hops: RouteHop[] = [];
  for (let at = 0; at + RTNEXTHOP_SIZE <= bytes.length; ) {
    const length = readU16(bytes, at);
    if (length < RTNEXTHOP_SIZE || at + length > bytes.length) break;
    hops.push({
      index: readI32(bytes, at + 4),
      gateway: readGateway(decodeAttributes(bytes.subarray(0, at + length), at + RTNEXTHOP_SIZE)),
      onlink: (bytes[at + 2] & RTNH_F_ONLINK) !== 0 || undefined,
      weight: bytes[at + 3] + 1,
    });
    at += (length + 3) & ~3;
  }
  return hops;
}
