/**
 * The shape of the configuration file (docs: the interface, section 2) and its defaults, as a zod schema whose output is
 * a NodeConfig. Every issue it reports says what would be right. What concerns several values is in checks.ts.
 */
import { z } from 'zod';
import { Limits } from '../../engine/tables/limits.ts';
import type { StaticRoute } from '../../routing/static.ts';
import { formatAddress } from '../../wire/address.ts';
import { closest } from './closest.ts';
import type { BgpConfig, BgpPeerConfig, NodeConfig, OffloadConfig } from './node-config.ts';
import type { Kind } from './values.ts';
import * as kind from './values.ts';

/** A value that has to be there, unless there is something to take in its place. */
function value<T>({ right, read }: Kind<T>): z.ZodTransform<T, unknown>;
function value<T, const D>({ right, read }: Kind<T>, absent: D): z.ZodTransform<T | D, unknown>;
function value<T, const D>({ right, read }: Kind<T>, ...absent: [D] | []): z.ZodTransform<T | D, unknown> {
  return z.transform((raw, context): T | D => {
    if (raw === undefined && absent.length === 1) return absent[0];
    try {
      const result = raw === undefined || raw === null ? undefined : read(raw);
      if (result !== undefined) return result;
      context.issues.push({ code: 'custom', input: raw, message: `expected ${right}, found ${show(raw)}` });
    } catch (error) {
      context.issues.push({ code: 'custom', input: raw, message: (error as Error).message });
    }
    return z.NEVER;
  });
}

/** @param or what may stand in place of the section */
function section<Shape extends z.ZodRawShape>(shape: Shape, or = '') {
  const keys = Object.keys(shape);
  return z.strictObject(shape, {
    error(issue) {
      if (issue.code !== 'unrecognized_keys') {
        return `expected ${or}keys (${keys.join(', ')}), found ${show(issue.input)}`;
      }
      const near = closest(issue.keys[0], keys);
      return `unknown key${near ? `; did you mean '${near}'?` : ';'} known here: ${keys.join(', ')}`;
    },
  });
}

/** A section of which every key has a default, and so the section itself. */
function withDefaults<Shape extends z.ZodRawShape>(shape: Shape) {
  const schema = section(shape);
  return schema.prefault({} as z.input<typeof schema>);
}

function list<Item extends z.ZodType>(item: Item, of: string) {
  return z.array(item, { error: ({ input }) => `expected a list of ${of}, found ${show(input)}` });
}

/** For messages: what stands in the file, shortened. */
function show(raw: unknown): string {
  if (raw === undefined || raw === null) return 'nothing';
  if (Array.isArray(raw)) return 'a list';
  if (typeof raw === 'object') return 'keys';
  const text = typeof raw === 'string' ? `'${raw}'` : String(raw);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

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
