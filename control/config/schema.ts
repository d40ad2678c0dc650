/**
 * The shape of the configuration file (docs: the interface, section 2) and its defaults, as a zod schema whose output is
 * a NodeConfig. Every issue it reports says what would be right. What concerns several values is in checks.ts.
 */
import { z } from 'zod';
import { Limits } from '../../engine/tables/limits.ts';
import type { StaticRoute } from '../../routing/static.ts';
import { formatAddress } from '../../wire/address.ts';
import type { BgpConfig, BgpPeerConfig, NodeConfig, OffloadConfig } from './node-config.ts';
import { list, section, value, withDefaults } from './shapes.ts';
import * as kind from './values.ts';

const encapType = kind.oneOf('vxlan', 'ipip', 'direct');
const vni = kind.integer(0, 0xffffff);
const asn = kind.integer(1, 0xffffffff);

const offloadSection = section(
  {
    checksum: value(kind.bool, true),
    segmentation: value(kind.bool, true),
    udpSegmentation: value(kind.bool, true),
    udpSegment: value(kind.bool, true),
    udpGro: value(kind.bool, true),
    coalesce: value(kind.bool, true),
  } satisfies Record<keyof OffloadConfig, unknown>,
  "'auto' or 'off' or ",
);

/** 'auto' and 'off' as the section that they stand for. */
function spellOut(raw: unknown): unknown {
  if (raw !== 'auto' && raw !== 'off') return raw;
  return Object.fromEntries(Object.keys(offloadSection.shape).map((key) => [key, raw === 'auto']));
}

const route: z.ZodType<StaticRoute> = section({
  to: value(kind.prefix),
  via: value(kind.address),
  encap: value(encapType, undefined),
  mac: value(kind.mac, undefined),
  vni: value(vni, undefined),
  port: value(kind.port, undefined),
});

const peer: z.ZodType<BgpPeerConfig> = section({
  name: value(kind.name, undefined),
  address: value(kind.address),
  asn: value(asn),
  port: value(kind.port, 179),
  password: value(kind.password, undefined),
  holdTime: value(kind.holdTime, 90),
  multihop: value(kind.integer(1, 255), 1),
}).transform((given) => ({ ...given, name: given.name ?? formatAddress(given.address) }));

const bgp: z.ZodType<BgpConfig> = section({
  asn: value(asn),
  routerId: value(kind.address, undefined),
  listen: withDefaults({
    address: value(kind.address, { family: 6, words: [0, 0, 0, 0] } as const),
    port: value(kind.port, 179),
  }),
  advertise: list(value(kind.either(kind.oneOf('pods'), kind.prefix)), "'pods' and prefixes").default([
    'pods',
  ]),
  peers: list(peer, 'peers, each with address and asn').default([]),
});

export const configSchema: z.ZodType<NodeConfig> = section({
  node: withDefaults({
    name: value(kind.name, undefined),
    address: list(value(kind.address), 'IP addresses, such as [192.168.77.1]')
      .min(1, 'expected at least one address; leave the key out to have that of the default route')
      .optional()
      .transform((addresses) => addresses ?? ('auto' as const)),
  }),
  pods: withDefaults({
    cidrs: list(value(kind.prefix), 'prefixes, such as [10.244.1.0/24]').default([]),
    mtu: value(kind.orAuto(kind.integer(576, 65535)), 'auto'),
  }),
  encap: withDefaults({
    type: value(encapType, 'vxlan'),
    when: value(kind.oneOf('always', 'cross-subnet'), 'always'),
    vxlan: withDefaults({ vni: value(vni, 4096), port: value(kind.port, 4789) }),
    receive: list(value(kind.oneOf('vxlan', 'ipip')), "'vxlan' and 'ipip'").default(['vxlan', 'ipip']),
  }),
  engine: withDefaults({
    workers: value(kind.orAuto(kind.integer(1, Limits.workers)), 'auto'),
    offload: z.preprocess(spellOut, offloadSection).prefault('auto'),
    sourcePorts: value(kind.powerOfTwo(64), 8),
    busyPoll: value(kind.orAuto(kind.integer(0, 1000)), 'auto'),
  }),
  host: withDefaults({
    interface: value(kind.interfaceName, 'weft0'),
    natOutgoing: value(kind.bool, true),
  }),
  routes: list(route, 'routes, each with to and via').default([]),
  bgp: bgp.optional(),
  state: value(kind.absolutePath, '/var/lib/weft'),
  api: withDefaults({
    socket: value(kind.socketPath, '/run/weft/weft.sock'),
    group: value(kind.group, undefined),
  }),
  metrics: section({ listen: value(kind.listen) }).optional(),
});
