// What changed in the Loc-RIB on its way to the node: of each prefix the newest, in batches at the pace of who takes them, packed
// for the way between threads.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteChange } from '../../../routing/bgp/bgp.ts';
import { Changes } from '../../../routing/bgp/changes.ts';
import { packChanges, unpackChanges } from '../../../routing/bgp/packed-changes.ts';
import type { RibRoute } from '../../../routing/rib/route.ts';
import { parseAddress } from '../../../wire/address.ts';
import { formatPrefix, parsePrefix } from '../../../wire/prefix.ts';
import { attributesOf } from '../../support/rib.ts';

const prefix = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 1, max: 32 }))
    .map(([n, length]) => parsePrefix(`${n < 4 ? 10 : 200}.${n}.0.0/${Math.max(length, 16)}`)),
  fc.integer({ min: 0, max: 7 }).map((n) => parsePrefix(`2001:db8:${n}::/48`)),
);

/** Attributes are one object for all routes of a set, as in the RIB. */
const sets = [1, 2, 3].map((n) => attributesOf(n));
const route = (peer: number, set: number): RibRoute =>
  ({ peer: `p${peer}`, source: 'external', attributes: sets[set], pathId: 0 }) as RibRoute;

it('of each prefix the newest comes, whatever is added while others are taken', async () => {
  const step = fc.record({
    prefix,
    peers: fc.array(fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(0, 1, 2)), { maxLength: 2 }),
    waits: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const told = new Map<string, RouteChange['paths']>();
      const changes = new Changes(
        async (batch) => {
          await new Promise((resolve) => setImmediate(resolve));
          for (const change of unpackChanges(structuredClone(packChanges(batch)))) {
            told.set(formatPrefix(change.prefix), change.paths);
          }
        },
        () => undefined,
      );
      const wanted = new Map<string, { peer: string; nextHop: unknown }[]>();
      for (const { prefix: one, peers, waits } of steps) {
        const routes = peers.map(([peer, set]) => route(peer, set));
        changes.add(one, routes);
        wanted.set(
          formatPrefix(one),
          peers.map(([peer, set]) => ({ peer: `p${peer}`, nextHop: sets[set].nextHop })),
        );
        if (waits) await new Promise((resolve) => setImmediate(resolve));
      }
      await changes.settled();
      expect(
        [...told].map(([key, paths]) => [key, paths.map(({ peer, nextHop }) => ({ peer, nextHop }))]).sort(),
      ).toEqual([...wanted].sort());
    }),
    { numRuns: 200 },
  );
});

it('a batch is not offered before the one before it was taken, and what changes again meanwhile is told once', async () => {
  const batches: (readonly RouteChange[])[] = [];
  let take = () => {};
  const changes = new Changes(
    (batch) => {
      batches.push(batch);
      return new Promise((resolve) => {
        take = resolve;
      });
    },
    () => undefined,
  );
  const all = Array.from({ length: 2000 }, (_, n) => parsePrefix(`10.${n >> 8}.${n & 255}.0/24`));
  for (const one of all) changes.add(one, [route(1, 0)]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(batches).toHaveLength(1);
  const late = all[all.length - 1];
  for (let n = 0; n < 3; n++) changes.add(late, n === 2 ? [] : [route(2, n)]);
  const settled = changes.settled();
  for (let n = 0; n < 10; n++) {
    take();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await settled;
  const told = batches.flat();
  expect(told).toHaveLength(2000);
  expect(told.filter(({ prefix: one }) => formatPrefix(one) === formatPrefix(late))).toMatchObject([
    { paths: [] },
  ]);
});

describe('packed', () => {
  it('is the same again, and what changes share stays shared', () => {
    const [a, b] = [[path('10.0.0.1')], [path('fd00::1'), path('10.0.0.2')]];
    const batch: RouteChange[] = [
      { prefix: parsePrefix('255.255.255.255/32'), paths: a },
      { prefix: parsePrefix('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128'), paths: b },
      { prefix: parsePrefix('0.0.0.0/0'), paths: [] },
      { prefix: parsePrefix('::/0'), paths: a },
      { prefix: parsePrefix('2001:db8::/32'), paths: b },
    ];
    const again = unpackChanges(structuredClone(packChanges(batch)));
    expect(again).toEqual(batch);
    expect(again[3].paths).toBe(again[0].paths);
    expect(again[4].paths).toBe(again[1].paths);
  });
});

const path = (nextHop: string) =>
  ({ peer: 'p', source: 'external', nextHop: parseAddress(nextHop) }) as const;
