// Next hops: what a route points to. A next hop owns a range of buckets, each naming an adjacency; the flow hash picks the
// bucket. One path is one bucket; several paths share 64, by weight, and when a path comes or goes only the buckets
// that have to change hands do (resilient hashing), so that other flows stay where they are.

import { Limits } from './limits.ts';

/** Buckets of a next hop with several paths. */
export const BUCKETS_PER_GROUP = 64;

export const NEXT_HOP_WORDS = Limits.nextHops;
export const BUCKET_WORDS = Limits.buckets;

// Row: first bucket << 8 | number of buckets - 1, in one word so that no reader sees one without the other.
const start = (row: number): number => row >>> 8;
const mask = (row: number): number => row & 0xff;

/** Adjacency that flows with this hash take. */
export const selectAdjacency = (
  nextHops: Int32Array,
  buckets: Int32Array,
  id: number,
  hash: number,
): number => {
  const row = nextHops[id];
  // The high half: the low bits choose the source port already, and one choice must not decide the other.
  return buckets[start(row) + ((hash >>> 16) & mask(row))];
};

/** Buckets of a next hop: 1 or BUCKETS_PER_GROUP. */
export const bucketCount = (nextHops: Int32Array, id: number): number => mask(nextHops[id]) + 1;

export const bucketAdjacency = (
  nextHops: Int32Array,
  buckets: Int32Array,
  id: number,
  bucket: number,
): number => buckets[start(nextHops[id]) + bucket];

/** Control only: points `id` to `count` (a power of two, at most 256) buckets from `first` on. */
export const writeNextHop = (nextHops: Int32Array, id: number, first: number, count: number): void => {
  Atomics.store(nextHops, id, (first << 8) | (count - 1));
};

/** A path of a group; weights are relative. */
export interface WeightedPath {
  readonly adjacency: number;
  readonly weight: number;
}

/**
 * Deals `count` buckets to `paths` by weight, keeping in `previous` (adjacency a bucket, or empty) every bucket whose
 * path still stands and is not over its share.
 */
export const dealBuckets = (
  paths: readonly WeightedPath[],
  previous: readonly number[],
  count: number,
): number[] => {
  const shares = fairShares(paths, count);
  const left = new Map(paths.map(({ adjacency }, n) => [adjacency, shares[n]]));
  const dealt = Array.from({ length: count }, (_, bucket) => {
    const keeper = previous[bucket];
    const room = left.get(keeper) ?? 0;
    if (room === 0) return -1;
    left.set(keeper, room - 1);
    return keeper;
  });
  const takers = [...left].flatMap(([adjacency, room]) => new Array<number>(room).fill(adjacency));
  return dealt.map((adjacency) => (adjacency === -1 ? (takers.shift() as number) : adjacency));
};

/** Whole shares of `count` by weight, the largest remainders rounded up; every path gets at least one while they last. */
const fairShares = (paths: readonly WeightedPath[], count: number): number[] => {
  const total = paths.reduce((sum, { weight }) => sum + weight, 0);
  const exact = paths.map(({ weight }) => (weight / total) * count);
  const shares = exact.map(Math.floor);
  const byRemainder = exact.map((share, n) => [share - shares[n], n]).sort(([a], [b]) => b - a);
  let rest = count - shares.reduce((sum, share) => sum + share, 0);
  for (const [, n] of byRemainder) if (rest-- > 0) shares[n]++;
  for (const [n, share] of shares.entries()) {
    const most = Math.max(...shares);
    if (share > 0 || most < 2) continue;
    shares[shares.indexOf(most)]--;
    shares[n] = 1;
  }
  return shares;
};
