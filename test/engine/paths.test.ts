// Next hops of many routes with a common and a separate past: what they share, and that flows stay where they can.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PathRegistry, type PathSpec } from '../../engine/paths.ts';
import { createTableBuffers, openTables } from '../../engine/tables/buffers.ts';
import { BUCKETS_PER_GROUP, bucketAdjacency, bucketCount } from '../../engine/tables/next-hops.ts';
import { ipv4 } from '../../wire/address.ts';

function registry() {
  const tables = openTables(createTableBuffers(1));
  let epoch = 1;
  const paths = new PathRegistry(tables, { mtu: () => 1500, host: () => 1 }, 4096, () => epoch);
  /** The routes of a node: prefix number to next hop. */
  const routes = new Map<number, number>();
  return {
    paths,
    routes,
    set(prefix: number, specs: readonly PathSpec[]) {
      const old = routes.get(prefix) ?? 0;
      routes.set(prefix, paths.acquire(specs, old));
      if (old !== 0) paths.release(old);
      paths.reclaim(++epoch);
    },
    /** Underlay address that each bucket of a route leads to. */
    buckets(prefix: number): number[] {
      const id = routes.get(prefix) as number;
      const specs = paths.pathsOf(id);
      const count = bucketCount(tables.nextHops, id);
      const adjacencies = Array.from({ length: count }, (_, n) =>
        bucketAdjacency(tables.nextHops, tables.buckets, id, n),
      );
      expect(new Set(adjacencies).size).toBe(specs.length);
      const whole = Array.from({ length: BUCKETS_PER_GROUP }, (_, n) => adjacencies[n % count]);
      return whole.map((adjacency) => tables.adjacencies[adjacency * 16 + 5]);
    },
  };
}

const through = (n: number, weight = 1): PathSpec => ({ kind: 'ipip', via: ipv4(n), mtu: 1480, weight });

/** Some prefixes, each of which again and again gets some of a few paths. */
const changes = fc.array(
  fc.record({
    prefix: fc.nat(3),
    vias: fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
    weighted: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
);

it('a flow whose path still stands stays on it, whatever happened to other routes before', () => {
  fc.assert(
    fc.property(changes, (all) => {
      const node = registry();
      for (const { prefix, vias, weighted } of all) {
        const before = node.routes.has(prefix) ? node.buckets(prefix) : undefined;
        node.set(
          prefix,
          vias.map((via) => through(via, weighted ? via : 1)),
        );
        const after = node.buckets(prefix);
        const share = (buckets: readonly number[], via: number) =>
          buckets.filter((one) => one === via).length;
        const wasGroup = before && new Set(before).size > 1;
        if (!wasGroup) continue;
        for (const via of vias) {
          const kept = before.filter((was, n) => was === via && after[n] === via).length;
          expect(kept).toBe(Math.min(share(before, via), share(after, via)));
        }
      }
    }),
  );
});

it('routes that go the same way share a next hop, and give it back', () => {
  const node = registry();
  const [both, one] = [[through(1), through(2)], [through(2)]];
  for (let prefix = 0; prefix < 100; prefix++) node.set(prefix, both);
  expect(new Set(node.routes.values()).size).toBe(1);
  for (let prefix = 0; prefix < 100; prefix++) node.set(prefix, one);
  expect(new Set(node.routes.values()).size).toBe(1);
  for (let prefix = 0; prefix < 100; prefix++) node.set(prefix, [through(2), through(3)]);
  expect(new Set(node.routes.values()).size).toBe(1);
  expect(node.paths.remotes().map(({ address }) => address.words[0])).toEqual([2, 3]);
});

it('weights say how many flows each path gets', () => {
  const node = registry();
  node.set(0, [through(1, 1), through(2, 3)]);
  expect(node.buckets(0).filter((via) => via === 2)).toHaveLength(48);
});

it('when there is no room for a past of its own, a route shares what others have', () => {
  const node = registry();
  node.set(0, [through(1000), through(1001)]);
  node.set(1, [through(1002), through(1000), through(1001)]);
  const fill = () => {
    for (let prefix = 2; ; prefix++)
      node.set(prefix, [through(prefix % 90), through(100 + Math.floor(prefix / 90))]);
  };
  expect(fill).toThrow('next hops with several paths');
  node.set(1, [through(1000), through(1001)]);
  expect(node.routes.get(1)).toBe(node.routes.get(0));
});
