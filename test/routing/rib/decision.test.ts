/** Each step of the decision process, that it comes before all later ones, and laws that hold for any routes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Attributes } from '../../../routing/bgp/codec/attributes.ts';
import {
  bestOf,
  type Candidate,
  compareRoutes,
  decide,
  equalRoutes,
  meritsOf,
} from '../../../routing/rib/decision.ts';
import { ipv4, parseAddress } from '../../../wire/address.ts';

const path = (...asns: number[]) => (asns.length === 0 ? [] : [{ type: 2, asns } as const]);
/** As a test says it. */
type Said = Omit<Candidate, 'merits'> & { readonly attributes: Attributes };
const candidate = (said: Said) => ({ ...said, merits: meritsOf(said.attributes) });

const first: Said = {
  attributes: { origin: 0, asPath: path(64500, 64501), localPref: 100, med: 10 },
  source: 'external',
  routerId: parseAddress('10.0.0.5'),
  peerAddress: parseAddress('10.1.0.5'),
  pathId: 5,
  nextHopCost: 5,
};
const route = ({ attributes, ...rest }: Partial<Said>) =>
  candidate({ ...first, ...rest, attributes: { ...first.attributes, ...attributes } });
const base = route({});

/** In order; each is better than `base` in this step, and worse in nothing before it. */
const better: readonly [string, Partial<Said>][] = [
  ['higher LOCAL_PREF', { attributes: { localPref: 101 } }],
  ['made on this node', { source: 'local' }],
  ['shorter AS_PATH', { attributes: { asPath: path(64500) } }],
  ['lower MED', { attributes: { med: 9 } }],
  ['nearer next hop', { nextHopCost: 4 }],
  ['lower router ID', { routerId: parseAddress('10.0.0.4') }],
  ['lower peer address', { peerAddress: parseAddress('10.1.0.4') }],
  ['lower path identifier', { pathId: 4 }],
];

describe('one step after the other', () => {
  for (const [why, change] of better) {
    test(why, () => {
      expect(compareRoutes(route(change), base)).toEqual({ order: -1, why });
      expect(compareRoutes(base, route(change))).toEqual({ order: 1, why });
    });
  }

  test('an earlier step outweighs all later ones', () => {
    for (const [i, [why, change]] of better.entries()) {
      const rest = better.slice(i + 1).map(([, other]) => other);
      const others: Partial<Said> = Object.assign({}, ...rest, {
        attributes: Object.assign({}, ...rest.map(({ attributes }) => attributes)),
      });
      expect(compareRoutes(route(change), route(others))).toEqual({ order: -1, why });
    }
  });

  test('steps that need other routes to begin with', () => {
    const stale = route({ attributes: { communities: [0xffff0006], localPref: 500 } });
    expect(compareRoutes(base, stale).why).toBe('not long-lived stale');
    expect(compareRoutes(base, route({ attributes: { origin: 2, med: 0 } })).why).toBe('lower ORIGIN');
    const inside = route({ source: 'internal', nextHopCost: 1 });
    expect(compareRoutes(base, inside)).toEqual({ order: -1, why: 'external before internal' });
    const reflected = route({ attributes: { originatorId: parseAddress('10.0.0.1') } });
    expect(compareRoutes(reflected, base)).toEqual({ order: -1, why: 'lower router ID' });
    const cluster = [parseAddress('1.1.1.1')];
    expect(compareRoutes(base, route({ attributes: { clusterList: cluster } })).why).toBe(
      'shorter CLUSTER_LIST',
    );
    expect(compareRoutes(base, route({ peerAddress: parseAddress('fe80::1') })).order).toBe(-1);
    expect(compareRoutes(base, base)).toEqual({ order: 0, why: 'equal' });
  });

  test('a MED is compared within a neighbouring AS, or everywhere when asked', () => {
    const far = route({ attributes: { asPath: path(64999, 64501), med: 0 }, pathId: 9 });
    expect(compareRoutes(base, far).why).toBe('lower path identifier');
    expect(compareRoutes(base, far, { alwaysCompareMed: true })).toEqual({ order: 1, why: 'lower MED' });
  });
});

describe('the best of many', () => {
  test("RFC 4456's circle: A beats B by router ID, B beats C so, C beats A by MED", () => {
    const a = route({ attributes: { asPath: path(1, 9), med: 20 }, routerId: ipv4(1) });
    const b = route({ attributes: { asPath: path(2, 9), med: 0 }, routerId: ipv4(2) });
    const c = route({ attributes: { asPath: path(1, 9), med: 10 }, routerId: ipv4(3) });
    for (const order of [
      [a, b, c],
      [b, c, a],
      [c, a, b],
      [c, b, a],
      [a, c, b],
      [b, a, c],
    ]) {
      const { best, lost } = decide(order);
      expect(best).toBe(b);
      expect(lost.get(a)).toBe('lower MED');
      expect(lost.get(c)).toBe('lower router ID');
    }
  });

  test('a next hop that does not resolve keeps a route out; none left, none best', () => {
    const out = route({ attributes: { localPref: 900 }, nextHopCost: undefined });
    const { best, lost } = decide([out, base]);
    expect(best).toBe(base);
    expect(lost.get(out)).toBe('next hop unreachable');
    expect(decide([out]).best).toBeUndefined();
  });

  test('equal routes share: the same quality, other peers', () => {
    const twin = route({ routerId: parseAddress('10.0.0.9'), peerAddress: parseAddress('10.1.0.9') });
    const worse = route({ nextHopCost: 6 });
    const { best } = decide([twin, worse, base]);
    expect(best).toBe(base);
    expect(equalRoutes(base, [twin, worse, base])).toEqual([base, twin]);
  });

  const small = fc.integer({ min: 0, max: 2 });
  const candidates = fc
    .array(
      fc.record({
        attributes: fc.record({
          localPref: small,
          med: small,
          origin: fc.constantFrom(0 as const, 1 as const, 2 as const),
          asPath: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }).map((asns) => path(...asns)),
        }),
        source: fc.constantFrom('local' as const, 'external' as const, 'internal' as const),
        routerId: small.map(ipv4),
        peerAddress: small.map(ipv4),
        nextHopCost: fc.option(small, { nil: undefined }),
      }),
      { maxLength: 8 },
    )
    .map((all): Candidate[] => all.map((one, pathId) => candidate({ ...one, pathId })));

  test('does not depend on the order, and each that lost is told why', () => {
    const shuffled = candidates.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
    );
    fc.assert(
      fc.property(shuffled, ([all, other]) => {
        const { best, lost } = decide(all);
        expect(decide(other).best).toBe(best);
        expect([bestOf(all), bestOf(other)]).toEqual([best, best]);
        expect(decide(other).lost).toEqual(lost);
        expect(lost.size).toBe(all.length - (best === undefined ? 0 : 1));
        expect([...lost.values()]).not.toContain('equal');
      }),
      { numRuns: 3000 },
    );
  });

  test('comparing is antisymmetric', () => {
    fc.assert(
      fc.property(candidates, (all) => {
        for (const a of all) {
          for (const b of all) expect(compareRoutes(a, b).order + compareRoutes(b, a).order).toBe(0);
        }
      }),
      { numRuns: 500 },
    );
  });
});
