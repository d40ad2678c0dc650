/**
 * Nexthop objects of the kernel, which routes refer to by id, and groups of them. Builds requests and does nothing
 * itself; `Rtnetlink` runs them. Source: linux/nexthop.h (kernel 5.3).
 */
import {
  type Attributes,
  attribute,
  concat,
  type Dump,
  decodeAttributes,
  getBytes,
  getNested,
  getU32,
  type Message,
  NlmFlag,
  nested,
  optional,
  type Query,
  type Request,
  raw,
  readU16,
  readU32,
  u16,
  u32,
} from './message.ts';
import { RouteProtocol, RTNH_F_ONLINK } from './route.ts';
import { type Family, familyNumber, familyOf, Rtm } from './types.ts';

//  struct nhmsg   0 u8 family   1 u8 scope (read only)   2 u8 protocol   4 u32 flags
const NHMSG_SIZE = 8;
//  struct nexthop_grp   0 u32 id   4 u8 weight less one   5 u8 high bits of it   6 u16 zero
const GROUP_ENTRY_SIZE = 8;
const NHA_ID = 1;
const NHA_GROUP = 2;
const NHA_GROUP_TYPE = 3;
const NHA_BLACKHOLE = 4;
const NHA_OIF = 5;
const NHA_GATEWAY = 6;
const NHA_RES_GROUP = 12;
/** NLA_F_NESTED, which newer parts of the kernel insist on. */
const NESTED = 0x8000;
// in NHA_RES_GROUP
const NHA_RES_GROUP_BUCKETS = 1;
const NHA_RES_GROUP_IDLE_TIMER = 2;
/** NEXTHOP_GRP_TYPE_RES */
const GROUP_RESILIENT = 1;
/** USER_HZ: the kernel's timers in messages count in this. */
const TICKS_PER_SECOND = 100;

export interface GroupMember {
  /** Of another nexthop, which is no group. */
  readonly id: number;
  /** 1 to 256; default 1. */
  readonly weight?: number | undefined;
}

export interface Nexthop {
  /** 1 and up, chosen by whoever makes it. */
  readonly id: number;
  /** Needed where there is no gateway to tell; a group has none. */
  readonly family?: Family | undefined;
  /** Of the interface. */
  readonly index?: number | undefined;
  readonly gateway?: Uint8Array | undefined;
  readonly onlink?: boolean | undefined;
  readonly blackhole?: boolean | undefined;
  readonly group?: readonly GroupMember[] | undefined;
  /** Of a group: flows whose member stays do not move when others come or go (kernel 5.13). */
  readonly resilient?: Resilience | undefined;
  /** RTPROT_*; default static. */
  readonly protocol?: number | undefined;
}

export interface Resilience {
  /** Fixed when the group is made. */
  readonly buckets: number;
  /** Seconds without a packet after which a bucket may be given to a member that has too few. */
  readonly idleTime: number;
}

/** Adds the nexthop or changes it, for all routes that refer to it. */
export function replace(nexthop: Nexthop): Request {
  const { id, index, gateway, onlink, blackhole, group, resilient } = nexthop;
  const header = new Uint8Array(NHMSG_SIZE);
  header[0] = gateway ? familyOf(gateway) : familyNumber(nexthop.family);
  header[2] = nexthop.protocol ?? RouteProtocol.static;
  header.set(u32(onlink ? RTNH_F_ONLINK : 0), 4);
  return {
    type: Rtm.newNexthop,
    flags: NlmFlag.create | NlmFlag.replace,
    payload: concat(
      header,
      attribute(NHA_ID, u32(id)),
      optional(NHA_GATEWAY, gateway, raw),
      optional(NHA_OIF, index, u32),
      blackhole ? attribute(NHA_BLACKHOLE, new Uint8Array(0)) : undefined,
      optional(NHA_GROUP, group, encodeGroup),
      optional(NHA_GROUP_TYPE, resilient && GROUP_RESILIENT, u16),
      resilient && encodeResilience(resilient),
    ),
    doing: `setting the nexthop ${id}`,
    remedies: {
      ENETDOWN: 'its interface is down',
      ENODEV: 'its interface does not exist',
      EHOSTUNREACH: 'its gateway is not reachable directly; give `onlink`, or an address in its subnet',
      EOPNOTSUPP: 'the kernel has no nexthop objects (5.3 and later have)',
    },
  };
}

/** Deletes it, and the routes that refer to it. Fails with ENOENT when there is none. */
export function remove(id: number): Request {
  return {
    type: Rtm.delNexthop,
    flags: 0,
    payload: concat(new Uint8Array(NHMSG_SIZE), attribute(NHA_ID, u32(id))),
    doing: `deleting the nexthop ${id}`,
    remedies: { ENOENT: 'there is no such nexthop' },
  };
}

export function byId(id: number): Query<Nexthop> {
  return {
    answer: 'one',
    type: Rtm.getNexthop,
    flags: 0,
    payload: concat(new Uint8Array(NHMSG_SIZE), attribute(NHA_ID, u32(id))),
    doing: `reading the nexthop ${id}`,
    read: readNexthop,
  };
}

export function all(): Dump<Nexthop> {
  return {
    answer: 'many',
    type: Rtm.getNexthop,
    flags: 0,
    payload: new Uint8Array(NHMSG_SIZE),
    doing: 'listing the nexthops',
    read: readNexthop,
  };
}

/** Undefined when the message is not about a nexthop. */
export function readNexthop(message: Message): Nexthop | undefined {
  if (message.type !== Rtm.newNexthop && message.type !== Rtm.delNexthop) return undefined;
  const { payload } = message;
  const attributes = decodeAttributes(payload, NHMSG_SIZE);
  const id = getU32(attributes, NHA_ID);
  if (id === undefined) return undefined;
  const group = attributes.get(NHA_GROUP);
  return {
    id,
    family: FAMILIES[payload[0]],
    index: getU32(attributes, NHA_OIF),
    gateway: getBytes(attributes, NHA_GATEWAY),
    onlink: (readU32(payload, 4) & RTNH_F_ONLINK) !== 0 || undefined,
    blackhole: attributes.has(NHA_BLACKHOLE) || undefined,
    group: group && decodeGroup(group),
    resilient: readResilience(attributes),
    protocol: payload[2],
  };
}

const FAMILIES: Readonly<Record<number, Family>> = { 2: 4, 10: 6 };

function encodeGroup(members: readonly GroupMember[]): Uint8Array {
  const bytes = new Uint8Array(members.length * GROUP_ENTRY_SIZE);
  members.forEach((member, i) => {
    bytes.set(u32(member.id), i * GROUP_ENTRY_SIZE);
    bytes[i * GROUP_ENTRY_SIZE + 4] = (member.weight ?? 1) - 1;
  });
  return bytes;
}

function encodeResilience({ buckets, idleTime }: Resilience): Uint8Array {
  return nested(
    NHA_RES_GROUP | NESTED,
    attribute(NHA_RES_GROUP_BUCKETS, u16(buckets)),
    attribute(NHA_RES_GROUP_IDLE_TIMER, u32(idleTime * TICKS_PER_SECOND)),
  );
}

function readResilience(attributes: Attributes): Resilience | undefined {
  const inner = getNested(attributes, NHA_RES_GROUP);
  const buckets = inner.get(NHA_RES_GROUP_BUCKETS);
  if (!buckets) return undefined;
  const ticks = getU32(inner, NHA_RES_GROUP_IDLE_TIMER) ?? 0;
  return { buckets: readU16(buckets, 0), idleTime: ticks / TICKS_PER_SECOND };
}

function decodeGroup(bytes: Uint8Array): GroupMember[] {
  const members: GroupMember[] = [];
  for (let at = 0; at + GROUP_ENTRY_SIZE <= bytes.length; at += GROUP_ENTRY_SIZE) {
    members.push({ id: readU32(bytes, at), weight: bytes[at + 4] + 1 });
  }
  return members;
}
