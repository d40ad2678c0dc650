/** Random BGP messages for property tests: what they make, encoding and decoding gives back as it was. */
import fc from 'fast-check';
import type { AsPath } from '../../routing/bgp/codec/as-path.ts';
import {
  type Attributes,
  AttributeType,
  type Coding,
  type Origin,
} from '../../routing/bgp/codec/attributes.ts';
import type { Capability } from '../../routing/bgp/codec/capability.ts';
import { uniqueLarge } from '../../routing/bgp/codec/community.ts';
import type { Family, Nlri } from '../../routing/bgp/codec/family.ts';
import { EXTENDED_MAX_LENGTH, MAX_LENGTH, type Message } from '../../routing/bgp/codec/message.ts';
import type { Reach } from '../../routing/bgp/codec/reach.ts';
import type { SubTlv, Tunnel } from '../../routing/bgp/codec/tunnel.ts';
import type { Update } from '../../routing/bgp/codec/update.ts';
import { type Address, ipv4, ipv6 } from '../../wire/address.ts';
import type { Mac } from '../../wire/mac.ts';
import { maskAddress } from '../../wire/prefix.ts';

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const asn = fc.oneof(fc.integer({ min: 1, max: 0xffff }), fc.integer({ min: 1, max: 0xffffffff }));
const bytes = (max: number) => fc.uint8Array({ maxLength: max });
const some = <Item>(item: fc.Arbitrary<Item>, max = 4) => fc.array(item, { minLength: 1, maxLength: max });

export const address4: fc.Arbitrary<Address> = u32.map(ipv4);
export const address6: fc.Arbitrary<Address> = fc.tuple(u32, u32, u32, u32).map((words) => ipv6(...words));

export const coding: fc.Arbitrary<Coding> = fc.record({
  asBytes: fc.constantFrom(2, 4),
  maxLength: fc.constantFrom(MAX_LENGTH, EXTENDED_MAX_LENGTH),
  addPath: fc.record({ 4: fc.boolean(), 6: fc.boolean() }),
  internal: fc.boolean(),
});

const nlri = (family: Family, addPath: boolean): fc.Arbitrary<Nlri> =>
  fc
    .tuple(family === 4 ? address4 : address6, fc.integer({ min: 0, max: family === 4 ? 32 : 128 }), u32)
    .map(([address, length, pathId]) => {
      const prefix = { address: maskAddress(address, length), length };
      return addPath ? { prefix, pathId } : { prefix };
    });

export const nlriList = (family: Family, agreed: Coding, max = 20): fc.Arbitrary<Nlri[]> =>
  fc.array(nlri(family, agreed.addPath[family]), { maxLength: max });

const path: fc.Arbitrary<AsPath> = fc.array(fc.record({ type: fc.constantFrom(1, 2), asns: some(asn, 6) }), {
  maxLength: 4,
});

/** Of a sequence alone and without AS_TRANS: what two octets can carry there and back exactly. */
const sequence: fc.Arbitrary<AsPath> = some(
  asn.filter((one) => one !== 23456),
  10,
).map((asns) => [{ type: 2, asns }]);

const subTlv: fc.Arbitrary<SubTlv> = fc.oneof(
  fc.record({
    kind: fc.constant('egressEndpoint' as const),
    address: fc.oneof(address4, address6, fc.constant(null)),
  }),
  fc.record({
    kind: fc.constant('unknown' as const),
    type: fc.integer({ min: 7, max: 255 }),
    value: bytes(40),
  }),
);
const vxlan: fc.Arbitrary<SubTlv> = fc.record(
  {
    kind: fc.constant('vxlan' as const),
    vni: fc.integer({ min: 0, max: 0xffffff }),
    mac: u48.map((value) => value as Mac),
  },
  { requiredKeys: ['kind'] },
);
const tunnel: fc.Arbitrary<Tunnel> = fc.oneof(
  fc.record({ type: fc.constant(8), subTlvs: fc.array(fc.oneof(subTlv, vxlan), { maxLength: 4 }) }),
  fc.record({ type: u16.filter((type) => type !== 8), subTlvs: fc.array(subTlv, { maxLength: 4 }) }),
);

const KNOWN = new Set<number>(Object.values(AttributeType));
const unknown = fc
  .uniqueArray(fc.record({ type: u8.filter((type) => !KNOWN.has(type)), value: bytes(300) }), {
    minLength: 1,
    maxLength: 3,
    selector: ({ type }) => type,
  })
  .map((all) => all.sort((a, b) => a.type - b.type));

const ORIGINS: readonly Origin[] = [0, 1, 2];

export const attributes = (agreed: Coding): fc.Arbitrary<Attributes> =>
  fc
    .record(
      {
        origin: fc.constantFrom(...ORIGINS),
        asPath: agreed.asBytes === 4 ? path : sequence,
        nextHop: address4,
        med: u32,
        localPref: u32,
        atomicAggregate: fc.constant(true as const),
        aggregator: fc.record({ asn: asn.filter((one) => one !== 23456), address: address4 }),
        communities: some(u32),
        originatorId: address4,
        clusterList: some(address4),
        extendedCommunities: some(fc.record({ type: u8, subtype: u8, value: u48 })),
        tunnels: some(tunnel, 2),
        largeCommunities: some(fc.record({ global: u32, local1: u32, local2: u32 })).map(uniqueLarge),
        onlyToCustomer: u32,
        unknown,
      },
      { requiredKeys: ['origin', 'asPath', 'nextHop', 'localPref'] },
    )
    .map(({ localPref, originatorId, clusterList, ...rest }) => {
      const rightAggregator = agreed.asBytes === 4 || rest.aggregator === undefined || needsTrust(rest);
      const { aggregator, ...others } = rest;
      const both: Attributes =
        rightAggregator && aggregator !== undefined ? { ...others, aggregator } : others;
      if (!agreed.internal) return both;
      return {
        ...both,
        localPref,
        ...(originatorId !== undefined && { originatorId }),
        ...(clusterList !== undefined && { clusterList }),
      };
    });

/** To an old speaker a path of large numbers goes with a large aggregator or none (RFC 6793 section 4.2.3). */
const needsTrust = ({ aggregator, asPath }: Attributes): boolean =>
  (aggregator?.asn ?? 0) > 0xffff || !(asPath ?? []).some(({ asns }) => asns.some((one) => one > 0xffff));

const reach = (agreed: Coding): fc.Arbitrary<Reach> =>
  fc.oneof(
    fc.record({
      family: fc.constant(4 as const),
      nextHop: fc.oneof(address4, address6),
      nlri: nlriList(4, agreed),
    }),
    fc.record(
      { family: fc.constant(6 as const), nextHop: address6, linkLocal: address6, nlri: nlriList(6, agreed) },
      { requiredKeys: ['family', 'nextHop', 'nlri'] },
    ),
  );

export const update = (agreed: Coding): fc.Arbitrary<Update> =>
  fc.record(
    {
      withdrawn: nlriList(4, agreed),
      unreach: fc
        .constantFrom(4 as const, 6 as const)
        .chain((family) => nlriList(family, agreed).map((all) => ({ family, nlri: all }))),
      attributes: attributes(agreed),
      reach: reach(agreed),
      nlri: nlriList(4, agreed),
    },
    { requiredKeys: ['withdrawn', 'attributes', 'nlri'] },
  );

const families = { afi: u16, safi: u8 };
const capability: fc.Arbitrary<Capability> = fc.oneof(
  fc.record({ kind: fc.constant('multiprotocol' as const), ...families }),
  fc.constantFrom<Capability>(
    { kind: 'routeRefresh' },
    { kind: 'extendedMessage' },
    { kind: 'enhancedRouteRefresh' },
  ),
  fc.record({ kind: fc.constant('role' as const), role: u8 }),
  fc.record({
    kind: fc.constant('extendedNextHop' as const),
    families: fc.array(fc.record({ ...families, nextHopAfi: u16 }), { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('gracefulRestart' as const),
    restarting: fc.boolean(),
    notifications: fc.boolean(),
    restartTime: fc.integer({ min: 0, max: 0xfff }),
    families: fc.array(fc.record({ ...families, forwarding: fc.boolean() }), { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('addPath' as const),
    families: fc.array(fc.record({ ...families, mode: u8 }), { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('longLivedGracefulRestart' as const),
    families: fc.array(
      fc.record({ ...families, forwarding: fc.boolean(), staleTime: fc.integer({ min: 0, max: 0xffffff }) }),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    kind: fc.constant('unknown' as const),
    code: fc.integer({ min: 128, max: 255 }),
    value: bytes(100),
  }),
);

const open: fc.Arbitrary<Message> = fc
  .record({
    asn,
    holdTime: u16.filter((time) => time !== 1 && time !== 2),
    routerId: address4.filter(({ words }) => words[0] !== 0),
    capabilities: fc.array(capability, { maxLength: 12 }),
  })
  .map((value) => ({
    kind: 'open',
    open: { ...value, capabilities: [...value.capabilities, { kind: 'fourOctetAs', asn: value.asn }] },
  }));

export const message = (agreed: Coding): fc.Arbitrary<Message> =>
  fc.oneof(
    open,
    update(agreed).map((value): Message => ({ kind: 'update', update: value })),
    fc
      .record({ code: u8, subcode: u8, data: bytes(60) })
      .map((notification): Message => ({ kind: 'notification', notification })),
    fc.constant<Message>({ kind: 'keepalive' }),
    fc.record({ ...families, subtype: u8 }).map((refresh): Message => ({ kind: 'routeRefresh', refresh })),
  );
