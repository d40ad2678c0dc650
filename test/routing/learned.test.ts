import { expect, it } from 'vitest';
import { SubTlvType, type Tunnel, TunnelType } from '../../routing/bgp/codec/tunnel.ts';
import {
  announcedTunnels,
  type LearnedPath,
  LearnedRoutes,
  type LearnedSurroundings,
} from '../../routing/learned.ts';
import type { KernelWay } from '../../routing/next-hops.ts';
import type { Path } from '../../routing/path.ts';
import { PrefixMap } from '../../routing/prefix-map.ts';
import { RouteTable } from '../../routing/route-table.ts';
import { addressEquals, formatAddress, parseAddress } from '../../wire/address.ts';
import { formatMac, parseMac } from '../../wire/mac.ts';
import { formatPrefix, parsePrefix, prefixContains } from '../../wire/prefix.ts';

const SUBNETS = ['192.0.2.0/24', 'fd00:77::/64'].map(parsePrefix);

function node(changed: Partial<LearnedSurroundings> = {}) {
  const kernel = new PrefixMap<KernelWay>();
  for (const subnet of SUBNETS) kernel.set(subnet, { hops: [{ interface: 2 }] });
  kernel.set(parsePrefix('0.0.0.0/0'), { hops: [{ gateway: parseAddress('192.0.2.254'), interface: 2 }] });
  const surroundings: LearnedSurroundings = {
    encap: 'vxlan',
    when: 'always',
    vni: 4096,
    udpPort: 4789,
    onLink: (via) => SUBNETS.some((subnet) => prefixContains(subnet, via)),
    mtu: () => 1500,
    sends: (_, family) => family === 4,
    isOwn: (address) => addressEquals(address, parseAddress('192.0.2.1')),
    interfaceIndex: (name) => (name === 'u0' ? 4 : undefined),
    kernel: (address) => kernel.covering(address),
    ...changed,
  };
  const best = new Map<string, string>();
  const changes: string[] = [];
  const table = new RouteTable((prefix, candidate) => {
    changes.push(formatPrefix(prefix));
    if (candidate) best.set(formatPrefix(prefix), candidate.paths.map(pathText).join(' '));
    else best.delete(formatPrefix(prefix));
  });
  const refused: string[] = [];
  const learned = new LearnedRoutes(table, surroundings, (prefix) => refused.push(formatPrefix(prefix)));
  const refresh = () => {
    for (const prefixes of learned.refresh()) learned.install(prefixes);
  };
  const learn = (to: string, ...paths: LearnedPath[]) => {
    if (learned.update([{ prefix: parsePrefix(to), paths }])) refresh();
    return best.get(to) ?? learned.problems(parsePrefix(to)).join('; ');
  };
  return { kernel, surroundings, best, changes, learned, learn, refresh, table, refused };
}

const pathText = (path: Path): string => {
  if (path.kind === 'port' || path.kind === 'unreachable') return path.kind;
  const more = path.kind === 'vxlan' ? `:${path.vni}:${path.udpPort}:${formatMac(path.mac)}` : '';
  const weight = path.weight === undefined ? '' : `*${path.weight}`;
  const link = path.kind === 'direct' && path.interface !== 2 ? `%${path.interface}` : '';
  return `${path.kind} ${formatAddress(path.via)}${link}${more} ${path.mtu}${weight}`;
};

const from = (nextHop: string, more: Partial<LearnedPath> = {}): LearnedPath => ({
  nextHop: parseAddress(nextHop),
  source: 'internal',
  ...more,
});
const router = (nextHop: string, more: Partial<LearnedPath> = {}) =>
  from(nextHop, { source: 'external', ...more });

const vxlan = (endpoint: string, vni: number, mac: string): Tunnel => ({
  type: TunnelType.vxlan,
  subTlvs: [
    { kind: 'vxlan', vni, mac: parseMac(mac) },
    { kind: 'egressEndpoint', address: parseAddress(endpoint) },
  ],
});
const ipip = (endpoint: string): Tunnel => ({
  type: TunnelType.ipInIp,
  subTlvs: [{ kind: 'egressEndpoint', address: parseAddress(endpoint) }],
});

it('is reached as it says', () => {
  const { learn } = node();
  const tunnels = [vxlan('192.0.2.2', 7, '02:00:00:00:00:02')];
  expect(learn('10.2.0.0/24', from('192.0.2.2', { tunnels }))).toBe(
    'vxlan 192.0.2.2:7:4789:02:00:00:00:00:02 1450',
  );
  expect(learn('10.2.0.0/24', from('192.0.2.2', { tunnels: [ipip('192.0.2.3')] }))).toBe(
    'ipip 192.0.2.3 1480',
  );
  // The first that this node has as well.
  expect(
    learn(
      '10.2.0.0/24',
      from('192.0.2.2', { tunnels: [vxlan('fd00:77::2', 7, '02:00:00:00:00:02'), ipip('192.0.2.2')] }),
    ),
  ).toBe('ipip 192.0.2.2 1480');
  expect(learn('10.2.0.0/24', from('192.0.2.2', { tunnels: [{ type: 99, subTlvs: [] }] }))).toBe(
    '192.0.2.2 wants to be reached by a tunnel that this node has not',
  );
});

it('what one node announces another reaches, without further configuration', () => {
  const { learn } = node({ encap: 'direct', vni: 1, udpPort: 1 });
  const here = parseAddress('192.0.2.2');
  const announced = announcedTunnels({ encap: 'vxlan', vni: 4096, udpPort: 8472 }, here);
  expect(learn('10.2.0.0/24', from('192.0.2.2', { tunnels: announced }))).toBe(
    'vxlan 192.0.2.2:4096:8472:02:57:c0:00:02:02 1450',
  );
  expect(
    announced[0].subTlvs.some((each) => each.kind === 'unknown' && each.type === SubTlvType.egressEndpoint),
  ).toBe(false);
  const other = announcedTunnels({ encap: 'ipip', vni: 4096, udpPort: 4789 }, here);
  expect(learn('10.2.0.0/24', from('192.0.2.2', { tunnels: other }))).toBe('ipip 192.0.2.2 1480');
  expect(announcedTunnels({ encap: 'direct', vni: 4096, udpPort: 4789 }, here)).toEqual([]);
});

it('without a tunnel: as this node does towards its own AS, directly towards a router', () => {
  const { learn } = node();
  expect(learn('10.2.0.0/24', from('192.0.2.2'))).toBe('vxlan 192.0.2.2:4096:4789:02:57:c0:00:02:02 1450');
  expect(learn('10.3.0.0/24', router('192.0.2.254'))).toBe('direct 192.0.2.254 1500');
  expect(learn('0.0.0.0/0', router('192.0.2.253'))).toBe('direct 192.0.2.253 1500');
  expect(learn('10.4.0.0/24', router('10.9.9.9'))).toBe('direct 192.0.2.254 1500');
  expect(learn('fd00:2::/64', from('::ffff:192.0.2.2'))).toBe(
    'vxlan 192.0.2.2:4096:4789:02:57:c0:00:02:02 1450',
  );
  expect(learn('10.5.0.0/24', router('fe80::1', { interface: 'u0' }))).toBe('direct fe80::1%4 1500');
  expect(learn('10.5.0.0/24', router('fe80::1', { interface: 'u9' }))).toBe(
    'fe80::1: there is no interface u9',
  );
  expect(learn('10.6.0.0/24', from('fd00:77::2'))).toBe(
    'vxlan to fd00:77::2: this node has no such tunnel over IPv6',
  );
});

it('cross-subnet: directly where all paths are on the link', () => {
  const { learn } = node({ when: 'cross-subnet' });
  expect(learn('10.2.0.0/24', from('192.0.2.2'))).toBe('direct 192.0.2.2 1500');
  expect(learn('10.2.0.0/24', from('192.0.2.2'), from('198.51.100.2'))).toBe(
    'vxlan 192.0.2.2:4096:4789:02:57:c0:00:02:02 1450 vxlan 198.51.100.2:4096:4789:02:57:c6:33:64:02 1450',
  );
  // IPv6 inside cannot go to an IPv4 router.
  expect(learn('fd00:2::/64', from('192.0.2.2'))).toMatch(/^vxlan/);
});

it('equal paths share the flows by weight, in an order of their own', () => {
  const { learn } = node();
  const both = 'direct 192.0.2.2 1500 direct 192.0.2.3 1500';
  expect(learn('10.2.0.0/24', router('192.0.2.3'), router('192.0.2.2'))).toBe(both);
  expect(learn('10.2.0.0/24', router('192.0.2.2'), router('192.0.2.3'))).toBe(both);
  expect(learn('10.2.0.0/24', router('192.0.2.2', { weight: 2 }), router('192.0.2.3', { weight: 4 }))).toBe(
    'direct 192.0.2.2 1500 direct 192.0.2.3 1500*2',
  );
  expect(learn('10.2.0.0/24', router('192.0.2.2', { weight: 2 }), router('192.0.2.3', { weight: 3 }))).toBe(
    'direct 192.0.2.2 1500*2 direct 192.0.2.3 1500*3',
  );
  // Two next hops behind one router are one way.
  expect(learn('10.2.0.0/24', router('10.9.0.1'), router('10.9.0.2'))).toBe('direct 192.0.2.254 1500');
});

it('does not mix tunnels with what the kernel routes', () => {
  const { learn, learned } = node();
  expect(learn('10.2.0.0/24', from('192.0.2.2'), router('192.0.2.254'))).toMatch(/^vxlan \S+ 1450$/);
  expect(learned.problems(parsePrefix('10.2.0.0/24'))).toEqual([
    '192.0.2.254 is direct, and the best path goes through a tunnel',
  ]);
});

it('never sends a tunnel into itself', () => {
  const { learn } = node();
  expect(learn('198.51.0.0/16', from('198.51.100.2'))).toBe(
    '198.51.100.2: the way to it leads through a tunnel (198.51.0.0/16)',
  );
  // The link's own prefix is longer.
  expect(learn('192.0.0.0/16', from('192.0.2.2'))).toMatch(/^vxlan/);
});

it('follows the network around it, and touches what that changes only', () => {
  const { learn, learned, refresh, kernel, best, changes } = node();
  learn('10.2.0.0/24', from('192.0.2.2'));
  learn('10.3.0.0/24', router('10.9.9.9'));
  changes.length = 0;
  kernel.set(parsePrefix('10.9.0.0/16'), { hops: [{ gateway: parseAddress('192.0.2.253'), interface: 2 }] });
  refresh();
  expect([best.get('10.3.0.0/24'), changes]).toEqual(['direct 192.0.2.253 1500', ['10.3.0.0/24']]);
  kernel.delete(parsePrefix('10.9.0.0/16'));
  kernel.delete(parsePrefix('0.0.0.0/0'));
  refresh();
  expect(best.has('10.3.0.0/24')).toBe(false);
  const unusable = [...learned.prefixes()].filter((prefix) => learned.isUnusable(prefix));
  expect(unusable).toEqual([parsePrefix('10.3.0.0/24')]);
  expect(learned.unusableCount).toBe(unusable.length);
  expect(learned.problems(unusable[0])).toEqual(['10.9.9.9: no route to 10.9.9.9']);
  // A learned route is a way to a learned next hop.
  changes.length = 0;
  learn('10.9.9.0/24', router('192.0.2.252'));
  expect([best.get('10.3.0.0/24'), changes]).toEqual([
    'direct 192.0.2.252 1500',
    ['10.9.9.0/24', '10.3.0.0/24'],
  ]);
  learn('10.9.9.0/24');
  expect(best.has('10.3.0.0/24')).toBe(false);
  for (const prefixes of learned.portions()) {
    learned.update(prefixes.map((prefix) => ({ prefix, paths: [] })));
  }
  expect([best.size, learned.size]).toEqual([0, 0]);
});

it('a route that flaps costs that route', () => {
  const { learn, learned, changes } = node();
  const path = [router('192.0.2.254')];
  learned.update(
    Array.from({ length: 1000 }, (_, n) => ({
      prefix: parsePrefix(`10.${n >> 8}.${n & 255}.0/24`),
      paths: path,
    })),
  );
  expect(changes).toHaveLength(1000);
  changes.length = 0;
  for (let n = 0; n < 10; n++) {
    learned.update([{ prefix: parsePrefix('10.1.1.0/24'), paths: [] }]);
    learn('10.1.1.0/24', ...path);
  }
  expect(changes).toEqual(Array(20).fill('10.1.1.0/24'));
});

it('says what the engine has no room for, and goes on', () => {
  const { surroundings } = node();
  const refused: string[] = [];
  const table = new RouteTable((prefix) => {
    if (formatPrefix(prefix) === '10.2.0.0/24') throw new RangeError('no next hops left');
  });
  const learned = new LearnedRoutes(table, surroundings, (prefix, error) =>
    refused.push(`${formatPrefix(prefix)} ${(error as Error).message}`),
  );
  learned.update(
    ['10.2.0.0/24', '10.3.0.0/24'].map((to) => ({ prefix: parsePrefix(to), paths: [router('192.0.2.254')] })),
  );
  expect(refused).toEqual(['10.2.0.0/24 no next hops left']);
  expect([...table].map(({ prefix }) => formatPrefix(prefix))).toEqual(['10.3.0.0/24']);
});
