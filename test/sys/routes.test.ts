import { expect, test } from 'vitest';
import {
  links,
  neighbours,
  nexthops,
  openRtnetlink,
  type Route,
  type Rtnetlink,
  routes,
  rules,
} from '../../sys/rtnetlink.ts';
import { bytes, ip, ipJson, makeNamespace, sysErrorOf } from './support.ts';

/** A namespace with an interface `a` of 10.1.0.1/24 and fd01::1/64, whose other end is up. */
function open(): { namespace: string; rtnetlink: Rtnetlink; index: number } {
  const namespace = makeNamespace();
  const rtnetlink = openRtnetlink(namespace);
  rtnetlink.run(links.createVeth({ name: 'a', up: true }, { name: 'b' }), links.change('b', { up: true }));
  ip(namespace, 'address', 'add', '10.1.0.1/24', 'dev', 'a');
  ip(namespace, 'address', 'add', 'fd01::1/64', 'dev', 'a', 'nodad');
  return { namespace, rtnetlink, index: rtnetlink.get(links.byName('a')).index };
}

const to = (address: string, length: number) => ({ address: bytes(address), length });

test('IPv4 routes: gateway, metrics, tables, onlink, types, multipath', () => {
  const { namespace, rtnetlink, index } = open();
  const wanted: Route[] = [
    {
      destination: to('10.9.0.0', 16),
      gateway: bytes('10.1.0.2'),
      index,
      mtu: 1400,
      protocol: 186,
      preferredSource: bytes('10.1.0.1'),
      priority: 50,
    },
    { destination: to('10.10.0.0', 16), index, table: 1000, protocol: 186 },
    { destination: to('10.11.0.0', 16), index, gateway: bytes('172.31.0.1'), onlink: true, protocol: 186 },
    { destination: to('10.12.0.0', 16), type: 'blackhole', protocol: 186 },
    { destination: to('10.13.0.0', 16), type: 'unreachable', table: 1000, protocol: 186 },
    { destination: to('0.0.0.0', 0), gateway: bytes('10.1.0.254'), protocol: 186 },
    {
      destination: to('10.14.0.0', 16),
      protocol: 186,
      hops: [
        { index, gateway: bytes('10.1.0.2'), weight: 3 },
        { index, gateway: bytes('172.31.0.2'), onlink: true },
      ],
    },
    { destination: to('10.15.0.0', 16), index, gateway: bytes('fd01::2'), protocol: 186 },
  ];
  rtnetlink.run(...wanted.map(routes.add));

  const main = ipJson(namespace, 'route', 'show', 'proto', 'bgp');
  const find = (dst: string) => main.find((route) => route.dst === dst);
  expect(find('10.9.0.0/16')).toMatchObject({
    gateway: '10.1.0.2',
    dev: 'a',
    prefsrc: '10.1.0.1',
    metric: 50,
    metrics: [{ mtu: 1400 }],
    scope: 'global',
  });
  expect(find('10.11.0.0/16')).toMatchObject({ gateway: '172.31.0.1', flags: ['onlink'] });
  expect(find('10.12.0.0/16').type).toBe('blackhole');
  expect(find('default').gateway).toBe('10.1.0.254');
  expect(find('10.14.0.0/16').nexthops).toMatchObject([
    { gateway: '10.1.0.2', dev: 'a', weight: 3 },
    { gateway: '172.31.0.2', dev: 'a', weight: 1, flags: ['onlink'] },
  ]);
  expect(find('10.15.0.0/16').via).toMatchObject({ family: 'inet6', host: 'fd01::2' });
  const other = ipJson(namespace, 'route', 'show', 'table', '1000');
  expect(other).toMatchObject([
    { dst: '10.10.0.0/16', dev: 'a', scope: 'link' },
    { type: 'unreachable', dst: '10.13.0.0/16' },
  ]);

  const list = rtnetlink.list(routes.all({ family: 4, protocol: 186 }));
  expect(list).toHaveLength(wanted.length);
  for (const route of wanted) {
    const { hops, ...rest } = route;
    const read = list.find(
      ({ destination }) => destination.address.join() === route.destination.address.join(),
    );
    expect(read).toMatchObject(rest);
    expect(read?.hops?.map((hop) => hop.weight)).toEqual(hops?.map((hop) => hop.weight ?? 1));
    expect(read?.hops?.map((hop) => hop.gateway)).toEqual(hops?.map((hop) => hop.gateway));
  }
  expect(rtnetlink.list(routes.all({ family: 4, table: 1000 }))).toHaveLength(2);
  expect(rtnetlink.list(routes.all({ family: 4, table: 777 }))).toEqual([]);

  const [first, ...others] = wanted;
  rtnetlink.run(
    routes.replace({ ...first, gateway: bytes('10.1.0.3'), mtu: 1300 }),
    ...others.map(routes.remove),
  );
  expect(ipJson(namespace, 'route', 'show', 'proto', 'bgp')).toMatchObject([
    { dst: '10.9.0.0/16', gateway: '10.1.0.3', metrics: [{ mtu: 1300 }] },
  ]);
  expect(ipJson(namespace, 'route', 'show', 'table', '1000')).toEqual([]);
  rtnetlink.close();
});

test('IPv6 routes', () => {
  const { namespace, rtnetlink, index } = open();
  const wanted: Route[] = [
    {
      destination: to('fd09::', 32),
      gateway: bytes('fd01::2'),
      index,
      mtu: 1400,
      protocol: 186,
      preferredSource: bytes('fd01::1'),
      priority: 70,
    },
    { destination: to('fd0a::', 48), type: 'blackhole', table: 1000, protocol: 186 },
    { destination: to('::', 0), gateway: bytes('fd01::fe'), index, protocol: 186 },
    {
      destination: to('fd0b::', 48),
      protocol: 186,
      hops: [
        { index, gateway: bytes('fd01::2') },
        { index, gateway: bytes('fd01::3'), weight: 2 },
      ],
    },
  ];
  rtnetlink.run(...wanted.map(routes.replace));
  const seen = ipJson(namespace, '-6', 'route', 'show', 'proto', 'bgp');
  expect(seen.find((route) => route.dst === 'fd09::/32')).toMatchObject({
    gateway: 'fd01::2',
    prefsrc: 'fd01::1',
    metric: 70,
    metrics: [{ mtu: 1400 }],
  });
  expect(seen.find((route) => route.dst === 'default').gateway).toBe('fd01::fe');
  expect(seen.find((route) => route.dst === 'fd0b::/48').nexthops).toMatchObject([
    { gateway: 'fd01::2', weight: 1 },
    { gateway: 'fd01::3', weight: 2 },
  ]);
  expect(ipJson(namespace, '-6', 'route', 'show', 'table', '1000')).toMatchObject([
    { type: 'blackhole', dst: 'fd0a::/48' },
  ]);

  const list = rtnetlink.list(routes.all({ family: 6, protocol: 186 }));
  expect(list).toHaveLength(4);
  const read = (route: Route) =>
    list.find(({ destination }) => destination.address.join() === route.destination.address.join());
  expect(read(wanted[0])).toMatchObject(wanted[0]);
  expect(read(wanted[3])?.hops).toMatchObject([{ weight: 1 }, { weight: 2 }]);
  expect(rtnetlink.list(routes.all({ family: 6, table: 777 }))).toEqual([]);

  rtnetlink.run(...wanted.map(routes.remove));
  expect(rtnetlink.list(routes.all({ family: 6, protocol: 186 }))).toEqual([]);
  rtnetlink.close();
});

test('asking for a route tells interface, gateway, source and MTU', () => {
  const { namespace, rtnetlink, index } = open();
  rtnetlink.run(
    routes.add({ destination: to('10.9.0.0', 16), gateway: bytes('10.1.0.2'), mtu: 1400 }),
    routes.add({ destination: to('10.8.0.0', 16), type: 'unreachable' }),
    routes.add({ destination: to('fd09::', 32), gateway: bytes('fd01::2'), mtu: 1350 }),
  );
  expect(rtnetlink.get(routes.getRoute(bytes('10.9.1.2')))).toMatchObject({
    index,
    gateway: bytes('10.1.0.2'),
    preferredSource: bytes('10.1.0.1'),
    mtu: 1400,
  });
  const direct = rtnetlink.get(routes.getRoute(bytes('10.1.0.77')));
  expect(direct).toMatchObject({ index, preferredSource: bytes('10.1.0.1') });
  expect(direct.gateway).toBeUndefined();
  expect(rtnetlink.get(routes.getRoute(bytes('127.0.0.1')))).toMatchObject({ type: 'local', index: 1 });
  expect(rtnetlink.get(routes.getRoute(bytes('fd09::5')))).toMatchObject({
    index,
    gateway: bytes('fd01::2'),
    preferredSource: bytes('fd01::1'),
    mtu: 1350,
  });
  expect(ipJson(namespace, 'route', 'get', '10.9.1.2')[0].gateway).toBe('10.1.0.2');

  const none = sysErrorOf(() => rtnetlink.get(routes.getRoute(bytes('192.0.2.1'))));
  expect(none).toMatchObject({ code: 'ENETUNREACH', doing: 'asking for the route to 192.0.2.1' });
  expect(rtnetlink.find(routes.getRoute(bytes('192.0.2.1')))).toBeUndefined();
  expect(sysErrorOf(() => rtnetlink.get(routes.getRoute(bytes('10.8.0.1')))).code).toBe('EHOSTUNREACH');
  rtnetlink.close();
});

test('a route that cannot be is refused with the reason', () => {
  const { rtnetlink, index } = open();
  const refused = sysErrorOf(() =>
    rtnetlink.run(routes.add({ destination: to('10.9.0.0', 16), gateway: bytes('172.31.0.1'), index })),
  );
  expect(refused.code).toBe('ENETUNREACH');
  expect(refused.message).toMatch(
    /adding the route to 10\.9\.0\.0\/16 in table 254: .*invalid gateway.*onlink/,
  );
  const absent = sysErrorOf(() => rtnetlink.run(routes.remove({ destination: to('10.77.0.0', 16) })));
  expect(absent).toMatchObject({ code: 'ESRCH', call: 'RTM_DELROUTE' });
  const odd = sysErrorOf(() => rtnetlink.run(routes.add({ destination: to('10.9.0.1', 16), index })));
  expect(odd.message).toMatch(/Invalid prefix for given prefix length/);
  rtnetlink.close();
});

test('routes that are alike but for their destination', () => {
  const { rtnetlink, index } = open();
  for (const { gateway, destinations } of [
    { gateway: '10.1.0.2', destinations: [to('10.11.0.0', 16), to('10.12.0.0', 24), to('10.13.0.1', 32)] },
    { gateway: 'fd01::2', destinations: [to('fd11::', 48), to('fd12::', 64), to('fd13::1', 128)] },
  ]) {
    const [destination, ...others] = destinations;
    const first = routes.add({ destination, gateway: bytes(gateway), index, protocol: 99 });
    const requests = [first, ...others.map((other) => routes.withDestination(first, other))];
    rtnetlink.run(...requests);
    const family = gateway.includes(':') ? 6 : 4;
    const found = rtnetlink.list(routes.all({ family, protocol: 99 }));
    expect(found).toMatchObject(
      destinations.map((one) => ({ destination: one, gateway: bytes(gateway), index })),
    );
    const again = sysErrorOf(() => rtnetlink.run(requests[2]));
    expect(again.code).toBe('EEXIST');
    expect(again.message).toMatch(family === 4 ? /adding the route to 10\.13\.0\.1\/32/ : /to fd13::1\/128/);
    expect(() => routes.withDestination(first, { ...destination, length: 0 })).toThrow(RangeError);
  }
  rtnetlink.close();
});

test('rules of both families', () => {
  const { namespace, rtnetlink } = open();
  const four = {
    family: 4,
    priority: 100,
    source: to('10.244.0.0', 16),
    table: 1000,
    mark: 0x10,
    markMask: 0xf0,
    inputInterface: 'a',
    protocol: 186,
  } as const;
  const six = { family: 6, priority: 200, destination: to('fd00::', 8), action: 'unreachable' } as const;
  const suppress = { family: 4, priority: 50, table: 254, suppressPrefixLength: 0, invert: true } as const;
  rtnetlink.run(...[four, six, suppress].map(rules.add));
  expect(ipJson(namespace, 'rule', 'show').filter((rule) => [50, 100].includes(rule.priority))).toMatchObject(
    [
      { not: null, suppress_prefixlen: 0, table: 'main' },
      {
        src: '10.244.0.0',
        srclen: 16,
        table: '1000',
        fwmark: '0x10',
        fwmask: '0xf0',
        iif: 'a',
        protocol: 'bgp',
      },
    ],
  );
  expect(ipJson(namespace, '-6', 'rule', 'show').find((rule) => rule.priority === 200)).toMatchObject({
    dst: 'fd00::',
    dstlen: 8,
    action: 'unreachable',
  });
  const list = rtnetlink.list(rules.all(4));
  expect(list.find(({ priority }) => priority === 100)).toMatchObject(four);
  expect(list.find(({ priority }) => priority === 50)).toMatchObject(suppress);
  expect(list.find(({ priority }) => priority === 0)).toMatchObject({ table: 255, action: 'lookup' });
  expect(rtnetlink.list(rules.all(6)).find(({ priority }) => priority === 200)).toMatchObject(six);
  rtnetlink.run(...[four, six, suppress].map(rules.remove));
  expect(rtnetlink.list(rules.all(4)).map(({ priority }) => priority)).toEqual([0, 32766, 32767]);
  expect(sysErrorOf(() => rtnetlink.run(rules.remove(four))).code).toBe('ENOENT');
  rtnetlink.close();
});

test('neighbours of both families', () => {
  const { namespace, rtnetlink, index } = open();
  const linkAddress = Uint8Array.of(2, 0, 0, 0, 0, 9);
  rtnetlink.run(
    neighbours.replace({ index, address: bytes('10.1.0.9'), linkAddress }),
    neighbours.replace({ index, address: bytes('fd01::9'), linkAddress }),
  );
  const expected = { lladdr: '02:00:00:00:00:09', state: ['PERMANENT'] };
  const seen = ipJson(namespace, 'neigh', 'show', 'dev', 'a');
  expect(seen.find((entry) => entry.dst === '10.1.0.9')).toMatchObject(expected);
  expect(seen.find((entry) => entry.dst === 'fd01::9')).toMatchObject(expected);
  expect(rtnetlink.list(neighbours.all({ index, family: 4 }))).toMatchObject([
    { index, address: bytes('10.1.0.9'), linkAddress, state: 0x80 },
  ]);
  rtnetlink.run(
    neighbours.remove({ index, address: bytes('10.1.0.9') }),
    neighbours.remove({ index, address: bytes('fd01::9') }),
  );
  expect(rtnetlink.list(neighbours.all({ index, family: 4 }))).toEqual([]);
  rtnetlink.close();
});

test('nexthop objects, groups of them, and routes that refer to them', () => {
  const { namespace, rtnetlink, index } = open();
  rtnetlink.run(
    nexthops.replace({ id: 1, index, gateway: bytes('10.1.0.2') }),
    nexthops.replace({ id: 2, index, gateway: bytes('10.1.0.3') }),
    nexthops.replace({ id: 3, family: 4, blackhole: true }),
    nexthops.replace({ id: 10, group: [{ id: 1, weight: 2 }, { id: 2 }] }),
    routes.add({ destination: to('10.20.0.0', 16), nexthopId: 10, protocol: 186 }),
  );
  expect(ipJson(namespace, 'nexthop', 'show')).toMatchObject([
    { id: 1, gateway: '10.1.0.2', dev: 'a', protocol: 'static' },
    { id: 2, gateway: '10.1.0.3' },
    { id: 3, blackhole: null },
    { id: 10, group: [{ id: 1, weight: 2 }, { id: 2 }] },
  ]);
  expect(rtnetlink.list(nexthops.all()).map(({ id }) => id)).toEqual([1, 2, 3, 10]);
  expect(rtnetlink.get(nexthops.byId(1))).toMatchObject({ family: 4, index, gateway: bytes('10.1.0.2') });
  expect(rtnetlink.get(nexthops.byId(3))).toMatchObject({ blackhole: true });
  expect(rtnetlink.get(nexthops.byId(10)).group).toEqual([
    { id: 1, weight: 2 },
    { id: 2, weight: 1 },
  ]);
  expect(rtnetlink.list(routes.all({ family: 4, protocol: 186 }))).toMatchObject([{ nexthopId: 10 }]);
  rtnetlink.run(nexthops.remove(10));
  expect(rtnetlink.list(routes.all({ family: 4, protocol: 186 }))).toEqual([]);
  expect(rtnetlink.find(nexthops.byId(10))).toBeUndefined();
  rtnetlink.close();
});

test('resilient groups: when a member goes, the buckets of the others stay', () => {
  const { namespace, rtnetlink, index } = open();
  const resilient = { buckets: 64, idleTime: 60 };
  const group = (...ids: number[]) =>
    nexthops.replace({ id: 10, group: ids.map((id) => ({ id })), resilient });
  rtnetlink.run(
    ...[1, 2, 3].map((id) => nexthops.replace({ id, index, gateway: bytes(`10.1.0.${id + 1}`) })),
    group(1, 2, 3),
  );
  expect(rtnetlink.get(nexthops.byId(10))).toMatchObject({
    group: [{ id: 1 }, { id: 2 }, { id: 3 }],
    resilient,
  });
  const buckets = () => ipJson(namespace, 'nexthop', 'bucket', 'list').map(({ bucket }) => bucket.nhid);
  const before = buckets();
  rtnetlink.run(group(1, 3));
  const after = buckets();
  expect(after).toHaveLength(64);
  expect(new Set(after)).toEqual(new Set([1, 3]));
  for (const [n, was] of before.entries()) if (was !== 2) expect(after[n]).toBe(was);
  rtnetlink.close();
});

test('a thousand requests go in batches, and each failure is told apart', () => {
  const { namespace, rtnetlink, index } = open();
  const requests = Array.from({ length: 1000 }, (_, i) =>
    routes.add({ destination: to(`10.${100 + (i >> 8)}.${i & 255}.0`, 24), index, protocol: 186 }),
  );
  requests[500] = routes.remove({ destination: to('10.77.0.0', 16) });
  const outcomes = rtnetlink.settle(requests);
  expect(outcomes).toHaveLength(1000);
  expect(outcomes.flatMap((error, i) => (error ? [[i, error.code]] : []))).toEqual([[500, 'ESRCH']]);
  expect(ipJson(namespace, 'route', 'show', 'proto', 'bgp')).toHaveLength(999);
  expect(rtnetlink.list(routes.all({ family: 4, protocol: 186 }))).toHaveLength(999);
  rtnetlink.close();
});

test('many routes, some at a time: all of them, others having their turn in between', async () => {
  const { rtnetlink, index } = open();
  const many = Array.from({ length: 3000 }, (_, n) => to(`10.${100 + (n >> 8)}.${n & 255}.0`, 24));
  rtnetlink.run(...many.map((destination) => routes.add({ destination, index, protocol: 186 })));
  const dump = routes.all({ family: 4, protocol: 186 });
  const visited: Route[] = [];
  let [begun, turns, over] = [0, 0, false];
  const count = (): void => {
    if (over) return;
    turns++;
    setImmediate(count);
  };
  setImmediate(count);
  await rtnetlink.visit(
    dump,
    () => begun++,
    (route) => visited.push(route),
  );
  over = true;
  expect(visited).toHaveLength(many.length);
  expect(visited).toEqual(rtnetlink.list(dump));
  expect(begun).toBe(1);
  expect(turns).toBeGreaterThan(3);
  // The socket is as it was.
  expect(rtnetlink.find(links.byName('a'))).toMatchObject({ index });
});
