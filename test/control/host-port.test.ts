import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type HostPort,
  type HostPortOptions,
  openHostPort,
  removeHostPort,
} from '../../control/host-port.ts';
import { type NodeRoutes, openKernelRoutes } from '../../control/kernel-routes.ts';
import { decideOffloads } from '../../control/offload.ts';
import { libc } from '../../sys/libc.ts';
import { openRtnetlink, type Request, type Rtnetlink } from '../../sys/rtnetlink.ts';
import { parseAddress } from '../../wire/address.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { recordingLog } from '../support/log.ts';
import { ALL_OFFLOADS } from '../support/node-config.ts';
import { enterNamespace, makeNamespace, type TestNamespace } from '../support/pod-namespace.ts';

let node: TestNamespace;
let leave: () => void;
let netlink: Rtnetlink;
let background: Rtnetlink;
let log: ReturnType<typeof recordingLog>;
let ports: HostPort[];
const ip = (command: string) => node.run('ip', ...command.split(' '));

beforeEach(() => {
  node = makeNamespace();
  leave = enterNamespace(node.path);
  netlink = openRtnetlink();
  background = openRtnetlink();
  log = recordingLog();
  ports = [];
  ip('link set lo up');
  ip('link add u0 type veth peer name u1');
  ip('link set u1 up');
  ip('link set u0 up');
  ip('addr add 192.168.77.1/24 dev u0');
  ip('-6 addr add fd00:77::1/64 dev u0 nodad');
});
afterEach(() => {
  for (const port of ports) closeQueues(port);
  netlink.close();
  background.close();
  leave();
  node.delete();
});

const sources = ['10.244.1.1', 'fd00:244:1::1'].map(parseAddress);

function open(changed: Partial<HostPortOptions> = {}): HostPort {
  const port = openHostPort({
    name: 'weft0',
    queues: 2,
    chooseOffloads: (kernel) => decideOffloads(ALL_OFFLOADS, { ...kernel, segment: true, gro: true }),
    mtu: 1450,
    gso: { maxSegments: 44, maxSize: 65536 },
    addresses: sources,
    netlink,
    log,
    ...changed,
  });
  ports.push(port);
  return port;
}

function closeQueues(port: HostPort): void {
  for (const fd of port.fds) libc.close(fd);
  ports = ports.filter((other) => other !== port);
}

const addressesOf = () =>
  JSON.parse(ip('-j addr show dev weft0'))[0].addr_info.map(
    (a: { local: string; prefixlen: number }) => `${a.local}/${a.prefixlen}`,
  );
const sysctl = (name: string) => readFileSync(`/proc/sys/${name}`, 'utf8').trim();
const changedSettings = () => log.lines.map(({ fields }) => fields.sysctl).filter(Boolean);

describe('openHostPort', () => {
  it("makes a persistent TUN with the node's addresses, and lets the node forward", () => {
    open();
    const [link] = JSON.parse(ip('-d -j link show dev weft0'));
    expect(link).toMatchObject({
      mtu: 1450,
      qdisc: 'noqueue',
      txqlen: 10_000,
      gso_max_segs: 44,
      inet6_addr_gen_mode: 'none',
      linkinfo: { info_kind: 'tun', info_data: { persist: true, multi_queue: true, numqueues: 2 } },
    });
    expect(addressesOf()).toEqual(['10.244.1.1/32', 'fd00:244:1::1/128']);
    expect([
      sysctl('net/ipv4/ip_forward'),
      sysctl('net/ipv6/conf/all/forwarding'),
      sysctl('net/ipv4/conf/weft0/rp_filter'),
    ]).toEqual(['1', '1', '0']);
  });

  it('says which settings it has changed, and leaves alone those that are right', () => {
    node.run('sysctl', '-qw', 'net.ipv4.conf.default.rp_filter=1');
    open();
    expect(changedSettings().sort()).toEqual([
      'net.ipv4.conf.weft0.rp_filter',
      'net.ipv4.ip_forward',
      'net.ipv6.conf.all.forwarding',
    ]);
    log.lines.length = 0;
    open();
    expect(changedSettings()).toEqual([]);
  });

  it('without IPv6 pods does not make an IPv6 router of the node', () => {
    open({ addresses: [sources[0]] });
    expect(sysctl('net/ipv6/conf/all/forwarding')).toBe('0');
  });

  it('does not cost the node the default route that it learned from its router', () => {
    ip('-6 route add default via fd00:77::fe proto ra');
    open();
    expect(sysctl('net/ipv6/conf/u0/accept_ra')).toBe('2');
    expect(ip('-6 route')).toContain('default via fd00:77::fe');
  });

  it('takes over the interface of an earlier daemon as it is, but for addresses that are no longer its', () => {
    closeQueues(open({ addresses: [...sources, parseAddress('10.244.9.1')] }));
    ip('route add 10.99.0.0/16 dev weft0');
    const { ifindex } = JSON.parse(ip('-j link show dev weft0'))[0];
    const next = open({ queues: 3 });
    expect(next.index).toBe(ifindex);
    expect(addressesOf()).toEqual(['10.244.1.1/32', 'fd00:244:1::1/128']);
    expect(ip('route')).toContain('10.99.0.0/16 dev weft0');
  });

  it('refuses an interface that is no TUN, and one made otherwise', () => {
    expect(() => open({ name: 'u0' })).toThrow(/host.interface: u0 exists and is no TUN interface \(veth\)/);
    ip('tuntap add mode tun name other');
    expect(() => open({ name: 'other' })).toThrow(/other flags/);
  });

  it('goes when it is removed', () => {
    closeQueues(open());
    removeHostPort('weft0', netlink);
    removeHostPort('weft0', netlink);
    removeHostPort('u0', netlink);
    expect(ip('-o link')).not.toContain('weft0');
    expect(ip('-o link')).toContain('u0');
  });
});

const AGREES = { missing: [], elsewhere: [], surplus: [] };

describe('openKernelRoutes', () => {
  const fabric = (mtu: number) => ({ kind: 'fabric', mtu }) as const;
  const underlay = (...vias: string[]) =>
    ({ kind: 'underlay', vias: vias.map((via) => ({ address: parseAddress(via) })), mtu: 1500 }) as const;
  const own = () =>
    `${ip('route show proto 87')}${ip('-6 route show proto 87')}`
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean);

  function routes(behind: Rtnetlink = background): NodeRoutes {
    return openKernelRoutes({
      netlink,
      background: behind,
      open: openRtnetlink,
      hostPort: { index: open().index, mtu: 1450 },
      sources,
      log,
    });
  }

  it("sets routes into the fabric with the node's address and the path's MTU", () => {
    const table = routes();
    table.set(parsePrefix('10.244.2.0/24'), fabric(1400));
    table.set(parsePrefix('fd00:244:2::/64'), fabric(9000));
    expect(own()).toEqual([
      expect.stringMatching(/^10\.244\.2\.0\/24 dev weft0 scope link src 10\.244\.1\.1 mtu 1400/),
      expect.stringMatching(/^fd00:244:2::\/64 dev weft0 src fd00:244:1::1 metric 1024 mtu 1450/),
    ]);
  });

  it('sets routes over the underlay, one next hop or several, and changes between all of them', () => {
    const table = routes();
    const prefix = parsePrefix('10.244.2.0/24');
    const prefix6 = parsePrefix('fd00:244:2::/64');
    table.set(prefix, underlay('192.168.77.2'));
    table.set(prefix6, underlay('fd00:77::2'));
    expect(own()[0]).toMatch(/^10\.244\.2\.0\/24 via 192\.168\.77\.2 dev u0/);
    expect(own()[1]).toMatch(/^fd00:244:2::\/64 via fd00:77::2 dev u0/);
    table.set(prefix, underlay('192.168.77.2', '192.168.77.3'));
    table.set(prefix6, underlay('fd00:77::2', 'fd00:77::3'));
    expect(own().filter((line) => line.startsWith('nexthop'))).toHaveLength(4);
    table.set(prefix, fabric(1450));
    table.set(prefix6, fabric(1450));
    expect(own()).toHaveLength(2);
    table.set(prefix6, underlay('fd00:77::2'));
    table.remove(prefix);
    table.remove(prefix);
    table.remove(prefix6);
    expect(own()).toEqual([]);
    expect(log.lines.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('keeps what an earlier daemon left and is wanted again, and removes the rest', () => {
    ip('route add 10.244.2.0/24 dev u0 proto 87');
    ip('route add 10.244.3.0/24 dev u0 proto 87');
    ip('-6 route add fd00:244:3::/64 dev u0 proto 87');
    ip('route add 10.244.4.0/24 dev u0 proto static');
    const table = routes();
    table.set(parsePrefix('10.244.2.0/24'), fabric(1450));
    table.removeStale();
    expect(own()).toEqual([expect.stringMatching(/^10\.244\.2\.0\/24 dev weft0/)]);
    expect(ip('route')).toContain('10.244.4.0/24 dev u0 proto static');
  });

  it('leaves alone the route of another to the same prefix', () => {
    ip('route add 10.244.2.0/24 dev u0 proto static');
    const table = routes();
    table.set(parsePrefix('10.244.2.0/24'), fabric(1450));
    expect(log.lines.at(-1)).toMatchObject({ level: 'warn', fields: { err: { code: 'EEXIST' } } });
    table.set(parsePrefix('10.244.2.0/24'), fabric(1400));
    table.remove(parsePrefix('10.244.2.0/24'));
    expect(ip('route')).toContain('10.244.2.0/24 dev u0 proto static');
  });

  /** The kernel may get to what it is asked in the background before what changes meanwhile, in between, or behind it. */
  const later = (milliseconds: number) =>
    ({
      settleInBackground: (requests: readonly Request[]) =>
        sleep(milliseconds).then(() => background.settleInBackground(requests)),
    }) as unknown as Rtnetlink;
  it.each([
    ['at once', 0],
    ['behind what changes meanwhile', 100],
  ])(
    'asks in the background for many, %s: what changes once more is as it was wanted last',
    async (_, late) => {
      const table = routes(late > 0 ? later(late) : background);
      const learned = { ...fabric(1400), learned: true };
      const many = Array.from({ length: 1000 }, (_, n) => parsePrefix(`10.${n >> 8}.${n & 255}.0/24`));
      const [first, second, third, fourth] = many;
      table.set(fourth, fabric(1300));
      const done = table.batchInBackground(() => {
        for (const prefix of many) table.set(prefix, prefix === fourth ? fabric(1350) : learned);
      });
      const meanwhile = table.differences();
      table.remove(first);
      table.set(second, fabric(1300));
      table.set(third, { ...fabric(1300), learned: true });
      table.remove(fourth);
      const [other] = await Promise.all([
        table
          .batchInBackground(() => table.set(parsePrefix('10.9.9.0/24'), learned))
          .then(() => own().length),
        done,
      ]);
      expect([other, own().length]).toEqual([999, 999]);
      expect(await meanwhile).toEqual(AGREES);
      expect(await table.differences()).toEqual(AGREES);
      expect(own().filter((line) => / mtu 1[^4]/.test(line))).toEqual([
        expect.stringMatching(/^10\.0\.1\.0\/24 dev weft0 scope link src 10\.244\.1\.1 mtu 1300/),
        expect.stringMatching(/^10\.0\.2\.0\/24 dev weft0 .*metric 20 mtu 1300/),
      ]);
      await table.batchInBackground(() => {
        for (const prefix of many) table.remove(prefix);
      });
      expect(own()).toHaveLength(1);
      await table.removeAll();
      expect(own()).toEqual([]);
      expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    },
  );

  it('says what the kernel has otherwise than it should, but for what changes meanwhile', async () => {
    ip('route add 10.244.9.0/24 dev u0 proto 87');
    const table = routes();
    const [first, second, third, sixth] = [
      ...['10.244.2.0/24', '10.244.3.0/24', '10.244.4.0/24', 'fd00:244:2::/64'].map(parsePrefix),
    ];
    for (const prefix of [first, second, third]) table.set(prefix, underlay('192.168.77.2'));
    table.set(sixth, underlay('fd00:77::2'));
    // What an earlier daemon left may be wanted yet.
    expect(await table.differences()).toEqual(AGREES);
    table.removeStale();
    ip('route del 10.244.2.0/24');
    ip('route replace 10.244.3.0/24 via 192.168.77.3 proto 87');
    ip('route add 10.244.5.0/24 dev u0 proto 87');
    ip('route add 10.244.6.0/24 dev u0 proto static');
    ip('-6 route del fd00:244:2::/64');
    const differ = {
      missing: [first, sixth],
      elsewhere: [second],
      surplus: [parsePrefix('10.244.5.0/24')],
    };
    expect(await table.differences()).toEqual(differ);
    const looking = table.differences();
    table.remove(first);
    table.set(second, fabric(1450));
    table.remove(third);
    expect(await looking).toEqual({ ...differ, missing: [sixth], elsewhere: [] });
    ip('route del 10.244.5.0/24');
    await table.repair();
    expect(await table.differences()).toEqual(AGREES);
  });

  it('puts back what the kernel dropped with an interface', async () => {
    const table = routes();
    table.set(parsePrefix('10.244.2.0/24'), underlay('192.168.77.2'));
    table.set(parsePrefix('10.244.3.0/24'), fabric(1450));
    ip('link set u0 down');
    expect(own()).toHaveLength(1);
    await table.repair();
    ip('link set u0 up');
    await table.repair();
    expect(own()).toHaveLength(2);
    expect(log.lines.at(-1)).toMatchObject({ fields: { routes: 1, first: '10.244.2.0/24' } });
    await table.removeAll();
    expect(own()).toEqual([]);
  });
});
