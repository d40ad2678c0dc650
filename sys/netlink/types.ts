/**
 * Numbers of netlink messages (linux/rtnetlink.h, linux/netfilter/nfnetlink_conntrack.h) and what several kinds of objects have in common.
 */
import { AF_INET, AF_INET6, addressText } from '../sockaddr.ts';

export const Rtm = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  delAddress: 21,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  delNeighbour: 29,
  getNeighbour: 30,
  newRule: 32,
  delRule: 33,
  getRule: 34,
  newQdisc: 36,
  newNexthop: 104,
  delNexthop: 105,
  getNexthop: 106,
} as const;

const VERBS = ['NEW', 'DEL', 'GET', 'SET'];
const OBJECTS: Readonly<Record<number, string>> = {
  16: 'LINK',
  20: 'ADDR',
  24: 'ROUTE',
  28: 'NEIGH',
  32: 'RULE',
  36: 'QDISC',
  104: 'NEXTHOP',
};

const CONNTRACK_VERBS = ['NEW', 'GET', 'DELETE'];

/** 'RTM_NEWROUTE' for 24, 'IPCTNL_MSG_CT_GET' for 0x101. */
export function messageName(type: number): string {
  if (type >>> 8 === 1) return `IPCTNL_MSG_CT_${CONNTRACK_VERBS[type & 255] ?? type & 255}`;
  return `RTM_${VERBS[type & 3]}${OBJECTS[type & ~3] ?? ` ${type}`}`;
}

/** A prefix: an address of 4 or 16 bytes and the number of bits that count. */
export interface BytePrefix {
  readonly address: Uint8Array;
  readonly length: number;
}

/** '10.0.0.0/8', for messages to people. */
export function prefixText(prefix: BytePrefix): string {
  return `${addressText(prefix.address)}/${prefix.length}`;
}

export type Family = 4 | 6;

/** AF_* of an address; throws for anything but 4 or 16 bytes. */
export function familyOf(address: Uint8Array): number {
  if (address.length === 4) return AF_INET;
  if (address.length === 16) return AF_INET6;
  throw new RangeError(`an address has 4 or 16 bytes, not ${address.length}`);
}

/** AF_*, 0 (any) for none. */
export function familyNumber(family: Family | undefined): number {
  if (family === undefined) return 0;
  return family === 4 ? AF_INET : AF_INET6;
}

/** All zero, as long as the family's addresses: what the kernel means when it leaves out a prefix of length 0. */
export function anyAddress(family: number): Uint8Array {
  return new Uint8Array(family === AF_INET ? 4 : 16);
}
