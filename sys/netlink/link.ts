/**
 * What a link (network interface) is, read from RTM_NEWLINK messages. Source: linux/if_link.h.
 */

import { AF_INET6 } from '../sockaddr.ts';
import {
  type Attributes,
  decodeAttributes,
  getBytes,
  getNested,
  getText,
  getU32,
  type Message,
  readI32,
  readU16,
  readU32,
  readU64,
} from './message.ts';
import { Rtm } from './types.ts';

//  struct ifinfomsg   0 u8 family   2 u16 type   4 i32 index   8 u32 flags   12 u32 which flags change
export const IFINFOMSG_SIZE = 16;
export const IFF_UP = 0x1;
export const IFF_NOARP = 0x80;
const IFF_LOWER_UP = 0x10000;

/** Attributes of a link, and of what is nested in them. */
export const Ifla = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  txQueueLength: 13,
  operationalState: 16,
  linkInfo: 18,
  statistics64: 23,
  familySpecific: 26,
  namespaceDescriptor: 28,
  gsoMaxSegments: 40,
  gsoMaxSize: 41,
  // in linkInfo
  infoKind: 1,
  infoData: 2,
  // in familySpecific, AF_INET6
  addressGeneration: 8,
} as const;

/** RFC 2863 operational states, by the kernel's number. */
const OPERATIONAL_STATES = [
  'unknown',
  'notPresent',
  'down',
  'lowerLayerDown',
  'testing',
  'dormant',
  'up',
] as const;
export type OperationalState = (typeof OPERATIONAL_STATES)[number];

/** How a link makes its IPv6 link-local address, by the kernel's number. */
export const ADDRESS_GENERATIONS = ['eui64', 'none', 'stablePrivacy', 'random'] as const;
export type AddressGeneration = (typeof ADDRESS_GENERATIONS)[number];

export interface LinkStatistics {
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxErrors: number;
  readonly txErrors: number;
  readonly rxDropped: number;
  readonly txDropped: number;
}

export interface Link {
  /** 1 and up. */
  readonly index: number;
  readonly name: string;
  /** 'veth', 'vxlan', 'tun' …; undefined for hardware and loopback. */
  readonly kind: string | undefined;
  /** ARPHRD_*: 1 Ethernet, 772 loopback, 65534 none (TUN). */
  readonly type: number;
  /** IFF_UP: an administrator wants it. */
  readonly up: boolean;
  /** IFF_LOWER_UP: it has a carrier. */
  readonly carrier: boolean;
  readonly operationalState: OperationalState;
  /** Bytes of the largest packet. */
  readonly mtu: number;
  /** Packets. */
  readonly txQueueLength: number;
  /** Link-layer address; empty when it has none. */
  readonly address: Uint8Array;
  /** Index of the bridge or bond that it belongs to. */
  readonly master: number | undefined;
  /** Index of the link that it is built upon or paired with, which may be in another namespace. */
  readonly lower: number | undefined;
  /** Bytes. */
  readonly gsoMaxSize: number | undefined;
  readonly gsoMaxSegments: number | undefined;
  /** Undefined when the link has no IPv6. */
  readonly addressGeneration: AddressGeneration | undefined;
  readonly statistics: LinkStatistics | undefined;
}

/** Undefined when the message is not about a link. */
export function readLink(message: Message): Link | undefined {
  if (message.type !== Rtm.newLink && message.type !== Rtm.delLink) return undefined;
  const { payload } = message;
  // Bridges tell of their ports, and IPv6 of its settings, in messages of the same type under a family of their own.
  if (payload[0] !== 0) return undefined;
  const attributes = decodeAttributes(payload, IFINFOMSG_SIZE);
  const flags = readU32(payload, 8);
  const state = attributes.get(Ifla.operationalState)?.[0] ?? 0;
  const statistics = attributes.get(Ifla.statistics64);
  return {
    index: readI32(payload, 4),
    name: getText(attributes, Ifla.name) ?? '',
    kind: getText(getNested(attributes, Ifla.linkInfo), Ifla.infoKind),
    type: readU16(payload, 2),
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    operationalState: OPERATIONAL_STATES[state] ?? 'unknown',
    mtu: getU32(attributes, Ifla.mtu) ?? 0,
    txQueueLength: getU32(attributes, Ifla.txQueueLength) ?? 0,
    address: getBytes(attributes, Ifla.address) ?? new Uint8Array(0),
    master: getU32(attributes, Ifla.master),
    lower: getU32(attributes, Ifla.link),
    gsoMaxSize: getU32(attributes, Ifla.gsoMaxSize),
    gsoMaxSegments: getU32(attributes, Ifla.gsoMaxSegments),
    addressGeneration: readAddressGeneration(attributes),
    statistics: statistics && readStatistics(statistics),
  };
}

function readAddressGeneration(attributes: Attributes): AddressGeneration | undefined {
  const inet6 = getNested(getNested(attributes, Ifla.familySpecific), AF_INET6);
  const mode = inet6.get(Ifla.addressGeneration);
  return mode && ADDRESS_GENERATIONS[mode[0]];
}

// struct rtnl_link_stats64: u64 in this order
function readStatistics(bytes: Uint8Array): LinkStatistics {
  return {
    rxPackets: readU64(bytes, 0),
    txPackets: readU64(bytes, 8),
    rxBytes: readU64(bytes, 16),
    txBytes: readU64(bytes, 24),
    rxErrors: readU64(bytes, 32),
    txErrors: readU64(bytes, 40),
    rxDropped: readU64(bytes, 48),
    txDropped: readU64(bytes, 56),
  };
}
