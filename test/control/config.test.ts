import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig, parseConfig } from '../../control/config.ts';
import { codeOf, exitStatus } from '../../control/errors.ts';
import { formatAddress } from '../../wire/address.ts';
import { formatMac } from '../../wire/mac.ts';
import { formatPrefix, parsePrefix } from '../../wire/prefix.ts';

const folder = mkdtempSync(join(tmpdir(), 'weft-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function messageOf(text: string): string {
  try {
    parseConfig(text, 'weft.yaml');
  } catch (error) {
    expect(codeOf(error)).toBe('config');
    expect(exitStatus(error)).toBe(2);
    const { message } = error as Error;
    expect(message).not.toContain('\n');
    return message;
  }
  throw new Error(`accepted:\n${text}`);
}

test('an empty file is the defaults of the documentation', () => {
  expect(parseConfig('', 'weft.yaml')).toEqual({
    node: { name: undefined, address: 'auto' },
    pods: { cidrs: [], mtu: 'auto' },
    encap: {
      type: 'vxlan',
      when: 'always',
      vxlan: { vni: 4096, port: 4789 },
      receive: ['vxlan', 'ipip'],
    },
    engine: {
      workers: 'auto',
      offload: {
        checksum: true,
        segmentation: true,
        udpSegmentation: true,
        udpSegment: true,
        tunnelSegmentation: true,
        udpGro: true,
        batchedReads: true,
        coalesce: true,
      },
      sourcePorts: 8,
      busyPoll: 'auto',
      cpus: [],
    },
    host: { interface: 'weft0', natOutgoing: true },
    routes: [],
    state: '/var/lib/weft',
    api: { socket: '/run/weft/weft.sock', group: undefined },
  });
});

const FULL = `
node:
  name: node-a
  address: [192.168.77.1, "fd00:77::1"]
pods:
  cidrs: [10.244.1.0/24, "fd00:244:1::/64"]
  mtu: 1450
encap:
  type: ipip
  when: cross-subnet
  vxlan: { vni: 7, port: 8472 }
  receive: [ipip, vxlan]
engine:
  workers: 2
  offload: { udpGro: false }
  sourcePorts: 16
  busyPoll: 30
  cpus: [0, 1]
host:
  interface: weft1
  natOutgoing: false
routes:
  - { to: 10.244.2.0/24, via: 192.168.77.2, encap: vxlan, mac: "02:00:00:00:00:02", vni: 4096, port: 4789 }
  - { to: "fd00:244:2::/64", via: 192.168.77.2 }
bgp:
  asn: 64512
  peers:
    - { address: 192.168.77.254, asn: 64500, password: secret }
state: /var/lib/weft/
api: { socket: /run/weft/other.sock, group: weft }
metrics: { listen: "[::1]:9477" }
`;

test('every key of the documentation is read', () => {
  const config = parseConfig(FULL, 'weft.yaml');
  expect(config.node.name).toBe('node-a');
  expect(config.node.address === 'auto' || config.node.address.map(formatAddress)).toEqual([
    '192.168.77.1',
    'fd00:77::1',
  ]);
  expect(config.pods.cidrs.map(formatPrefix)).toEqual(['10.244.1.0/24', 'fd00:244:1::/64']);
  expect(config.pods.mtu).toBe(1450);
  expect(config.encap).toEqual({
    type: 'ipip',
    when: 'cross-subnet',
    vxlan: { vni: 7, port: 8472 },
    receive: ['ipip', 'vxlan'],
  });
  expect(config.engine).toMatchObject({
    workers: 2,
    offload: { udpGro: false, checksum: true },
    sourcePorts: 16,
    busyPoll: 30,
    cpus: [0, 1],
  });
  expect(config.host).toEqual({ interface: 'weft1', natOutgoing: false });
  const [first, second] = config.routes;
  expect(first).toMatchObject({ encap: 'vxlan', vni: 4096, port: 4789 });
  expect(first.mac && formatMac(first.mac)).toBe('02:00:00:00:00:02');
  expect([formatPrefix(second.to), formatAddress(second.via), second.encap]).toEqual([
    'fd00:244:2::/64',
    '192.168.77.2',
    undefined,
  ]);
  expect(config.bgp).toMatchObject({ asn: 64512, advertise: [{ prefix: 'pods' }], listen: { port: 179 } });
  expect(config.bgp?.peers[0]).toMatchObject({
    name: '192.168.77.254',
    port: 179,
    holdTime: 90,
    multihop: 1,
  });
  expect(config.state).toBe('/var/lib/weft/');
  expect(config.api).toEqual({ socket: '/run/weft/other.sock', group: 'weft' });
  expect(config.metrics).toEqual({ listen: { host: '::1', port: 9477 } });
});

test("offload 'off' turns each of them off", () => {
  const { offload } = parseConfig('engine: { offload: off }', 'weft.yaml').engine;
  expect(new Set(Object.values(offload))).toEqual(new Set([false]));
});

test('routes to one prefix through several nodes share its flows', () => {
  const text = 'routes: [{to: 10.2.0.0/16, via: 192.0.2.1}, {to: 10.2.0.0/16, via: 192.0.2.2}]';
  expect(parseConfig(text, 'weft.yaml').routes).toHaveLength(2);
});

const BGP = `
bgp:
  asn: 64512
  routerId: 192.168.77.1
  clusterId: 10.0.0.1
  listen: { address: "::", port: 1179 }
  advertise:
    - pods
    - 10.96.0.0/12
    - { prefix: "fd00:96::/112", communities: ["64512:7", no-export], largeCommunities: ["64512:1:2"], med: 5, when: pods }
  maxPaths: 4
  requirePolicy: false
  kernelRoutes: false
  gracefulRestart: { restartTime: 60, longLivedTime: 3600 }
  policies:
    default-only:
      - { match: { prefixes: [0.0.0.0/0, "10.0.0.0/8 ge 16 le 24"] }, action: accept }
    prefer:
      - name: first
        match:
          communities: ["64500:*", no-export]
          largeCommunities: ["64500:1:*"]
          asPath: { contains: [64500], length: "1-3", pattern: "64500 ? 65000-65010 *" }
          med: "100-"
          not: { family: ipv6, origins: [incomplete] }
        set: { localPref: 200, med: "+10", prepend: 2, nextHop: self, communities: { add: ["64512:1"], remove: ["*:9"] } }
        action: next
  peers:
    - { name: tor1, address: 192.168.77.254, asn: 64500, password: secret, bfd: true, import: default-only, export: [prefer] }
    - { interface: eth1, asn: 64501, families: [ipv4], bfd: { interval: 100 }, maxPrefixes: 1000, role: customer }
    - { prefix: 192.168.78.0/24, asn: 64512, passive: true, routeReflectorClient: true, maxPrefixes: { ipv4: 10, warnAt: 50 } }
    - { address: 192.168.77.9, asn: 64512, ttlSecurity: true, addPath: both, nextHopSelf: true, bfd: false, shutdown: "moved" }
`;

test('the whole of bgp is read', () => {
  const { bgp } = parseConfig(BGP, 'weft.yaml');
  expect(bgp?.advertise).toEqual([
    {
      prefix: 'pods',
      communities: [],
      largeCommunities: [],
      med: undefined,
      localPref: undefined,
      when: 'always',
    },
    expect.objectContaining({ prefix: parsePrefix('10.96.0.0/12'), when: 'always' }),
    {
      prefix: parsePrefix('fd00:96::/112'),
      communities: [64512 * 65536 + 7, 0xffffff01],
      largeCommunities: [{ global: 64512, local1: 1, local2: 2 }],
      med: 5,
      localPref: undefined,
      when: 'pods',
    },
  ]);
  expect(bgp).toMatchObject({
    maxPaths: 4,
    requirePolicy: false,
    kernelRoutes: false,
    gracefulRestart: { restartTime: 60, stalePathTime: 300, longLivedTime: 3600, selectionDeferral: 30 },
  });
  expect(bgp?.policies).toEqual({
    'default-only': [
      {
        match: {
          prefixes: [
            { prefix: parsePrefix('0.0.0.0/0') },
            { prefix: parsePrefix('10.0.0.0/8'), ge: 16, le: 24 },
          ],
        },
        action: 'accept',
      },
    ],
    prefer: [
      {
        name: 'first',
        match: {
          communities: [{ asn: 64500 }, { asn: 0xffff, value: 0xff01 }],
          largeCommunities: [{ global: 64500, local1: 1 }],
          asPath: {
            contains: [64500],
            length: { min: 1, max: 3 },
            pattern: [64500, 'any', { from: 65000, to: 65010 }, 'rest'],
          },
          med: { min: 100 },
          not: { family: 6, origins: [2] },
        },
        set: {
          localPref: 200,
          med: { add: 10 },
          prepend: { times: 2 },
          nextHop: 'self',
          communities: { add: [64512 * 65536 + 1], remove: [{ value: 9 }] },
        },
        action: 'next',
      },
    ],
  });
  expect(bgp?.peers).toMatchObject([
    { name: 'tor1', import: ['default-only'], export: ['prefer'], bfd: { interval: 300, multiplier: 3 } },
    {
      name: 'eth1',
      families: [4],
      bfd: { interval: 100, multiplier: 3 },
      maxPrefixes: { ipv4: 1000, ipv6: 1000, warnAt: 80, restartAfter: 0 },
      role: 'customer',
    },
    {
      name: '192.168.78.0/24',
      routeReflectorClient: true,
      // A family that is not named has the bound that there is without any.
      maxPrefixes: { ipv4: 10, ipv6: 2_000_000, warnAt: 50 },
    },
    { ttlSecurity: true, addPath: 'both', nextHopSelf: true, bfd: undefined, shutdown: 'moved' },
  ]);
});

test('passwords of peers are read from their files', () => {
  const [secret, file] = [join(folder, 'secret'), join(folder, 'bgp.yaml')];
  writeFileSync(secret, 'from the file\n');
  const config = (path: string) =>
    writeFileSync(file, `bgp: { asn: 1, peers: [{ address: 192.0.2.9, asn: 2, passwordFile: ${path} }] }`);
  config(secret);
  expect(loadConfig(file).bgp?.peers[0].password).toBe('from the file');
  writeFileSync(secret, '');
  expect(() => loadConfig(file)).toThrow(
    /bgp\.peers\[0\]\.passwordFile: .*secret has to hold text of 1 to 80 bytes/,
  );
  config('/nowhere');
  expect(() => loadConfig(file)).toThrow(/passwordFile: \/nowhere cannot be read/);
});

const peer = (rest: string) => `bgp: { asn: 1, peers: [{ ${rest} }] }`;
const policy = (term: string) => `bgp: { asn: 1, policies: { p: [{ ${term} }] } }`;
const route = (rest: string) => `routes: [{ ${rest} }]`;

/** What is wrong, the path that the message names, and what the message says of it. */
const WRONG: readonly [text: string, path: string, says: string][] = [
  // Shape.
  ['[1, 2]', '', 'expected keys (node, pods, encap'],
  ['5', '', 'expected keys (node, pods'],
  ['podz: {}', 'podz', "unknown key; did you mean 'pods'?"],
  ['zzz: 1', 'zzz', 'unknown key; known here: node, pods'],
  ['node: { nmae: a }', 'node.nmae', "did you mean 'name'?"],
  ['encap: { vxlan: { VNI: 5 } }', 'encap.vxlan.VNI', "did you mean 'vni'?"],
  ['pods: 5', 'pods', 'expected keys (cidrs, mtu), found 5'],
  ['node:', 'node', 'expected keys (name, address), found nothing'],
  ['"__proto__": { a: 1 }', '__proto__', 'unknown key'],
  // Single values.
  ['node: { name: "-a b" }', 'node.name', 'letters, digits'],
  ['node: { name: 5 }', 'node.name', 'found 5'],
  ['node: { address: 192.168.77.1 }', 'node.address', 'expected a list of IP addresses'],
  ['node: { address: [] }', 'node.address', 'at least one address'],
  ['node: { address: [192.168.77] }', 'node.address[0]', 'four numbers with dots'],
  ['node: { address: [192.168.077.1] }', 'node.address[0]', "'077' has a leading zero"],
  ['node: { address: [192.168.77.1/24] }', 'node.address[0]', 'not an IP address'],
  ['node: { address: ["fe80::1%eth0"] }', 'node.address[0]', 'a zone (%eth0) has no meaning'],
  ['pods: { cidrs: [10.244.1.5/24] }', 'pods.cidrs[0]', 'host bits set; the prefix is 10.244.1.0/24'],
  ['pods: { cidrs: ["fd00::1/64"] }', 'pods.cidrs[0]', 'host bits set; the prefix is fd00::/64'],
  ['pods: { cidrs: [10.244.1.0] }', 'pods.cidrs[0]', 'address/length'],
  ['pods: { cidrs: [10.244.1.0/33] }', 'pods.cidrs[0]', 'a number from 0 to 32'],
  ['pods: { mtu: 575 }', 'pods.mtu', "expected 'auto' or a whole number from 576 to 65535, found 575"],
  ['pods: { mtu: 65536 }', 'pods.mtu', 'found 65536'],
  ['pods: { mtu: "1450" }', 'pods.mtu', "found '1450'"],
  ['encap: { type: vxlna }', 'encap.type', "expected 'vxlan' or 'ipip' or 'direct', found 'vxlna'"],
  ['encap: { when: sometimes }', 'encap.when', "'always' or 'cross-subnet'"],
  ['encap: { vxlan: { vni: 16777216 } }', 'encap.vxlan.vni', 'from 0 to 16777215, found 16777216'],
  ['encap: { vxlan: { vni: -1 } }', 'encap.vxlan.vni', 'found -1'],
  ['encap: { vxlan: { port: 0 } }', 'encap.vxlan.port', 'from 1 to 65535, found 0'],
  ['encap: { vxlan: { port: 65536 } }', 'encap.vxlan.port', 'found 65536'],
  ['encap: { vxlan: { port: 47.5 } }', 'encap.vxlan.port', 'found 47.5'],
  ['encap: { receive: [direct] }', 'encap.receive[0]', "expected 'vxlan' or 'ipip'"],
  ['engine: { workers: 0 }', 'engine.workers', "expected 'auto' or a whole number from 1 to 32"],
  ['engine: { workers: many }', 'engine.workers', "found 'many'"],
  ['engine: { offload: on }', 'engine.offload', "expected 'auto' or 'off' or keys (checksum"],
  ['engine: { offload: { tso: true } }', 'engine.offload.tso', 'unknown key'],
  ['engine: { offload: { checksum: yes } }', 'engine.offload.checksum', 'expected true or false'],
  ['engine: { cpus: [first] }', 'engine.cpus[0]', "found 'first'"],
  ['engine: { busyPoll: 1001 }', 'engine.busyPoll', '0 to 1000'],
  ['engine: { sourcePorts: 12 }', 'engine.sourcePorts', 'a power of two from 1 to 64'],
  ['engine: { sourcePorts: 128 }', 'engine.sourcePorts', 'found 128'],
  ['host: { interface: a-name-that-is-too-long }', 'host.interface', '1 to 15 letters'],
  ['host: { interface: a/b }', 'host.interface', 'an interface name'],
  ['host: { natOutgoing: 1 }', 'host.natOutgoing', 'expected true or false, found 1'],
  ['state: var/lib/weft', 'state', 'an absolute path'],
  ['api: { socket: weft.sock }', 'api.socket', 'an absolute path of at most 107 bytes'],
  [`api: { socket: /${'x'.repeat(107)} }`, 'api.socket', 'at most 107 bytes'],
  ['api: { group: "a b" }', 'api.group', 'the name of a group'],
  ['metrics: {}', 'metrics.listen', 'IP address:port'],
  ['metrics: { listen: 9477 }', 'metrics.listen', 'such as "127.0.0.1:9477"'],
  ['metrics: { listen: "127.0.0.1:99999" }', 'metrics.listen', 'IP address:port'],
  ['metrics: { listen: "example.org:80" }', 'metrics.listen', 'not an IP address'],
  // Routes.
  [route('to: 10.2.0.0/16'), 'routes[0].via', 'expected an IP address'],
  [route('via: 192.0.2.2'), 'routes[0].to', 'expected a prefix'],
  [route('to: 10.2.0.1/16, via: 192.0.2.2'), 'routes[0].to', 'the prefix is 10.2.0.0/16'],
  [route('to: 10.2.0.0/16, via: node-b'), 'routes[0].via', "'node-b' is not an IP address"],
  [route('to: 10.2.0.0/16, via: 0.0.0.0'), 'routes[0].via', 'not the address of a host'],
  [route('to: 10.2.0.0/16, via: 224.0.0.5'), 'routes[0].via', 'not the address of a host'],
  [route('to: 10.2.0.0/16, via: 192.0.2.2, mac: "02:00:00:00:00"'), 'routes[0].mac', 'six pairs of digits'],
  [route('to: 10.2.0.0/16, via: 192.0.2.2, mac: "01:00:5e:00:00:01"'), 'routes[0].mac', 'of one interface'],
  [route('to: 10.2.0.0/16, via: 192.0.2.2, vni: 99999999'), 'routes[0].vni', 'from 0 to 16777215'],
  [route('to: 10.2.0.0/16, via: 192.0.2.2, encap: gre'), 'routes[0].encap', "'vxlan' or 'ipip' or 'direct'"],
  [
    route('to: 10.2.0.0/16, via: 192.0.2.2, metric: 5'),
    'routes[0].metric',
    'unknown key; known here: to, via',
  ],
  [
    route('to: 10.2.0.0/16, via: 192.0.2.2, encap: ipip, vni: 5'),
    'routes[0].vni',
    'means nothing with encap: ipip',
  ],
  [route('to: 10.2.0.0/16, via: 192.0.2.2, encap: direct, port: 5'), 'routes[0].port', 'with encap: direct'],
  [
    `encap: { type: ipip }\n${route('to: 10.2.0.0/16, via: 192.0.2.2, mac: "02:00:00:00:00:02"')}`,
    'routes[0].mac',
    'set encap: vxlan',
  ],
  [route('to: 10.2.0.0/16, via: "fd00::2", encap: ipip'), 'routes[0].via', 'goes over IPv4'],
  [
    route('to: 10.2.0.0/16, via: "fd00::2", encap: direct'),
    'routes[0].via',
    'not of the family of 10.2.0.0/16',
  ],
  [route('to: 192.0.2.0/24, via: 192.0.2.2'), 'routes[0].to', 'contains 192.0.2.2'],
  [
    `node: { address: [192.0.2.2] }\n${route('to: 10.2.0.0/16, via: 192.0.2.2')}`,
    'routes[0].via',
    'is an address of this node',
  ],
  [
    'routes: [{to: 10.2.0.0/16, via: 192.0.2.2}, {to: 10.2.0.0/16, via: 192.0.2.2, vni: 5}]',
    'routes[1].via',
    'is there already (routes[0])',
  ],
  [
    'routes: [{to: 10.2.0.0/16, via: 192.0.2.2}, {to: 10.2.0.0/16, via: 192.0.2.3, encap: direct}]',
    'routes[1].encap',
    'all direct or all not',
  ],
  // Values that contradict each other.
  ['node: { address: [192.0.2.1, 192.0.2.1] }', 'node.address[1]', 'is there already (node.address[0])'],
  ['node: { address: ["::"] }', 'node.address[0]', 'not the address of a host'],
  [
    'pods: { cidrs: [10.244.0.0/16, 10.244.1.0/24] }',
    'pods.cidrs[1]',
    'overlaps 10.244.0.0/16 (pods.cidrs[0])',
  ],
  ['pods: { cidrs: [10.244.1.1/32] }', 'pods.cidrs[0]', 'no room for pods'],
  ['pods: { cidrs: ["ff00::/64"] }', 'pods.cidrs[0]', 'not a range for hosts'],
  ['pods: { cidrs: ["fd00::/64"], mtu: 1279 }', 'pods.mtu', 'which needs 1280 or more'],
  ['encap: { type: ipip, receive: [vxlan] }', 'encap.receive', "'ipip' is missing, but encap.type uses it"],
  [
    `encap: { receive: [vxlan] }\n${route('to: 10.2.0.0/16, via: 192.0.2.2, encap: ipip')}`,
    'encap.receive',
    'routes[0] uses it',
  ],
  // BGP.
  ['bgp: {}', 'bgp.asn', 'from 1 to 4294967295'],
  ['bgp: { asn: 1, routerId: "fd00::1" }', 'bgp.routerId', 'expected an IPv4 address'],
  ['bgp: { asn: 1, peers: [{ address: 192.0.2.9 }] }', 'bgp.peers[0].asn', 'found nothing'],
  [
    'bgp: { asn: 1, peers: [{ address: 192.0.2.9, asn: 2, holdTime: 2 }] }',
    'bgp.peers[0].holdTime',
    '3 to 65535',
  ],
  [
    'bgp: { asn: 1, peers: [{ address: 192.0.2.9, asn: 2, multihop: 0 }] }',
    'bgp.peers[0].multihop',
    '1 to 255',
  ],
  [
    'bgp: { asn: 1, peers: [{ address: 192.0.2.9, asn: 2, password: 5 }] }',
    'bgp.peers[0].password',
    'in quotes',
  ],
  ['bgp: { asn: 1, advertise: [services] }', 'bgp.advertise[0]', "'services'"],
  [
    'bgp: { asn: 1, peers: [{ address: 192.0.2.9, asn: 2 }, { address: 192.0.2.9, asn: 3 }] }',
    'bgp.peers[1].address',
    'has a peer already',
  ],
  [peer('asn: 2'), 'bgp.peers[0].address', 'or give interface'],
  [peer('address: 192.0.2.9, interface: eth0, asn: 2'), 'bgp.peers[0].interface', 'does not go with address'],
  [peer('address: "fe80::1", asn: 2'), 'bgp.peers[0].address', 'link-local; give the interface'],
  [peer('address: 224.0.0.1, asn: 2'), 'bgp.peers[0].address', 'not the address of a host'],
  [peer('address: 192.0.2.9, asn: 2, families: []'), 'bgp.peers[0].families', 'at least one family'],
  [peer('address: 192.0.2.9, asn: 2, families: [evpn]'), 'bgp.peers[0].families[0]', "'ipv4' or 'ipv6'"],
  [peer('address: 192.0.2.9, asn: 2, bfd: yes'), 'bgp.peers[0].bfd', 'expected true or false'],
  [peer('address: 192.0.2.9, asn: 2, bfd: {interval: 5}'), 'bgp.peers[0].bfd.interval', '10 to 60000'],
  [peer('address: 192.0.2.9, asn: 2, bfd: {rate: 5}'), 'bgp.peers[0].bfd.rate', 'unknown key'],
  [peer('prefix: 192.0.2.0/24, asn: 2, bfd: true'), 'bgp.peers[0].bfd', 'known before they connect'],
  [peer('address: 192.0.2.9, asn: 2, maxPrefixes: 0'), 'bgp.peers[0].maxPrefixes', 'from 1 to'],
  [
    peer('address: 192.0.2.9, asn: 2, nextHopSelf: true'),
    'bgp.peers[0].nextHopSelf',
    'for peers of the own AS 1',
  ],
  [
    peer('address: 192.0.2.9, asn: 1, role: peer'),
    'bgp.peers[0].role',
    'means nothing towards a peer of the own AS',
  ],
  [peer('address: 192.0.2.9, asn: 2, role: boss'), 'bgp.peers[0].role', "'provider' or 'customer'"],
  [
    peer('address: 192.0.2.9, asn: 2, password: a, passwordFile: /b'),
    'bgp.peers[0].passwordFile',
    'does not go with password',
  ],
  [peer('interface: eth0, asn: 2, multihop: 2'), 'bgp.peers[0].multihop', 'one hop away'],
  [
    'bgp: { asn: 1, policies: { inbound: [] }, peers: [{ address: 192.0.2.9, asn: 2, import: inbund }] }',
    'bgp.peers[0].import[0]',
    "there is no policy 'inbund' in bgp.policies; did you mean 'inbound'?",
  ],
  [
    'bgp: { asn: 1, peers: [{ prefix: 10.0.0.0/8, asn: 2 }, { prefix: 10.1.0.0/16, asn: 3 }] }',
    'bgp.peers[1].prefix',
    'overlaps 10.0.0.0/8',
  ],
  [policy('match: {}'), 'bgp.policies.p[0].action', "expected 'accept' or 'reject' or 'next'"],
  [
    policy('match: { prefixes: ["10.0.0.0/8 le 4"] }, action: accept'),
    'bgp.policies.p[0].match.prefixes[0]',
    'ge not above le',
  ],
  [
    policy('match: { prefixes: ["10.0.0.1/8"] }, action: accept'),
    'bgp.policies.p[0].match.prefixes[0]',
    'host bits set',
  ],
  [
    policy('match: { communities: ["1:70000"] }, action: accept'),
    'bgp.policies.p[0].match.communities[0]',
    'in quotes',
  ],
  [
    policy('match: { asPath: { pattern: "1 x" } }, action: accept'),
    'bgp.policies.p[0].match.asPath.pattern',
    '"?" for any one',
  ],
  [policy('set: { med: "*2" }, action: accept'), 'bgp.policies.p[0].set.med', 'what to add to it'],
  [policy('set: { prepend: 11 }, action: accept'), 'bgp.policies.p[0].set.prepend', '1 to 10'],
  [
    'bgp: { asn: 1, advertise: [{ prefix: pods, communities: [x] }] }',
    'bgp.advertise[0].communities[0]',
    'a community in quotes',
  ],
  ['bgp: { asn: 1, clusterId: "::1" }', 'bgp.clusterId', 'expected an IPv4 address'],
  ['bgp: { asn: 1, bmp: [{ address: 192.0.2.9 }] }', 'bgp.bmp[0].port', 'found nothing'],
  [
    'bgp: { asn: 1, bmp: [{ address: 224.0.0.1, port: 1 }] }',
    'bgp.bmp[0].address',
    'not the address of a host',
  ],
  [
    'bgp: { asn: 1, bmp: [{ address: 192.0.2.9, port: 1, routes: [] }] }',
    'bgp.bmp[0].routes',
    'at least one',
  ],
  [
    'bgp: { asn: 1, bmp: [{ address: 192.0.2.9, port: 1, routes: [sent] }] }',
    'bgp.bmp[0].routes[0]',
    "'received' or 'accepted'",
  ],
  [
    'bgp: { asn: 1, bmp: [{ address: 192.0.2.9, port: 1 }, { address: 192.0.2.9, port: 2 }] }',
    'bgp.bmp[1].name',
    'the name of another station',
  ],
  ['bgp: { asn: 1, gracefulRestart: { restartTime: 4096 } }', 'bgp.gracefulRestart.restartTime', '0 to 4095'],
  [
    'bgp: { asn: 1, peers: [{ name: a, address: 192.0.2.9, asn: 2 }, { name: a, address: 192.0.2.8, asn: 3 }] }',
    'bgp.peers[1].name',
    'name of another peer',
  ],
];

describe('what is wrong is named, with its place and what would be right', () => {
  test.each(WRONG)('%s', (text, path, says) => {
    const message = messageOf(text);
    expect(message.startsWith(path === '' ? 'weft.yaml: ' : `weft.yaml: ${path}: `), message).toBe(true);
    expect(message).toContain(says);
  });

  test.each([
    ['pods: {cidrs: [', 'line 1: not valid YAML'],
    ['a: 1\na: 2', 'line 2: not valid YAML: Map keys must be unique'],
    ['node: {}\n---\npods: {}', 'not valid YAML'],
    ['pods: !binary x', 'not valid YAML'],
  ])('%s', (text, says) => {
    expect(messageOf(text)).toContain(says);
  });

  test('the first of several is told, and how many there are', () => {
    expect(messageOf('pods: { mtu: 5 }\nencap: { type: x }\nstate: 5')).toMatch(
      /^weft\.yaml: pods\.mtu: .*\(and 2 more\)$/,
    );
  });
});

describe('the file', () => {
  test('is read', () => {
    const file = join(folder, 'good.yaml');
    writeFileSync(file, FULL);
    expect(loadConfig(file).node.name).toBe('node-a');
  });

  test('that is not there, or no file, is named', () => {
    expect(() => loadConfig(join(folder, 'none.yaml'))).toThrow(/none\.yaml: there is no such file/);
    expect(() => loadConfig(folder)).toThrow(/it is a folder/);
  });
});
