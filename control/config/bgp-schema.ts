/** The shape of the section `bgp` of the configuration and its defaults; see schema.ts for what the rest looks like. */
import type { z } from 'zod';
import { formatAddress } from '../../wire/address.ts';
import { formatPrefix } from '../../wire/prefix.ts';
import type {
  Advertisement,
  BfdConfig,
  BgpConfig,
  BgpPeerConfig,
  BmpStationConfig,
  MaxPrefixes,
  PeerEndpoint,
} from './bgp-config.ts';
import { policies } from './policy-schema.ts';
import { list, section, shortly, value, withDefaults } from './shapes.ts';
import * as kind from './values.ts';

const asn = kind.integer(1, 0xffffffff);
const u32 = kind.integer(0, 0xffffffff);

const advertised = kind.either(kind.oneOf('pods'), kind.prefix);
const advertisement: z.ZodType<Advertisement, unknown> = shortly(
  advertised,
  (prefix) => ({ prefix: prefix === 'pods' ? prefix : formatPrefix(prefix) }),
  section({
    prefix: value(advertised),
    communities: list(value(kind.community), 'communities').default([]),
    largeCommunities: list(value(kind.largeCommunity), 'large communities').default([]),
    med: value(u32, undefined),
    localPref: value(u32, undefined),
    when: value(kind.either(kind.oneOf('always', 'pods'), kind.prefix), 'always'),
  }),
);

const count = kind.integer(1, 0xffffffff);
/** Twice the internet. */
const MOST_PREFIXES = 2_000_000;
const maxPrefixes: z.ZodType<MaxPrefixes, unknown> = shortly(
  count,
  (most) => ({ ipv4: most, ipv6: most }),
  section({
    ipv4: value(count, MOST_PREFIXES),
    ipv6: value(count, MOST_PREFIXES),
    warnAt: value(kind.integer(1, 100), 80),
    restartAfter: value(kind.integer(0, 86400), 0),
  }),
);

const bfd: z.ZodType<BfdConfig | undefined, unknown> = shortly(
  kind.bool,
  (on) => (on ? {} : undefined),
  section({
    interval: value(kind.integer(10, 60000), 300),
    multiplier: value(kind.integer(1, 255), 3),
    multihop: value(kind.bool, undefined),
  }).optional(),
);

const policyNames: z.ZodType<string[], unknown> = shortly(
  kind.name,
  (one) => [one],
  list(value(kind.name), 'names of bgp.policies'),
);

const family: kind.Kind<4 | 6> = {
  right: "'ipv4' or 'ipv6'",
  read: (raw) => (raw === 'ipv4' ? 4 : raw === 'ipv6' ? 6 : undefined),
};

const peer: z.ZodType<BgpPeerConfig> = section({
  name: value(kind.name, undefined),
  address: value(kind.address, undefined),
  interface: value(kind.interfaceName, undefined),
  prefix: value(kind.prefix, undefined),
  asn: value(asn),
  port: value(kind.port, 179),
  password: value(kind.password, undefined),
  passwordFile: value(kind.absolutePath, undefined),
  holdTime: value(kind.holdTime, 90),
  multihop: value(kind.integer(1, 255), 1),
  passive: value(kind.bool, false),
  ttlSecurity: value(kind.bool, false),
  families: list(value(family), "'ipv4' and 'ipv6'")
    .min(1, 'expected at least one family; leave the key out to have both')
    .default([4, 6]),
  gracefulRestart: value(kind.bool, true),
  addPath: value(kind.oneOf('off', 'send', 'receive', 'both'), 'off'),
  routeReflectorClient: value(kind.bool, false),
  nextHopSelf: value(kind.bool, false),
  nextHopUnchanged: value(kind.bool, false),
  role: value(kind.oneOf('provider', 'customer', 'peer', 'routeServer', 'routeServerClient'), undefined),
  import: policyNames.prefault([]),
  export: policyNames.prefault([]),
  maxPrefixes: maxPrefixes.prefault({}),
  localAsn: value(asn, undefined),
  allowAsIn: value(kind.integer(0, 10), 0),
  removePrivate: value(kind.bool, false),
  defaultOriginate: value(kind.bool, false),
  bfd: bfd.optional(),
  shutdown: value(kind.either<boolean, string>(kind.bool, kind.shutdownText), false),
}).transform((given) => ({ ...given, name: given.name ?? nameOf(given) }));

function nameOf({ address, interface: link, prefix }: PeerEndpoint): string {
  return (address && formatAddress(address)) ?? link ?? (prefix && formatPrefix(prefix)) ?? '';
}

const station: z.ZodType<BmpStationConfig> = section({
  name: value(kind.name, undefined),
  address: value(kind.address),
  port: value(kind.port),
  routes: list(value(kind.oneOf('received', 'accepted')), "'received' and 'accepted'")
    .min(1, 'expected at least one; leave the key out to have both')
    .default(['received', 'accepted']),
  statistics: value(kind.integer(0, 86400), 60),
}).transform((given) => ({ ...given, name: given.name ?? formatAddress(given.address) }));

export const bgpSection: z.ZodType<BgpConfig> = section({
  asn: value(asn),
  routerId: value(kind.address, undefined),
  clusterId: value(kind.address, undefined),
  listen: withDefaults({
    address: value(kind.address, { family: 6, words: [0, 0, 0, 0] } as const),
    port: value(kind.port, 179),
  }),
  advertise: list(advertisement, "'pods', prefixes and sections of them").prefault(['pods']),
  maxPaths: value(kind.integer(1, 64), 16),
  requirePolicy: value(kind.bool, true),
  kernelRoutes: value(kind.bool, true),
  gracefulRestart: withDefaults({
    restartTime: value(kind.integer(0, 4095), 120),
    stalePathTime: value(kind.integer(1, 86400), 300),
    longLivedTime: value(kind.integer(0, 0xffffff), 0),
    selectionDeferral: value(kind.integer(0, 360), 30),
  }),
  policies: policies.prefault({}),
  peers: list(peer, 'peers, each with address and asn').default([]),
  bmp: list(station, 'stations, each with address and port').default([]),
});
