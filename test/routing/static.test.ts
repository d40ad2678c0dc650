import { describe, expect, it } from 'vitest';
import type { Path } from '../../routing/path.ts';
import { RouteTable } from '../../routing/route-table.ts';
import { encapOverhead, type StaticRoute, type Surroundings, staticRoutes } from '../../routing/static.ts';
import { type Address, formatAddress, parseAddress } from '../../wire/address.ts';
import { parseMac, vtepMac } from '../../wire/mac.ts';
import { formatPrefix, parsePrefix, prefixContains } from '../../wire/prefix.ts';

const subnet = parsePrefix('192.168.77.0/24');
const surroundings: Surroundings = {
  encap: 'vxlan',
  when: 'always',
  vni: 4096,
  udpPort: 4789,
  onLink: (via: Address) => prefixContains(subnet, via),
  mtu: (via: Address) => (formatAddress(via) === '192.168.77.9' ? 9000 : 1500),
};

const route = (to: string, via: string, rest: Partial<StaticRoute> = {}): StaticRoute => ({
  to: parsePrefix(to),
  via: parseAddress(via),
  ...rest,
});

function apply(routes: StaticRoute[], changed: Partial<Surroundings> = {}) {
  const table = new RouteTable(() => {});
  staticRoutes(table)(routes, { ...surroundings, ...changed });
  return (prefix: string): readonly Path[] | undefined =>
    table.get(parsePrefix(prefix))?.candidates[0]?.paths;
}

describe('staticRoutes', () => {
  it('fills in what the configuration leaves out', () => {
    const via = parseAddress('192.168.77.2');
    const paths = apply([route('10.244.2.0/24', '192.168.77.2')]);
    expect(paths('10.244.2.0/24')).toEqual([
      { kind: 'vxlan', via, mac: vtepMac(via), vni: 4096, udpPort: 4789, mtu: 1450 },
    ]);
  });

  it('takes what the configuration says', () => {
    const mac = parseMac('02:00:00:00:00:02');
    const paths = apply(
      [route('10.244.2.0/24', '192.168.77.2', { mac, vni: 7, port: 8472, encap: 'vxlan' })],
      {
        encap: 'ipip',
      },
    );
    expect(paths('10.244.2.0/24')).toMatchObject([{ kind: 'vxlan', mac, vni: 7, udpPort: 8472 }]);
  });

  it.each([
    ['vxlan', '192.168.77.2', 1450],
    ['vxlan', '192.168.77.9', 8950],
    ['vxlan', 'fd00:77::2', 1430],
    ['ipip', '192.168.77.2', 1480],
    ['direct', '192.168.77.2', 1500],
  ] as const)('%s via %s carries packets of %i bytes', (encap, via, mtu) => {
    const to = encap === 'direct' ? '10.9.0.0/16' : 'fd00:9::/64';
    expect(apply([route(to, via, { encap })])(to)).toMatchObject([{ kind: encap, mtu }]);
  });

  it('joins entries of one prefix into paths of one route', () => {
    const paths = apply([
      route('10.244.2.0/24', '192.168.77.2'),
      route('10.244.3.0/24', '192.168.77.3'),
      route('10.244.2.0/24', '192.168.77.4'),
    ]);
    expect(paths('10.244.2.0/24')?.map((path) => ('via' in path ? formatAddress(path.via) : ''))).toEqual([
      '192.168.77.2',
      '192.168.77.4',
    ]);
    expect(paths('10.244.3.0/24')).toHaveLength(1);
  });

  it('goes direct inside the subnet with cross-subnet, where the kernel could route it', () => {
    const paths = apply(
      [
        route('10.244.2.0/24', '192.168.77.2'),
        route('10.244.3.0/24', '192.168.99.2'),
        route('10.244.4.0/24', '192.168.77.4', { encap: 'ipip' }),
        route('fd00:244:2::/64', '192.168.77.2'),
        route('10.244.5.0/24', '192.168.77.5'),
        route('10.244.5.0/24', '192.168.99.5'),
      ],
      { when: 'cross-subnet' },
    );
    const kinds = (prefix: string) => paths(prefix)?.map(({ kind }) => kind);
    expect(kinds('10.244.2.0/24')).toEqual(['direct']);
    expect(kinds('10.244.3.0/24')).toEqual(['vxlan']);
    expect(kinds('10.244.4.0/24')).toEqual(['ipip']);
    expect(kinds('fd00:244:2::/64')).toEqual(['vxlan']);
    expect(kinds('10.244.5.0/24')).toEqual(['vxlan', 'vxlan']);
  });

  it('says what cannot be', () => {
    expect(() => apply([route('10.9.0.0/16', 'fd00:77::2', { encap: 'ipip' })])).toThrow(
      /10\.9\.0\.0\/16 via fd00:77::2.*IPIP goes over IPv4/,
    );
    expect(() => apply([route('fd00:9::/64', '192.168.77.2', { encap: 'direct' })])).toThrow(/family/);
    expect(() =>
      apply([
        route('10.9.0.0/16', '192.168.77.2', { encap: 'direct' }),
        route('10.9.0.0/16', '192.168.77.3'),
      ]),
    ).toThrow(/all direct or all not/);
  });

  it('applied again, changes the difference only, and nothing when it is refused', () => {
    const changes: string[] = [];
    const table = new RouteTable((prefix, best) =>
      changes.push(`${formatPrefix(prefix)} ${best ? 'set' : 'gone'}`),
    );
    const set = staticRoutes(table);
    set([route('10.1.0.0/16', '192.168.77.1'), route('10.2.0.0/16', '192.168.77.2')], surroundings);
    changes.length = 0;
    set([route('10.2.0.0/16', '192.168.77.2'), route('10.3.0.0/16', '192.168.77.3')], surroundings);
    expect(changes).toEqual(['10.1.0.0/16 gone', '10.3.0.0/16 set']);
    expect(() => set([route('10.9.0.0/16', 'fd00::1', { encap: 'ipip' })], surroundings)).toThrow();
    expect(table.size).toBe(2);
    changes.length = 0;
    set([route('10.2.0.0/16', '192.168.77.2'), route('10.3.0.0/16', '192.168.77.3')], {
      ...surroundings,
      mtu: () => 1400,
    });
    expect(changes).toEqual(['10.2.0.0/16 set', '10.3.0.0/16 set']);
  });
});

describe('encapOverhead', () => {
  it('is that of the RFCs', () => {
    expect([encapOverhead('vxlan', 4), encapOverhead('vxlan', 6)]).toEqual([50, 70]);
    expect([encapOverhead('ipip', 4), encapOverhead('direct', 4), encapOverhead('direct', 6)]).toEqual([
      20, 0, 0,
    ]);
  });
});
