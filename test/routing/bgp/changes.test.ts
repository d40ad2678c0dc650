// What changed in the Loc-RIB on its way to the node: of each prefix the newest, in batches at the pace of who takes them, in
// columns that can be cloned.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BgpPath, RouteChange } from '../../../routing/bgp/bgp.ts';
import { Changes } from '../../../routing/bgp/changes.ts';
import { changesOf } from '../../../routing/bgp/route-batch.ts';
import { Rib } from '../../../routing/rib/rib.ts';
import { parseAddress } from '../../../wire/address.ts';
import { formatPrefix, parsePrefix } from '../../../wire/prefix.ts';
import { announcing, attributesOf, OWN_AS, peer, withdrawing } from '../../support/rib.ts';
import { batchesOf } from '../../support/route-batch.ts';

const PEERS = [1, 2, 3];

/** A Rib whose changes go into `told`; the node takes each batch a moment later. */
const follow = (maxPaths: number) => {
  const told = new Map<string, readonly BgpPath[]>();
  const batches: RouteChange[][] = [];
  const changes = new Changes(
    async (batch) => {
      await new Promise((resolve) => setImmediate(resolve));
      batches.push([...changesOf(structuredClone(batch))]);
      for (const { prefix, paths } of batches.at(-1) ?? []) told.set(formatPrefix(prefix), paths);
    },
    (name) => `eth-${name}`,
  );
  const newRib = (): Rib => {
    const rib = new Rib({
      asn: OWN_AS,
      routerId: parseAddress('1.0.0.254'),
      maxPaths,
      resolve: () => 1,
      onBest: () => changes.wake(),
    });
    for (const n of PEERS) rib.peerUp(peer(n), 0);
    changes.follow(rib);
    return rib;
  };
  return { rib: newRib(), newRib, changes, told, batches };
};

const P4 = ['10.0.0.0/8', '10.0.0.0/16', '0.0.0.0/0', '255.255.255.255/32'];
const P6 = ['2001:db8::/32', '::/0', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128'];

const step = fc.record({
  prefix: fc.constantFrom(...P4, ...P6),
  from: fc.constantFrom(...PEERS),
  what: fc.oneof(
    fc.record({ hop: fc.constantFrom('10.0.1.1', '10.0.9.9'), med: fc.constantFrom(1, 2) }),
    fc.constant('gone' as const),
  ),
  waits: fc.boolean(),
});

it('of each prefix the newest comes, whatever changes while others are taken', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(1, 2), fc.array(step, { maxLength: 60 }), async (maxPaths, steps) => {
      const { rib, changes, told } = follow(maxPaths);
      for (const { prefix, from, what, waits } of steps) {
        const hop = (text: string) => (prefix.includes(':') ? `fe80::${text.slice(-1)}` : text);
        rib.receive(
          `p${from}`,
          what === 'gone'
            ? withdrawing([prefix])
            : announcing(
                [prefix],
                attributesOf(from, { nextHop: parseAddress(hop(what.hop)), med: what.med }),
              ),
        );
        if (waits) await new Promise((resolve) => setImmediate(resolve));
      }
      await changes.settled();
      expect(rib.takeBest(1)).toBeUndefined();
      for (const prefix of new Set(steps.map((one) => one.prefix))) {
        const shown = rib.chosen(parsePrefix(prefix)).map(({ peer: from, attributes }) => ({
          peer: from,
          source: 'external',
          nextHop: attributes.nextHop,
          ...(prefix.includes(':') && { interface: `eth-${from}` }),
        }));
        // Of a prefix that came and went in between nothing need be told.
        expect(told.get(prefix) ?? []).toEqual(shown);
      }
      expect(rib.audit()).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

it('a batch is not offered before the one before it was taken, and what changes again meanwhile is told once', async () => {
  const { rib, changes, batches } = follow(1);
  const all = Array.from({ length: 2000 }, (_, n) => `10.${n >> 8}.${n & 255}.0/24`);
  rib.receive('p1', announcing(all, attributesOf(1)));
  await new Promise((resolve) => setImmediate(resolve));
  expect(batches).toHaveLength(0);
  const late = all[all.length - 1];
  for (const med of [1, 2]) rib.receive('p1', announcing([late], attributesOf(1, { med })));
  rib.receive('p1', withdrawing([late]));
  await changes.settled();
  const told = batches.flat();
  expect(batches.length).toBeGreaterThan(2);
  expect(told).toHaveLength(2000);
  expect(told.filter(({ prefix }) => formatPrefix(prefix) === late)).toMatchObject([{ paths: [] }]);
});

it('what a Rib still has to say comes before what the next one says', async () => {
  const { rib, newRib, changes, told, batches } = follow(1);
  rib.receive('p1', announcing(['10.0.0.0/8', '10.1.0.0/16'], attributesOf(1)));
  await changes.settled();
  rib.peerDown('p1', 0);
  const next = newRib();
  next.receive('p2', announcing(['10.1.0.0/16'], attributesOf(2)));
  await changes.settled();
  expect(batches.map((batch) => batch.length)).toEqual([2, 2, 1]);
  expect([...told].map(([prefix, paths]) => [prefix, paths[0]?.peer])).toEqual([
    ['10.0.0.0/8', undefined],
    ['10.1.0.0/16', 'p2'],
  ]);
});

describe('a batch', () => {
  const path = (nextHop: string) =>
    ({ peer: 'p', source: 'external', nextHop: parseAddress(nextHop) }) as const;

  it('is read as what it was made of, and what changes share stays shared', () => {
    const [a, b] = [[path('10.0.0.1')], [path('fd00::1'), path('10.0.0.2')]];
    const change = (prefix: string, paths: readonly BgpPath[]): RouteChange => ({
      prefix: parsePrefix(prefix),
      paths,
    });
    const all = [
      ...[change('255.255.255.255/32', a), change('0.0.0.0/0', []), change('10.0.0.0/8', a)],
      ...[change('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', b), change('::/0', a)],
    ];
    const again = batchesOf(all).flatMap((batch) => [...changesOf(structuredClone(batch))]);
    expect(again).toEqual(all);
    expect(again[2].paths).toBe(again[0].paths);
  });

  it('names routes that are reached alike once, however many attribute sets they have', async () => {
    const { rib, changes, batches } = follow(1);
    for (let n = 0; n < 20; n++)
      rib.receive('p1', announcing([`10.${n}.0.0/16`], attributesOf(1, { med: n })));
    await changes.settled();
    expect(batches.map((batch) => [batch.length, new Set(batch.map(({ paths }) => paths)).size])).toEqual([
      [20, 1],
    ]);
  });
});
