/**
 * Which address a new pod gets: one of every address family that the node has pod ranges for, the next free one after
 * the last given (so that an address just freed is the last to be used again), or those asked for. `allocate` decides
 * from the state alone and changes nothing; `take` and `release` say what has happened. Reads no clock, file or socket.
 */
import { type Address, formatAddress } from '../../wire/address.ts';
import { formatPrefix, type Prefix } from '../../wire/prefix.ts';
import { AddressSet } from './address-set.ts';
import { addressAt, offsetOf, type Pool, poolOf } from './pool.ts';

export interface PoolState {
  readonly pool: Pool;
  readonly taken: AddressSet;
  /** Where the search for the next free address starts. */
  next: number;
}

export type IpamState = readonly PoolState[];

export type Allocation =
  | { readonly ok: true; readonly addresses: readonly Address[] }
  | { readonly ok: false; readonly reason: string };

export function emptyState(ranges: readonly Prefix[]): IpamState {
  return ranges.map((prefix) => {
    const pool = poolOf(prefix);
    return { pool, taken: new AddressSet(), next: pool.first };
  });
}

/**
 * IPv4 first, then IPv6; of a family with several ranges, the first that has a free address. At most one address a
 * family may be requested; a family of which none is requested gets the next free one.
 */
export function allocate(state: IpamState, requested: readonly Address[] = []): Allocation {
  const addresses: Address[] = [];
  for (const family of [4, 6] as const) {
    const pools = state.filter(({ pool }) => pool.prefix.address.family === family);
    const wanted = requested.filter((address) => address.family === family);
    const [first, second] = wanted;
    if (first && second) {
      return refuse(
        `${formatAddress(first)} and ${formatAddress(second)} are both IPv${family}; a pod interface has one address a family`,
      );
    }
    if (pools.length === 0 && !first) continue;
    const result = first ? reserve(pools, first) : nextFree(pools);
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
    return entry.taken.add(offset);
  }
  return false;
}

/** Marks an address as free; nothing happens when it is. */
export function release(state: IpamState, address: Address): void {
  for (const entry of state) {
    const offset = offsetOf(entry.pool, address);
    if (typeof offset === 'number') entry.taken.delete(offset);
  }
}

function refuse(reason: string): Allocation {
  return { ok: false, reason };
}

function reserve(pools: IpamState, address: Address): Address | string {
  let reason = `${formatAddress(address)}: this node has no IPv${address.family} pod range`;
  for (const { pool, taken } of pools) {
    const offset = offsetOf(pool, address);
    if (typeof offset === 'number') {
      return taken.has(offset) ? `${formatAddress(address)} is in use by another pod` : address;
    }
    reason = offset;
  }
  return reason;
}

function nextFree(pools: IpamState): Address | string {
  for (const { pool, taken, next } of pools) {
    const ahead = taken.nextFree(next);
    if (ahead <= pool.last) return addressAt(pool, ahead);
    const wrapped = taken.nextFree(pool.first);
    if (wrapped <= pool.last) return addressAt(pool, wrapped);
  }
  const ranges = pools.map(({ pool, taken }) => `${formatPrefix(pool.prefix)}: ${taken.size} in use`);
  return `no free address left (${ranges.join(', ')})`;
}
