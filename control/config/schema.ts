/**
 * The shape of the configuration file (docs: the interface, section 2) and its defaults, as a zod schema whose output is
 * a NodeConfig. Every issue it reports says what would be right. What concerns several values is in checks.ts.
 */
import { z } from 'zod';
import { Limits } from '../../engine/tables/limits.ts';
import type { StaticRoute } from '../../routing/static.ts';
import { bgpSection } from './bgp-schema.ts';
import type { NodeConfig, OffloadConfig } from './node-config.ts';
import { list, section, value, withDefaults } from './shapes.ts';
import * as kind from './values.ts';

const encapType = kind.oneOf('vxlan', 'ipip', 'direct');
const vni = kind.integer(0, 0xffffff);

const offloadSection = section(
  {
    checksum: value(kind.bool, true),
    segmentation: value(kind.bool, true),
    udpSegmentation: value(kind.bool, true),
    udpSegment: value(kind.bool, true),
    tunnelSegmentation: value(kind.bool, true),
    udpGro: value(kind.bool, true),
    batchedReads: value(kind.bool, true),
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
    cpus: list(value(kind.integer(0, 8191)), 'numbers of processors, such as [2, 3]').default([]),
    offload: z.preprocess(spellOut, offloadSection).prefault('auto'),
    sourcePorts: value(kind.powerOfTwo(64), 8),
    busyPoll: value(kind.orAuto(kind.integer(0, 1000)), 'auto'),
  }),
  host: withDefaults({
    interface: value(kind.interfaceName, 'weft0'),
    natOutgoing: value(kind.bool, true),
  }),
  routes: list(route, 'routes, each with to and via').default([]),
  bgp: bgpSection.optional(),
  state: value(kind.absolutePath, '/var/lib/weft'),
  api: withDefaults({
    socket: value(kind.socketPath, '/run/weft/weft.sock'),
    group: value(kind.group, undefined),
  }),
  metrics: section({ listen: value(kind.listen) }).optional(),
});
