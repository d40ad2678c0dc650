/** What may take part in the decision: each rule about a received route alone. */
import { describe, expect, test } from 'vitest';
import type { Attributes } from '../../../routing/bgp/codec/attributes.ts';
import { asLongLivedStale, importRoute } from '../../../routing/rib/import.ts';
import type { RibPeer } from '../../../routing/rib/peer.ts';
import { parseAddress } from '../../../wire/address.ts';
import { parsePrefix } from '../../../wire/prefix.ts';
import { attributesOf, OWN_AS, path, peer } from '../../support/rib.ts';

const SELF = { asn: OWN_AS, routerId: parseAddress('1.0.0.254'), clusterId: parseAddress('9.9.9.9') };
const take = (attributes: Attributes, from: Partial<RibPeer> = {}) =>
  importRoute(attributesOf(1, attributes), parsePrefix('10.9.0.0/16'), peer(1, from), SELF);
const inside: Partial<RibPeer> = { source: 'internal' };

describe('loops', () => {
  test('the own AS in the path, as often as allowed', () => {
    const looped = { asPath: path(64601, OWN_AS, 7, OWN_AS) };
    expect(take(looped)).toBe('AS loop: 64512 stands 2 times in AS_PATH, 0 allowed');
    expect(take(looped, { options: { allowAsIn: 1 } })).toContain('AS loop');
    expect(take(looped, { options: { allowAsIn: 2 } })).toMatchObject(looped);
    expect(take({ asPath: path(7, OWN_AS) }, inside)).toContain('AS loop');
  });

  test('in a set as well', () => {
    const asPath = [...path(64601), { type: 1, asns: [5, OWN_AS] } as const];
    expect(take({ asPath })).toContain('AS loop');
  });

  test('the AS that we are to the peer by local-as counts like the own one', () => {
    const options = { replaceAs: true };
    expect(take({ asPath: path(64601, 65000) }, { localAsn: 65000, options })).toContain('AS loop: 65000');
    expect(take({ asPath: path(64601, OWN_AS) }, { localAsn: 65000, options })).toContain('AS loop: 64512');
  });

  test('the own router ID as ORIGINATOR_ID, the own cluster in CLUSTER_LIST (RFC 4456 section 8)', () => {
    const clusters = [parseAddress('8.8.8.8'), SELF.clusterId];
    expect(take({ originatorId: SELF.routerId, asPath: [] }, inside)).toContain('ORIGINATOR_ID');
    expect(take({ clusterList: clusters, asPath: [] }, inside)).toContain('CLUSTER_LIST');
    expect(
      take({ clusterList: clusters.slice(0, 1), originatorId: clusters[0], asPath: [] }, inside),
    ).toEqual(attributesOf(1, { clusterList: clusters.slice(0, 1), originatorId: clusters[0], asPath: [] }));
  });
});

test('an external path begins with the peer AS, unless it is a route server or that is not asked for', () => {
  expect(take({ asPath: path(7, 64601) })).toContain('does not begin with the peer');
  expect(take({ asPath: [] })).toContain('does not begin with the peer');
  expect(take({ asPath: path(7) }, { options: { enforceFirstAs: false } })).toMatchObject({
    asPath: path(7),
  });
  expect(take({ asPath: path(7) }, { role: 'routeServerClient' })).toMatchObject({ asPath: path(7) });
  expect(take({ asPath: [] }, inside)).toMatchObject({ asPath: [] });
});

test('local-as shows in what is received, unless it replaces the own AS (RFC 7705)', () => {
  expect(take({}, { localAsn: 65000 })).toMatchObject({ asPath: path(65000, 64601) });
  expect(take({}, { localAsn: 65000, options: { replaceAs: true } })).toMatchObject({ asPath: path(64601) });
});

describe('next hops', () => {
  const useless = [
    '10.0.1.254',
    '0.0.0.0',
    '0.1.2.3',
    '127.0.0.1',
    '224.0.0.5',
    '255.255.255.255',
    '::',
    'ff02::1',
  ];
  for (const text of [...useless, '2001:db8:1::254']) {
    test(`${text} is refused`, () => {
      expect(take({ nextHop: parseAddress(text) })).toMatch(/next hop/);
    });
  }

  test('another host is not, a link-local one neither', () => {
    for (const text of ['10.0.1.7', '192.0.2.1', 'fe80::1', '::1:2']) {
      expect(take({ nextHop: parseAddress(text) })).toMatchObject({ nextHop: parseAddress(text) });
    }
  });
});

test('without a policy nothing comes in from outside, everything from inside (RFC 8212)', () => {
  const without = (source: 'internal' | 'external') => {
    const { import: _, ...bare } = peer(1, { source });
    return importRoute(attributesOf(1), parsePrefix('10.9.0.0/16'), bare, SELF);
  };
  expect(without('external')).toBe('no import policy for an external peer (RFC 8212)');
  expect(without('internal')).toEqual(attributesOf(1));
});

test('what policy rejects names the term; what it sets is set', () => {
  const reject = { terms: [{ name: 'never', action: 'reject' }], otherwise: 'accept' } as const;
  expect(take({}, { import: reject })).toBe('import policy: never');
  const set = {
    terms: [{ set: { localPref: 300, nextHop: 'peer' }, action: 'accept' }],
    otherwise: 'reject',
  } as const;
  const nextHop = parseAddress('10.0.1.9');
  expect(take({ nextHop }, { import: set })).toMatchObject({ localPref: 300, nextHop: peer(1).address });
});

test('GRACEFUL_SHUTDOWN makes a route the last choice, whatever policy says (RFC 8326)', () => {
  const set = { terms: [{ set: { localPref: 300 }, action: 'accept' }], otherwise: 'reject' } as const;
  expect(take({ communities: [0xffff0000] }, { import: set })).toMatchObject({ localPref: 0 });
  expect(take({ communities: [0xffff0000] }, inside)).not.toMatchObject({ localPref: 0 });
  expect(take({}, { options: { gracefulShutdown: true } })).toMatchObject({ localPref: 0 });
});

describe('OTC by what we are to the peer (RFC 9234 section 5)', () => {
  const cases = [
    ['provider', undefined, undefined],
    ['provider', 7, 'a route leak: OTC 7 from a customer or client'],
    ['routeServer', undefined, undefined],
    ['routeServer', 64601, 'a route leak: OTC 64601 from a customer or client'],
    ['peer', undefined, 64601],
    ['peer', 64601, 64601],
    ['peer', 7, 'a route leak: OTC 7 from AS 64601, which is a peer'],
    ['customer', undefined, 64601],
    ['customer', 7, 7],
    ['routeServerClient', undefined, 64601],
    ['routeServerClient', 7, 7],
    [undefined, undefined, undefined],
    [undefined, 7, 7],
  ] as const;
  for (const [role, otc, becomes] of cases) {
    test(`${role}, OTC ${otc}: ${becomes}`, () => {
      const got = take(otc === undefined ? {} : { onlyToCustomer: otc }, role === undefined ? {} : { role });
      if (typeof becomes === 'string') expect(got).toBe(becomes);
      else expect((got as Attributes).onlyToCustomer).toBe(becomes);
    });
  }
});

test('long-lived stale: marked once, unless it forbids that (RFC 9494)', () => {
  const marked = asLongLivedStale(attributesOf(1, { communities: [5] }));
  expect(marked).toMatchObject({ communities: [5, 0xffff0006] });
  expect(asLongLivedStale(marked)).toBe(marked);
  expect(asLongLivedStale(attributesOf(1, { communities: [0xffff0007] }))).toContain('NO_LLGR');
  expect(asLongLivedStale('rejected before')).toBe('rejected before');
});
