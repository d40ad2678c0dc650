import { expect, test } from 'vitest';
import { libc } from '../../sys/libc.ts';
import { inNamespace, openNamespace } from '../../sys/netns.ts';
import { links, openRtnetlink, type Rtnetlink } from '../../sys/rtnetlink.ts';
import { encodeSockaddr, SOCKADDR_SIZE } from '../../sys/sockaddr.ts';
import { localAddress, udpSocket } from '../../sys/socket.ts';
import { bytes, ip, ipJson, makeNamespace, sysErrorOf } from './support.ts';

function open(): { namespace: string; rtnetlink: Rtnetlink } {
  const namespace = makeNamespace();
  return { namespace, rtnetlink: openRtnetlink(namespace) };
}

test('a veth pair is made with all its settings, as iproute2 sees it', () => {
  const { namespace, rtnetlink } = open();
  const address = Uint8Array.of(2, 0x57, 10, 0, 0, 1);
  rtnetlink.run(
    links.createVeth(
      {
        name: 'left',
        mtu: 1400,
        txQueueLength: 77,
        address,
        up: true,
        gsoMaxSize: 32768,
        gsoMaxSegments: 32,
      },
      { name: 'right', mtu: 1300 },
    ),
    links.change('right', { up: true }),
  );
  const [left] = ipJson(namespace, 'link', 'show', 'left');
  expect(left).toMatchObject({
    mtu: 1400,
    txqlen: 77,
    address: '02:57:0a:00:00:01',
    operstate: 'UP',
    gso_max_size: 32768,
    gso_max_segs: 32,
    linkinfo: { info_kind: 'veth' },
    link: 'right',
  });
  expect(ipJson(namespace, 'link', 'show', 'right')[0].mtu).toBe(1300);

  const link = rtnetlink.get(links.byName('left'));
  expect(link).toMatchObject({
    index: left.ifindex,
    name: 'left',
    kind: 'veth',
    type: 1,
    up: true,
    carrier: true,
    operationalState: 'up',
    mtu: 1400,
    txQueueLength: 77,
    gsoMaxSize: 32768,
    gsoMaxSegments: 32,
    addressGeneration: 'eui64',
  });
  expect([...link.address]).toEqual([...address]);
  expect(link.lower).toBe(rtnetlink.get(links.byName('right')).index);
  rtnetlink.close();
});

test('a link is changed in every respect: name, MTU, queue, address, GSO limits, IPv6 address generation, down', () => {
  const { namespace, rtnetlink } = open();
  rtnetlink.run(links.createVeth({ name: 'a', up: true }, { name: 'b' }), links.change('b', { up: true }));
  const { index } = rtnetlink.get(links.byName('a'));
  rtnetlink.run(
    links.change('a', { addressGeneration: 'none' }),
    links.change(index, { up: false }),
    links.change(index, { name: 'renamed', mtu: 9000, txQueueLength: 10000 }),
    links.change(index, { address: Uint8Array.of(2, 0, 0, 0, 0, 7), gsoMaxSize: 65000, gsoMaxSegments: 40 }),
  );
  expect(ipJson(namespace, 'link', 'show', 'renamed')[0]).toMatchObject({
    ifindex: index,
    mtu: 9000,
    txqlen: 10000,
    address: '02:00:00:00:00:07',
    operstate: 'DOWN',
    inet6_addr_gen_mode: 'none',
    gso_max_size: 65000,
    gso_max_segs: 40,
  });
  expect(rtnetlink.get(links.byIndex(index))).toMatchObject({
    name: 'renamed',
    up: false,
    carrier: false,
    operationalState: 'down',
    addressGeneration: 'none',
  });
  expect(() => links.change('renamed', { name: 'again' })).toThrow(/by its index/);
  rtnetlink.close();
});

test('a link moves to another namespace by descriptor', () => {
  const { namespace, rtnetlink } = open();
  const other = makeNamespace();
  const fd = openNamespace(other);
  rtnetlink.run(
    links.createVeth({ name: 'stays' }, { name: 'there', namespace: fd, mtu: 1234 }),
    links.create('bridge', { name: 'moves' }),
  );
  expect(ipJson(other, 'link', 'show', 'there')[0].mtu).toBe(1234);
  const { index } = rtnetlink.get(links.byName('stays'));
  rtnetlink.run(links.change(index, { namespace: fd, name: 'came' }));
  expect(ipJson(other, 'link', 'show', 'came')[0].linkinfo.info_kind).toBe('veth');
  expect(ipJson(namespace, 'link', 'show').map((link) => link.ifname)).toEqual(['lo', 'moves']);
  libc.close(fd);
  rtnetlink.close();
});

test('vxlan links over IPv4 and IPv6, bridge membership', () => {
  const { namespace, rtnetlink } = open();
  rtnetlink.run(
    links.create('bridge', { name: 'br', up: true }),
    links.createVxlan({
      name: 'vx4',
      id: 4096,
      local: bytes('127.0.0.1'),
      port: 4789,
      learning: false,
      ttl: 9,
    }),
    links.createVxlan({
      name: 'vx6',
      id: 16777215,
      local: bytes('::1'),
      port: 8472,
      learning: true,
      checksum: false,
      lower: 1,
    }),
  );
  const bridge = rtnetlink.get(links.byName('br')).index;
  rtnetlink.run(links.change('vx4', { master: bridge }));
  const [vx4] = ipJson(namespace, 'link', 'show', 'vx4');
  expect(vx4.master).toBe('br');
  expect(vx4.linkinfo.info_data).toMatchObject({
    id: 4096,
    local: '127.0.0.1',
    port: 4789,
    learning: false,
    ttl: 9,
  });
  const [vx6] = ipJson(namespace, 'link', 'show', 'vx6');
  expect(vx6.linkinfo.info_data).toMatchObject({
    id: 16777215,
    local6: '::1',
    port: 8472,
    learning: true,
    link: 'lo',
    udp_zero_csum6_rx: true,
    udp_zero_csum6_tx: true,
  });
  expect(rtnetlink.get(links.byName('vx4'))).toMatchObject({ kind: 'vxlan', master: bridge });
  expect(rtnetlink.list(links.all()).map((link) => link.name)).toEqual(['lo', 'br', 'vx4', 'vx6']);
  rtnetlink.close();
});

test('links are deleted by name and by index; absent ones are told apart from failures', () => {
  const { namespace, rtnetlink } = open();
  rtnetlink.run(
    links.createVeth({ name: 'a' }, { name: 'b' }),
    links.create('bridge', { name: 'br' }),
    links.remove('a'),
  );
  rtnetlink.run(links.remove(rtnetlink.get(links.byName('br')).index));
  expect(ipJson(namespace, 'link', 'show').map((link) => link.ifname)).toEqual(['lo']);
  expect(rtnetlink.find(links.byName('a'))).toBeUndefined();
  expect(rtnetlink.find(links.byIndex(4711))).toBeUndefined();
  const absent = sysErrorOf(() => rtnetlink.get(links.byName('a')));
  expect(absent).toMatchObject({ code: 'ENODEV', call: 'RTM_GETLINK', doing: 'reading the interface a' });
  rtnetlink.close();
});

test('statistics count what crossed the link', () => {
  const { namespace, rtnetlink } = open();
  const read = () => rtnetlink.get(links.byName('lo')).statistics;
  expect(read()).toMatchObject({
    rxPackets: 0,
    txPackets: 0,
    rxBytes: 0,
    txBytes: 0,
    rxErrors: 0,
    txDropped: 0,
  });
  const sender = inNamespace(namespace, () => udpSocket({ family: 4, address: bytes('127.0.0.1') }));
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  const { address, port } = localAddress(sender);
  libc.connect(sender, sockaddr, encodeSockaddr(sockaddr, 0, address, port));
  for (let i = 0; i < 3; i++) libc.send(sender, new Uint8Array(100), 100, 0);
  // Each with 20 bytes of IPv4 and 8 of UDP; the loopback counts no Ethernet header.
  expect(read()).toMatchObject({ rxPackets: 3, txPackets: 3, rxBytes: 384, txBytes: 384 });
  const { stats64 } = JSON.parse(ip(namespace, '-j', '-s', 'link', 'show', 'lo'))[0];
  expect(stats64).toMatchObject({ rx: { packets: 3, bytes: 384 }, tx: { packets: 3, bytes: 384 } });
  libc.close(sender);
  rtnetlink.close();
});

test('errors say what was done, what the kernel said and what helps', () => {
  const { rtnetlink } = open();
  rtnetlink.run(links.create('bridge', { name: 'twice' }));
  const twice = sysErrorOf(() => rtnetlink.run(links.create('bridge', { name: 'twice' })));
  expect(twice).toMatchObject({ code: 'EEXIST', call: 'RTM_NEWLINK', errno: 17 });
  expect(twice.message).toMatch(/^making the bridge interface twice: .*there is one of that name already/);

  const unknown = sysErrorOf(() => rtnetlink.run(links.create('nosuchkind', { name: 'x' })));
  expect(unknown.code).toBe('EOPNOTSUPP');
  expect(unknown.message).toMatch(/the kernel says "Unknown device type"; .*modprobe nosuchkind/);

  const mtu = sysErrorOf(() => rtnetlink.run(links.change('twice', { mtu: 7 })));
  expect(mtu.message).toMatch(
    /changing the interface twice \(mtu\): .*the kernel says "mtu less than device minimum"/,
  );

  const long = sysErrorOf(() => rtnetlink.run(links.create('bridge', { name: 'a-name-too-long!' })));
  expect(long.doing).toBe('making the bridge interface a-name-too-long!');
  expect(['ERANGE', 'EINVAL']).toContain(long.code);
  rtnetlink.close();
});
