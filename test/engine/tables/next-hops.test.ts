import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Limits } from '../../../engine/tables/limits.ts';
import {
  BUCKETS_PER_GROUP,
  bucketAdjacency,
  bucketCount,
  dealBuckets,
  selectAdjacency,
  writeNextHop,
} from '../../../engine/tables/next-hops.ts';

const pathsAmong = (adjacencies: number) =>
  fc.uniqueArray(
    fc.record({
      adjacency: fc.integer({ min: 1, max: adjacencies }),
      weight: fc.integer({ min: 1, max: 100 }),
    }),
    { selector: ({ adjacency }) => adjacency, minLength: 1, maxLength: 32 },
  );
const paths = pathsAmong(500);
/** So few that two groups have most in common. */
const alike = pathsAmong(34);
const count = (dealt: readonly number[], adjacency: number): number =>
  dealt.filter((bucket) => bucket === adjacency).length;

it('deals every bucket, to each path by its weight, to none nothing', () => {
  fc.assert(
    fc.property(paths, (group) => {
      const dealt = dealBuckets(group, [], BUCKETS_PER_GROUP);
      const total = group.reduce((sum, { weight }) => sum + weight, 0);
      expect(dealt).toHaveLength(BUCKETS_PER_GROUP);
      for (const { adjacency, weight } of group) {
        const share = count(dealt, adjacency);
        const fair = (weight / total) * BUCKETS_PER_GROUP;
        expect(share).toBeGreaterThanOrEqual(1);
        // Whoever would get less than one bucket gets one, which others give.
        if (group.every((other) => other.weight * BUCKETS_PER_GROUP >= total)) {
          expect(Math.abs(share - fair)).toBeLessThan(1);
        }
      }
    }),
  );
});

it('moves only the flows of a path that went, when paths are equal', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 16 }), fc.nat(), (size, pick) => {
      const group = Array.from({ length: size }, (_, n) => ({ adjacency: n + 1, weight: 1 }));
      const before = dealBuckets(group, [], BUCKETS_PER_GROUP);
      const gone = group[pick % size].adjacency;
      const after = dealBuckets(
        group.filter(({ adjacency }) => adjacency !== gone),
        before,
        BUCKETS_PER_GROUP,
      );
      before.forEach((adjacency, bucket) => {
        if (adjacency !== gone) expect(after[bucket]).toBe(adjacency);
        else expect(after[bucket]).not.toBe(gone);
      });
    }),
  );
});

it('moves no more flows than a path that comes has to have', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 15 }), (size) => {
      const group = Array.from({ length: size }, (_, n) => ({ adjacency: n + 1, weight: 1 }));
      const before = dealBuckets(group, [], BUCKETS_PER_GROUP);
      const after = dealBuckets([...group, { adjacency: 99, weight: 1 }], before, BUCKETS_PER_GROUP);
      const moved = before.filter((adjacency, bucket) => after[bucket] !== adjacency).length;
      expect(moved).toBe(count(after, 99));
      expect(moved).toBe(
        Math.floor(BUCKETS_PER_GROUP / (size + 1)) + (moved * (size + 1) > BUCKETS_PER_GROUP ? 1 : 0),
      );
    }),
  );
});

it('moves no bucket whose path still stands and is within its share, whatever the weights', () => {
  fc.assert(
    fc.property(alike, alike, (group, next) => {
      const before = dealBuckets(group, [], BUCKETS_PER_GROUP);
      const after = dealBuckets(next, before, BUCKETS_PER_GROUP);
      for (const { adjacency } of next) {
        const kept = before.filter((was, bucket) => was === adjacency && after[bucket] === adjacency).length;
        expect(kept).toBe(Math.min(count(before, adjacency), count(after, adjacency)));
      }
      // Shares are those of a group without a past.
      const fresh = dealBuckets(next, [], BUCKETS_PER_GROUP);
      expect(after.toSorted((a, b) => a - b)).toEqual(fresh.toSorted((a, b) => a - b));
    }),
  );
});

it('selects by the high half of the hash, and the same for the same', () => {
  const nextHops = new Int32Array(Limits.nextHops);
  const buckets = new Int32Array(Limits.buckets);
  const dealt = dealBuckets(
    [
      { adjacency: 5, weight: 1 },
      { adjacency: 6, weight: 3 },
    ],
    [],
    BUCKETS_PER_GROUP,
  );
  buckets.set(dealt, 1000);
  writeNextHop(nextHops, 7, 1000, BUCKETS_PER_GROUP);
  expect(bucketCount(nextHops, 7)).toBe(BUCKETS_PER_GROUP);
  expect(Array.from(dealt, (_, n) => bucketAdjacency(nextHops, buckets, 7, n))).toEqual(dealt);
  for (let n = 0; n < BUCKETS_PER_GROUP; n++) {
    expect(selectAdjacency(nextHops, buckets, 7, (n << 16) | 0x1234)).toBe(dealt[n]);
    expect(selectAdjacency(nextHops, buckets, 7, (n << 16) | 0xfedc | (1 << 30))).toBe(dealt[n]);
  }
  buckets[3] = 42;
  writeNextHop(nextHops, 3, 3, 1);
  for (const hash of [0, -1, 0x7fff0000, 123456789])
    expect(selectAdjacency(nextHops, buckets, 3, hash)).toBe(42);
});
