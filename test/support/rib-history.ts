/** Random histories of a BGP speaker's RIBs: sessions come, restart and go, routes change, policies and next hops too. */
import fc from 'fast-check';
import type { Family } from '../../routing/bgp/codec/family.ts';
import type { Policy } from '../../routing/policy/policy.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { OWN_AS } from './rib.ts';

export const PREFIXES = [
  '0.0.0.0/0',
  '10.1.0.0/16',
  '10.1.2.0/24',
  '10.2.0.0/16',
  '::/0',
  '2001:db8:1::/48',
  '2001:db8:2::/64',
];
/** Number 1 sends path identifiers. */
export const PEERS = 3;
export const NEXT_HOPS = ['10.7.0.1', '10.7.0.2', '10.0.1.1', '2001:db8:7::1'];
const policies: readonly (Policy | undefined)[] = [
  undefined,
  { terms: [], otherwise: 'accept' },
  {
    terms: [{ match: { prefixes: [{ prefix: parsePrefix('10.1.0.0/16'), le: 24 }] }, action: 'reject' }],
    otherwise: 'accept',
  },
  {
    terms: [
      {
        match: { communities: [{ asn: 1 }] },
        set: { localPref: 200, communities: { set: [] } },
        action: 'next',
      },
      {
        match: { prefixes: [{ prefix: parsePrefix('0.0.0.0/0'), le: 16 }] },
        set: { med: 7 },
        action: 'accept',
      },
    ],
    otherwise: 'accept',
  },
  {
    terms: [{ set: { communities: { add: [0x10001] }, prepend: { times: 1 } }, action: 'accept' }],
    otherwise: 'reject',
  },
];

const policy = fc.oneof(
  { weight: 3, arbitrary: fc.constant(policies[1]) },
  { weight: 4, arbitrary: fc.constantFrom(...policies) },
);

const attributes = fc.record({
  asns: fc.constantFrom([], [7], [7, 8], [OWN_AS]),
  nextHop: fc.constantFrom(...NEXT_HOPS),
  med: fc.constantFrom(undefined, 5),
  localPref: fc.constantFrom(undefined, 150),
  communities: fc.constantFrom(undefined, [0x10001], [0xffffff01], [0xffff0000], [0xffff0007], [0xffffff02]),
});

const config = fc.record({
  source: fc.constantFrom('external' as const, 'internal' as const),
  client: fc.boolean(),
  addPath: fc.boolean(),
  longLived: fc.boolean(),
  import: policy,
  export: policy,
  nextHopSelf: fc.constantFrom(false, true, 'all' as const),
  defaultOriginate: fc.boolean(),
  maxPathsSent: fc.constantFrom(undefined, 2),
});

const who = fc.integer({ min: 1, max: PEERS });
const prefixes = fc.subarray(PREFIXES, { minLength: 1 });
const family = fc.constantFrom<Family>(4, 6);
const families = fc.subarray<Family>([4, 6]);
const pathId = fc.constantFrom(1, 2);
const longLived = fc.boolean();

const happens = <Kind extends string, Fields extends object>(
  weight: number,
  kind: Kind,
  fields: { [Key in keyof Fields]: fc.Arbitrary<Fields[Key]> },
): { weight: number; arbitrary: fc.Arbitrary<{ kind: Kind } & Fields> } => ({
  weight,
  arbitrary: fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<
    { kind: Kind } & Fields
  >,
});

const event = fc.oneof(
  happens(10, 'announce', { who, prefixes, attributes, pathId }),
  // What it announced already, unchanged.
  happens(3, 'repeat', { who, prefixes }),
  happens(5, 'withdraw', { who, prefixes, pathId }),
  happens(3, 'up', { who, config, kept: families }),
  happens(1, 'down', { who }),
  happens(3, 'restart', { who, families, longLived }),
  happens(2, 'endOfRib', { who, family }),
  happens(1, 'beginRefresh', { who, family }),
  happens(1, 'endRefresh', { who, family }),
  happens(1, 'resend', { who, family }),
  happens(2, 'policies', { who, import: policy, export: policy }),
  happens(2, 'originate', { prefixes, attributes }),
  happens(1, 'retract', { prefixes }),
  happens(2, 'cost', { nextHop: fc.constantFrom(...NEXT_HOPS), cost: fc.constantFrom(undefined, 1, 2) }),
  happens(3, 'wait', { seconds: fc.constantFrom(50, 120, 400, 1100) }),
  happens(4, 'read', { who, maxBytes: fc.constantFrom(1, 60, 1 << 16) }),
);

type Value<Arbitrary> = Arbitrary extends fc.Arbitrary<infer Item> ? Item : never;
export type Event = Value<typeof event>;
export type Config = Value<typeof config>;
export type Said = Value<typeof attributes>;

/** All peers are up at first. */
export const history: fc.Arbitrary<Event[]> = fc
  .tuple(fc.tuple(config, config, config), fc.array(event, { minLength: 10, maxLength: 60 }))
  .map(([configs, events]) => [
    ...configs.map((chosen, i) => ({
      kind: 'up' as const,
      who: i + 1,
      config: chosen,
      kept: [] as Family[],
    })),
    ...events,
  ]);
