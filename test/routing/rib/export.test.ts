/** What a peer is told, and with which attributes: each rule alone. */
import { describe, expect, test } from 'vitest';
import type { Attributes } from '../../../routing/bgp/codec/attributes.ts';
import type { Policy } from '../../../routing/policy/policy.ts';
import { exportRoute } from '../../../routing/rib/export.ts';
import { importRoute } from '../../../routing/rib/import.ts';
import type { RibPeer } from '../../../routing/rib/peer.ts';
import { parseAddress } from '../../../wire/address.ts';
import { parsePrefix } from '../../../wire/prefix.ts';
import { attributesOf, OWN_AS, path, peer } from '../../support/rib.ts';

const SELF = { asn: OWN_AS, routerId: parseAddress('1.0.0.254'), clusterId: parseAddress('9.9.9.9') };
const tell = (
  attributes: Attributes,
  to: Partial<RibPeer> = {},
  from: Partial<RibPeer> | 'local' = {},
  prefix = '10.9.0.0/16',
) => {
  const source = from === 'local' ? undefined : peer(1, from);
  return exportRoute(attributesOf(1, attributes), parsePrefix(prefix), source, peer(2, to), SELF);
};
const internal = { source: 'internal' } as const;

describe('who is told', () => {
  test('not the peer that it came from', () => {
    expect(exportRoute(attributesOf(1), parsePrefix('10.9.0.0/16'), peer(1), peer(1), SELF)).toBe(
      'it came from this peer',
    );
  });

  // RFC 4456 section 6.
  const kinds = {
    external: {},
    client: { ...internal, client: true },
    other: internal,
    local: 'local',
  } as const;
  const told: Record<keyof typeof kinds, readonly [boolean, boolean, boolean]> = {
    external: [true, true, true],
    local: [true, true, true],
    client: [true, true, true],
    other: [true, true, false],
  };
  for (const from of Object.keys(kinds) as (keyof typeof kinds)[]) {
    for (const [i, to] of (['external', 'client', 'other'] as const).entries()) {
      test(`from ${from} to ${to}: ${told[from][i]}`, () => {
        const result = tell({}, kinds[to], kinds[from]);
        expect(typeof result === 'object').toBe(told[from][i]);
      });
    }
  }

  test('not the peer that made it, as the originator says', () => {
    const originatorId = peer(2).routerId;
    expect(tell({ originatorId }, { ...internal, client: true }, internal)).toBe(
      'the peer is its originator',
    );
  });

  test('NO_ADVERTISE to nobody, NO_EXPORT and NO_EXPORT_SUBCONFED not outside (RFC 1997)', () => {
    for (const [community, inside] of [
      [0xffffff02, false],
      [0xffffff01, true],
      [0xffffff03, true],
    ] as const) {
      expect(typeof tell({ communities: [community] })).toBe('string');
      expect(typeof tell({ communities: [community] }, {}, 'local')).toBe('string');
      expect(typeof tell({ communities: [community] }, internal) === 'object').toBe(inside);
    }
  });

  test('of long-lived stale routes only who knows them (RFC 9494 section 4.3)', () => {
    expect(tell({ communities: [0xffff0006] })).toContain('long-lived stale');
    expect(tell({ communities: [0xffff0006] }, { longLived: true })).toMatchObject({
      communities: [0xffff0006],
    });
  });

  test('without a policy nobody outside, everybody inside (RFC 8212)', () => {
    for (const source of ['external', 'internal'] as const) {
      const { export: _, ...bare } = peer(2, { source });
      const result = exportRoute(attributesOf(1), parsePrefix('10.9.0.0/16'), peer(1), bare, SELF);
      if (source === 'external') expect(result).toBe('no export policy for an external peer (RFC 8212)');
      else expect(result).toMatchObject({ asPath: path(64601) });
    }
  });

  test('not whom policy keeps it from', () => {
    const rejects: Policy = { terms: [], otherwise: 'reject' };
    expect(tell({}, { export: rejects })).toBe('export policy: no term that accepts');
  });
});

describe('attributes towards external peers', () => {
  test('LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST stay inside, the own AS is put in front', () => {
    const inside = {
      localPref: 300,
      originatorId: parseAddress('1.2.3.4'),
      clusterList: [parseAddress('1.2.3.4')],
      med: 5,
    };
    expect(tell(inside, {}, internal)).toEqual({
      origin: 0,
      asPath: path(OWN_AS, 64601),
      nextHop: peer(2).localAddress,
    });
  });

  test('a MED goes only with what is made here, or what policy sets (RFC 4271 section 5.1.4)', () => {
    expect(tell({ med: 5 })).not.toHaveProperty('med');
    expect(tell({ med: 5 }, {}, 'local')).toMatchObject({ med: 5 });
    const sets: Policy = { terms: [{ set: { med: 9 }, action: 'accept' }], otherwise: 'reject' };
    expect(tell({ med: 5 }, { export: sets })).toMatchObject({ med: 9 });
    expect(tell({ med: 5 }, internal)).toMatchObject({ med: 5 });
  });

  test('prepended ASes of the policy stand behind the own one', () => {
    const prepends: Policy = {
      terms: [{ set: { prepend: { times: 2 } }, action: 'accept' }],
      otherwise: 'reject',
    };
    expect(tell({}, { export: prepends })).toMatchObject({ asPath: path(OWN_AS, OWN_AS, OWN_AS, 64601) });
  });

  test('local-as: the old AS in front of the own one, or in its place (RFC 7705)', () => {
    expect(tell({}, { localAsn: 65000 })).toMatchObject({ asPath: path(65000, OWN_AS, 64601) });
    const options = { replaceAs: true };
    expect(tell({}, { localAsn: 65000, options })).toMatchObject({ asPath: path(65000, 64601) });
  });

  test("private ASes but the peer's own are left out, segments that are empty then as well", () => {
    const asPath = [...path(64700, 3, 64602, 4_200_000_001), { type: 1, asns: [64800] } as const];
    expect(tell({ asPath }, { options: { removePrivate: true } })).toMatchObject({
      asPath: path(OWN_AS, 3, 64602),
    });
  });

  test('non-transitive extended communities stay inside, others go', () => {
    const [stays, goes] = [
      { type: 0x40, subtype: 4, value: 1 },
      { type: 0, subtype: 2, value: 1 },
    ];
    expect(tell({ extendedCommunities: [stays, goes] })).toMatchObject({ extendedCommunities: [goes] });
    expect(tell({ extendedCommunities: [stays] })).not.toHaveProperty('extendedCommunities');
    expect(tell({ extendedCommunities: [stays] }, internal)).toMatchObject({ extendedCommunities: [stays] });
  });

  test('communities are not sent where that is not wanted', () => {
    const all = {
      communities: [5],
      extendedCommunities: [{ type: 0, subtype: 2, value: 1 }],
      largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
    };
    const sent = (sendCommunities: RibPeer['options']['sendCommunities']) =>
      Object.keys(
        tell(all, { options: { ...(sendCommunities !== undefined && { sendCommunities }) } }),
      ).filter((key) => key.toLowerCase().includes('communities'));
    expect(sent(undefined).sort()).toEqual(Object.keys(all).sort());
    expect(sent({ plain: false }).sort()).toEqual(['extendedCommunities', 'largeCommunities']);
    expect(sent({ extended: false, large: false })).toEqual(['communities']);
  });

  test('a session about to end says so outside, and is the last choice inside (RFC 8326)', () => {
    const options = { gracefulShutdown: true };
    expect(tell({ communities: [5] }, { options })).toMatchObject({ communities: [5, 0xffff0000] });
    expect(tell({ localPref: 200 }, { ...internal, options })).toMatchObject({ localPref: 0 });
  });
});

describe('attributes towards internal peers', () => {
  test('LOCAL_PREF is always there, the path as it is', () => {
    expect(tell({}, internal)).toEqual(attributesOf(1, { localPref: 100 }));
    expect(tell({ localPref: 7 }, internal)).toMatchObject({ localPref: 7 });
  });

  test('what is reflected names who brought it in and through which clusters it went (RFC 4456 section 8)', () => {
    const reflect = { ...internal, client: true };
    expect(tell({}, reflect, internal)).toMatchObject({
      originatorId: peer(1).routerId,
      clusterList: [SELF.clusterId],
      nextHop: attributesOf(1).nextHop,
    });
    const [originatorId, other] = [parseAddress('4.4.4.4'), parseAddress('5.5.5.5')];
    expect(tell({ originatorId, clusterList: [other] }, reflect, internal)).toMatchObject({
      originatorId,
      clusterList: [SELF.clusterId, other],
    });
    for (const from of [{}, 'local'] as const) {
      expect(tell({}, reflect, from)).not.toHaveProperty('clusterList');
    }
  });
});

describe('OTC by what we are to the peer (RFC 9234 section 5)', () => {
  const cases = [
    ['provider', undefined, OWN_AS],
    ['provider', 7, 7],
    ['routeServer', undefined, OWN_AS],
    ['peer', undefined, OWN_AS],
    ['peer', 7, null],
    ['customer', undefined, undefined],
    ['customer', 7, null],
    ['routeServerClient', 7, null],
    [undefined, 7, 7],
  ] as const;
  for (const [role, otc, becomes] of cases) {
    test(`${role}, OTC ${otc}: ${becomes}`, () => {
      const attributes = otc === undefined ? {} : { onlyToCustomer: otc };
      const result = tell(attributes, role === undefined ? {} : { role });
      if (becomes === null) expect(result).toContain('OTC');
      else expect((result as Attributes).onlyToCustomer).toBe(becomes);
    });
  }
});

test('tunnels stay inside, in and out, unless an external peer is trusted with them (RFC 9012 section 11)', () => {
  const encapsulation = { type: 3, subtype: 0x0c, value: 8 };
  const routeTarget = { type: 0, subtype: 2, value: 1 };
  const inside = { tunnels: [{ type: 8, subTlvs: [] }], extendedCommunities: [encapsulation, routeTarget] };
  const bare = { extendedCommunities: [routeTarget] };
  for (const [to, kept] of [
    [{}, false],
    [{ options: { tunnels: true } }, true],
    [internal, true],
  ] as const) {
    const sent = tell(inside, to);
    const taken = importRoute(attributesOf(1, inside), parsePrefix('10.9.0.0/16'), peer(1, to), SELF);
    for (const result of [sent, taken]) {
      expect(result).toMatchObject(kept ? inside : bare);
      expect('tunnels' in (result as object)).toBe(kept);
    }
  }
  expect(tell({ extendedCommunities: [encapsulation] })).not.toHaveProperty('extendedCommunities');
});
