/**
 * Addresses of interfaces, and the requests that add, delete and list them. Builds requests and does nothing itself;
 * `Rtnetlink` runs them. Source: linux/if_addr.h.
 */
import {
  concat,
  type Dump,
  decodeAttributes,
  getBytes,
  getU32,
  type Message,
  NlmFlag,
  optional,
  type Request,
  raw,
  readU32,
  u32,
} from './message.ts';
import { type Family, familyNumber, familyOf, prefixText, Rtm } from './types.ts';

//  struct ifaddrmsg   0 u8 family   1 u8 prefix length   2 u8 flags   3 u8 scope   4 u32 interface index
const IFADDRMSG_SIZE = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;

/** IFA_F_*. */
export const AddressFlag = {
  noDad: 0x02,
  optimistic: 0x04,
  dadFailed: 0x08,
  deprecated: 0x20,
  tentative: 0x40,
  permanent: 0x80,
  noPrefixRoute: 0x200,
} as const;

export interface InterfaceAddress {
  /** Of the interface. */
  readonly index: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly prefixLength: number;
  /** The other end of a point-to-point link; the prefix is of it then. */
  readonly peer?: Uint8Array | undefined;
  readonly broadcast?: Uint8Array | undefined;
  /** RT_SCOPE_*: 0 global (default), 253 link, 254 host. */
  readonly scope?: number;
  /** AddressFlag; to be added: noDad (usable at once, no duplicate address detection) and noPrefixRoute. */
  readonly flags?: number;
}

/** Fails with EEXIST when the interface has the address. */
export function add(address: InterfaceAddress): Request {
  return request(Rtm.newAddress, NlmFlag.create | NlmFlag.exclusive, address, 'adding');
}

/** Adds the address or changes its flags. */
export function replace(address: InterfaceAddress): Request {
  return request(Rtm.newAddress, NlmFlag.create | NlmFlag.replace, address, 'setting');
}

/** Fails with EADDRNOTAVAIL when the interface does not have it. */
export function remove(address: InterfaceAddress): Request {
  return request(Rtm.delAddress, 0, address, 'deleting');
}

/** Those of one interface or of all. */
export function all(
  filter: { readonly index?: number; readonly family?: Family } = {},
): Dump<InterfaceAddress> {
  const header = new Uint8Array(IFADDRMSG_SIZE);
  header[0] = familyNumber(filter.family);
  header.set(u32(filter.index ?? 0), 4);
  return {
    answer: 'many',
    type: Rtm.getAddress,
    flags: 0,
    payload: header,
    doing: `listing the addresses${filter.index === undefined ? '' : ` of the interface of index ${filter.index}`}`,
    // Kernels before 4.20 do not filter by interface.
    read: (message) => {
      const address = readAddress(message);
      return address && (filter.index ?? address.index) === address.index ? address : undefined;
    },
  };
}

function request(type: number, flags: number, value: InterfaceAddress, verb: string): Request {
  const { index, address, prefixLength, peer, broadcast, scope = 0 } = value;
  const header = new Uint8Array(IFADDRMSG_SIZE);
  header[0] = familyOf(address);
  header[1] = prefixLength;
  header[3] = scope;
  header.set(u32(index), 4);
  const text = prefixText({ address, length: prefixLength });
  return {
    type,
    flags,
    payload: concat(
      header,
      optional(IFA_LOCAL, address, raw),
      optional(IFA_ADDRESS, peer ?? address, raw),
      optional(IFA_BROADCAST, broadcast, raw),
      optional(IFA_FLAGS, value.flags, u32),
    ),
    doing: `${verb} the address ${text} ${type === Rtm.delAddress ? 'of' : 'on'} the interface of index ${index}`,
    remedies: {
      EEXIST: 'the interface has it already',
      EADDRNOTAVAIL: 'the interface does not have it',
      EACCES: 'IPv6 is disabled on it (net.ipv6.conf.*.disable_ipv6)',
    },
  };
}

/** Undefined when the message is not about an address. */
export function readAddress(message: Message): InterfaceAddress | undefined {
  if (message.type !== Rtm.newAddress && message.type !== Rtm.delAddress) return undefined;
  const { payload } = message;
  const attributes = decodeAttributes(payload, IFADDRMSG_SIZE);
  const far = getBytes(attributes, IFA_ADDRESS);
  // IPv6 leaves out the local address where there is no peer.
  const address = getBytes(attributes, IFA_LOCAL) ?? far;
  if (!address) return undefined;
  return {
    index: readU32(payload, 4),
    address,
    prefixLength: payload[1],
    peer: far && Buffer.compare(far, address) !== 0 ? far : undefined,
    broadcast: getBytes(attributes, IFA_BROADCAST),
    scope: payload[3],
    flags: getU32(attributes, IFA_FLAGS) ?? payload[2],
  };
}
