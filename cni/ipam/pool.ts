/**
 * A range of pod addresses, one of the node's `pods.cidrs`, as offsets from its first address: which of them can be
 * assigned, and what the others are for. No state.
 */
import { type Address, formatAddress } from '../../wire/address.ts';
import { familyBits, formatPrefix, type Prefix, prefixContains } from '../../wire/prefix.ts';

/** Offsets beyond this are not assigned: four billion pods are enough for an IPv6 prefix of any length. */
const LAST_OFFSET = 0xffff_ffff;

export interface Pool {
  readonly prefix: Prefix;
  /** Offset of the node's own address in this range, which is the gateway that pods see: the first usable one. */
  readonly host: number;
  /** First and last offset that pods may get; last < first when there is none. */
  readonly first: number;
  readonly last: number;
}

export function poolOf(prefix: Prefix): Pool {
  const hostBits = familyBits(prefix.address.family) - prefix.length;
  const top = Math.min(2 ** hostBits - 1, LAST_OFFSET);
  // Prefixes of one or two addresses have no network or broadcast address: RFC 3021 (IPv4 /31), RFC 6164 (IPv6 /127).
  if (top <= 1) return { prefix, host: 0, first: 1, last: top };
  // Offset 0 is the network address, in IPv6 the Subnet-Router anycast address (RFC 4291 section 2.6.1); IPv6 has no broadcast.
  return { prefix, host: 1, first: 2, last: prefix.address.family === 4 ? top - 1 : top };
}

/** The node's own address in one of its pod ranges: 10.244.1.1 in 10.244.1.0/24. */
export function hostAddress(prefix: Prefix): Address {
  const pool = poolOf(prefix);
  return addressAt(pool, pool.host);
}

export function addressAt(pool: Pool, offset: number): Address {
  const { family, words } = pool.prefix.address;
  const low = words.length - 1;
  return { family, words: words.map((word, i) => (i === low ? (word | offset) >>> 0 : word)) };
}

/** Whether the pool assigns addresses near this one: not in a part of a long IPv6 prefix that it leaves to others. */
export function isAssigned({ prefix }: Pool, address: Address): boolean {
  const low = address.words.length - 1;
  return (
    prefixContains(prefix, address) &&
    address.words.every((word, i) => i === low || word === prefix.address.words[i])
  );
}

/** The offset of an address within the pool, or a string that says why pods cannot have it. */
export function offsetOf(pool: Pool, address: Address): number | string {
  const text = formatAddress(address);
  if (!prefixContains(pool.prefix, address)) return `${text} is not in ${formatPrefix(pool.prefix)}`;
  const low = address.words.length - 1;
  const base = pool.prefix.address.words;
  if (!isAssigned(pool, address)) {
    return `${text} is beyond the part of ${formatPrefix(pool.prefix)} that is assigned, its first ${LAST_OFFSET + 1} addresses`;
  }
  const offset = (address.words[low] - base[low]) >>> 0;
  if (offset === pool.host) return `${text} is the node's own address in ${formatPrefix(pool.prefix)}`;
  if (offset < pool.first) return `${text} is the network address of ${formatPrefix(pool.prefix)}`;
  if (offset > pool.last) return `${text} is the broadcast address of ${formatPrefix(pool.prefix)}`;
  return offset;
}

/** Negative, zero or positive as the first comes before, is or comes after the second; of one family. */
export function compareAddresses(a: Address, b: Address): number {
  const at = a.words.findIndex((word, i) => word !== b.words[i]);
  return at === -1 ? 0 : a.words[at] - b.words[at];
}

/** The pool's assignable offsets between two addresses, inclusive; undefined when there is none. */
export function offsetsWithin(
  pool: Pool,
  first: Address,
  last: Address,
): { readonly from: number; readonly to: number } | undefined {
  const [lowest, highest] = [addressAt(pool, pool.first), addressAt(pool, pool.last)];
  if (pool.last < pool.first || compareAddresses(last, lowest) < 0 || compareAddresses(first, highest) > 0) {
    return undefined;
  }
  const offset = (address: Address) => {
    const low = address.words.length - 1;
    return (address.words[low] - pool.prefix.address.words[low]) >>> 0;
  };
  return {
    from: compareAddresses(first, lowest) > 0 ? offset(first) : pool.first,
    to: compareAddresses(last, highest) < 0 ? offset(last) : pool.last,
  };
}
