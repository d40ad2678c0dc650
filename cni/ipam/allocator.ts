/**
 * Which address a new pod gets: one of every address family that the node has pod ranges for, the next free one after
 * the last given, or those asked for. An address that was freed rests: whoever talked to its last pod may not know yet. It
 * is given before its time only when it is asked for, or when nothing else is left. `allocate` decides from the state alone
 * and changes nothing; `take`, `release` and `endRests` say what has happened. Reads no clock, file or socket.
 */
import { type Address, formatAddress } from '../../wire/address.ts';
import { formatPrefix, type Prefix } from '../../wire/prefix.ts';
import { AddressSet } from './address-set.ts';
import { addressAt, compareAddresses, offsetOf, offsetsWithin, type Pool, poolOf } from './pool.ts';

export interface PoolState {
  readonly pool: Pool;
  /** Offsets that pods have. */
  readonly taken: AddressSet;
  /** Offsets that are taken or rest. */
  readonly busy: AddressSet;
  /** Offsets that rest and until when, milliseconds; in the order in which they were freed. */
  readonly resting: Map<number, number>;
  /** Where the search for the next free address starts. */
  next: number;
}

export type IpamState = readonly PoolState[];

/** Addresses from `first` to `last`, of one family. */
export interface AddressRange {
  readonly first: Address;
  readonly last: Address;
}

/** How long an address rests: longer than neighbours, load balancers and connections commonly remember. Milliseconds. */
export const REST = 60_000;

export type Allocation =
  | { readonly ok: true; readonly addresses: readonly Address[] }
  | { readonly ok: false; readonly reason: string };

export function emptyState(ranges: readonly Prefix[]): IpamState {
  return ranges.map((prefix) => {
    const pool = poolOf(prefix);
    return { pool, taken: new AddressSet(), busy: new AddressSet(), resting: new Map(), next: pool.first };
  });
}

/**
 * IPv4 first, then IPv6; of a family with several ranges, the first that has a free address. At most one address a
 * family may be requested; a family of which none is requested gets the next free one.
 *
 * @param within only from these ranges and only of their families; empty: anywhere in the node's ranges
 */
export function allocate(
  state: IpamState,
  requested: readonly Address[] = [],
  within: readonly AddressRange[] = [],
): Allocation {
  const addresses: Address[] = [];
  for (const family of [4, 6] as const) {
    const pools = state.filter(({ pool }) => pool.prefix.address.family === family);
    const wanted = requested.filter((address) => address.family === family);
    const ranges = within.filter(({ first }) => first.family === family);
    const [first, second] = wanted;
    if (first && second) {
      return refuse(
        `${formatAddress(first)} and ${formatAddress(second)} are both IPv${family}; a pod interface has one address a family`,
      );
    }
    if (!first && ranges.length === 0 && (within.length > 0 || pools.length === 0)) continue;
    const result = first ? reserve(pools, first, within) : nextFree(searches(pools, ranges), pools, ranges);
    if (typeof result === 'string') return refuse(result);
    addresses.push(result);
  }
  if (addresses.length === 0) return refuse('this node has no pod ranges (pods.cidrs)');
  return { ok: true, addresses };
}

/** Marks an address as given. False when it is in no range, or given already. */
export function take(state: IpamState, address: Address): boolean {
  for (const entry of state) {
    const offset = offsetOf(entry.pool, address);
    if (typeof offset === 'string') continue;
    entry.next = offset + 1;
    entry.busy.add(offset);
    entry.resting.delete(offset);
    return entry.taken.add(offset);
  }
  return false;
}

/** Lets an address rest from now on; nothing happens when it is not taken. @param now milliseconds, never going back */
export function release(state: IpamState, address: Address, now: number): void {
  for (const entry of state) {
    const offset = offsetOf(entry.pool, address);
    if (typeof offset === 'number' && entry.taken.delete(offset)) entry.resting.set(offset, now + REST);
  }
}

/** Lets an address rest until then, as one did before; in the order in which their rests end. Nothing happens when it is taken. */
export function rest(state: IpamState, address: Address, until: number): void {
  for (const { pool, busy, taken, resting } of state) {
    const offset = offsetOf(pool, address);
    if (typeof offset === 'string' || taken.has(offset)) continue;
    busy.add(offset);
    resting.set(offset, until);
  }
}

/** Frees what has rested long enough. */
export function endRests(state: IpamState, now: number): void {
  for (const { busy, resting } of state) {
    for (const [offset, until] of resting) {
      if (until > now) break; // All that follow were freed later.
      resting.delete(offset);
      busy.delete(offset);
    }
  }
}

function refuse(reason: string): Allocation {
  return { ok: false, reason };
}

function reserve(pools: IpamState, address: Address, within: readonly AddressRange[]): Address | string {
  const text = formatAddress(address);
  if (within.length > 0 && !within.some((range) => inRange(range, address))) {
    return `${text} is in none of the ranges ${within.map(formatRange).join(', ')}`;
  }
  let reason = `${text}: this node has no IPv${address.family} pod range`;
  for (const { pool, taken } of pools) {
    const offset = offsetOf(pool, address);
    if (typeof offset === 'number') return taken.has(offset) ? `${text} is in use by another pod` : address;
    reason = offset;
  }
  return reason;
}

/** A pool and the offsets in it among which to search. */
interface Search {
  readonly entry: PoolState;
  readonly from: number;
  readonly to: number;
}

function searches(pools: IpamState, ranges: readonly AddressRange[]): Search[] {
  if (ranges.length === 0) {
    return pools.map((entry) => ({ entry, from: entry.pool.first, to: entry.pool.last }));
  }
  return ranges.flatMap((range) =>
    pools.flatMap((entry) => {
      const bounds = offsetsWithin(entry.pool, range.first, range.last);
      return bounds ? [{ entry, ...bounds }] : [];
    }),
  );
}

function nextFree(
  among: readonly Search[],
  pools: IpamState,
  ranges: readonly AddressRange[],
): Address | string {
  const own = pools.map(({ pool, taken }) => `${formatPrefix(pool.prefix)}: ${taken.size} in use`).join(', ');
  if (among.length === 0) {
    const asked = ranges.map(formatRange).join(', ');
    return `${asked}: no part of it is in a pod range of this node (${own || 'it has none of that family'})`;
  }
  for (const { entry, from, to } of among) {
    for (const start of [Math.max(from, entry.next), from]) {
      const offset = entry.busy.nextFree(start);
      if (offset <= to) return addressAt(entry.pool, offset);
    }
  }
  for (const { entry, from, to } of among) {
    for (const offset of entry.resting.keys()) {
      if (offset >= from && offset <= to) return addressAt(entry.pool, offset);
    }
  }
  const where = ranges.length > 0 ? ` in ${ranges.map(formatRange).join(', ')}` : '';
  return `no free address left${where} (${own})`;
}

function formatRange({ first, last }: AddressRange): string {
  return `${formatAddress(first)}-${formatAddress(last)}`;
}

function inRange({ first, last }: AddressRange, address: Address): boolean {
  return (
    first.family === address.family &&
    compareAddresses(first, address) <= 0 &&
    compareAddresses(address, last) <= 0
  );
}
