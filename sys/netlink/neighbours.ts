/**
 * Neighbours: which link-layer address an IP address has on an interface. Builds requests and does nothing itself;
 * `Rtnetlink` runs them. Source: linux/neighbour.h.
 */
import { AF_INET, AF_INET6, addressText } from '../sockaddr.ts';
import {
  attribute,
  concat,
  type Dump,
  decodeAttributes,
  getBytes,
  type Message,
  NlmFlag,
  optional,
  type Request,
  raw,
  readI32,
  readU16,
  u16,
  u32,
} from './message.ts';
import { type Family, familyNumber, familyOf, Rtm } from './types.ts';

//  struct ndmsg   0 u8 family   4 i32 interface index   8 u16 state   10 u8 flags   11 u8 type
const NDMSG_SIZE = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_IFINDEX = 8;

/** NUD_*. */
export const NeighbourState = {
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noArp: 0x40,
  permanent: 0x80,
} as const;

/** NTF_*. */
export const NeighbourFlag = { proxy: 0x08, externallyLearned: 0x10, router: 0x80 } as const;

export interface Neighbour {
  /** Of the interface. */
  readonly index: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** MAC address; none while it is being looked for. */
  readonly linkAddress?: Uint8Array | undefined;
  /** NeighbourState. Default permanent. */
  readonly state?: number | undefined;
  /** NeighbourFlag. */
  readonly flags?: number | undefined;
}

/** Adds the neighbour or changes it. */
export function replace(neighbour: Neighbour): Request {
  return request(Rtm.newNeighbour, NlmFlag.create | NlmFlag.replace, neighbour, 'setting');
}

/** Fails with ENOENT when there is none. */
export function remove(neighbour: Pick<Neighbour, 'index' | 'address' | 'flags'>): Request {
  return request(Rtm.delNeighbour, 0, neighbour, 'deleting');
}

/** Those of one interface or of all; proxied addresses are not among them. */
export function all(filter: { readonly index?: number; readonly family?: Family } = {}): Dump<Neighbour> {
  const { index, family } = filter;
  const header = new Uint8Array(NDMSG_SIZE);
  header[0] = familyNumber(family);
  return {
    answer: 'many',
    type: Rtm.getNeighbour,
    flags: 0,
    payload: concat(header, optional(NDA_IFINDEX, index, u32)),
    doing: 'listing the neighbours',
    // Kernels before 4.20 do not filter.
    read: (message) => {
      const neighbour = readNeighbour(message);
      return neighbour && (index ?? neighbour.index) === neighbour.index ? neighbour : undefined;
    },
  };
}

function request(type: number, flags: number, neighbour: Neighbour, verb: string): Request {
  const { index, address, linkAddress, state = NeighbourState.permanent } = neighbour;
  const header = new Uint8Array(NDMSG_SIZE);
  header[0] = familyOf(address);
  header.set(u32(index), 4);
  header.set(u16(state), 8);
  header[10] = neighbour.flags ?? 0;
  return {
    type,
    flags,
    payload: concat(header, attribute(NDA_DST, address), optional(NDA_LLADDR, linkAddress, raw)),
    doing: `${verb} the neighbour ${addressText(address)} on the interface of index ${index}`,
    remedies: { ENOENT: 'there is no such neighbour' },
  };
}

/** Undefined when the message is not about a neighbour of IPv4 or IPv6. */
export function readNeighbour(message: Message): Neighbour | undefined {
  if (message.type !== Rtm.newNeighbour && message.type !== Rtm.delNeighbour) return undefined;
  const { payload } = message;
  if (payload[0] !== AF_INET && payload[0] !== AF_INET6) return undefined;
  const attributes = decodeAttributes(payload, NDMSG_SIZE);
  const address = getBytes(attributes, NDA_DST);
  if (!address) return undefined;
  return {
    index: readI32(payload, 4),
    address,
    linkAddress: getBytes(attributes, NDA_LLADDR),
    state: readU16(payload, 8),
    flags: payload[10],
  };
}
