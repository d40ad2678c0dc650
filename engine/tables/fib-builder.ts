// What both FIB builders can do. Addresses are words as in wire/address.ts: one for IPv4, four for IPv6.

export interface FibBuilder {
  /** Routes in the table. */
  readonly size: number;
  /** Next-hop id of exactly this prefix, 0 when it is not there. */
  get(words: readonly number[], length: number): number;
  /** Adds the route or replaces its next hop (1 or more). @throws RangeError when the table is full; nothing is changed then */
  insert(words: readonly number[], length: number, nextHop: number): void;
  /** Removes the route. @returns whether it was there */
  remove(words: readonly number[], length: number): boolean;
  /** Memory that was given up before an epoch that all workers acknowledged may be used again. */
  reclaim(acknowledged: number): void;
}
