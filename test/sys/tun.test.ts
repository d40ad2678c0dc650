import { expect, test } from 'vitest';
import { Errno, errno, libc } from '../../sys/libc.ts';
import { inNamespace, openNamespace } from '../../sys/netns.ts';
import { addresses, links, openRtnetlink, routes } from '../../sys/rtnetlink.ts';
import { encodeSockaddr, SOCKADDR_SIZE } from '../../sys/sockaddr.ts';
import { localAddress, setOption, udpSocket } from '../../sys/socket.ts';
import { SocketLevel, UdpOption } from '../../sys/socket-options.ts';
import {
  openTunQueue,
  probeOffloads,
  setOffload,
  setPersistent,
  TunOffload,
  type TunQueueOptions,
  tunFeatures,
  VNET_HEADER_SIZE,
} from '../../sys/tun.ts';
import { udpPacket } from './packets.ts';
import { bytes, interfaceName, ipJson, makeMemory, makeNamespace, sysErrorOf } from './support.ts';

const OWN = bytes('10.77.0.1');
const FAR = bytes('10.77.0.2');
const POLLIN = 1;

function openIn(namespace: string, options: TunQueueOptions): number {
  return inNamespace(namespace, () => openTunQueue(options)).fd;
}

/** Gives the interface 10.77.0.1/24, brings it up and silences IPv6, so that only what the test sends arrives. */
function configure(namespace: string, name: string): void {
  const rtnetlink = openRtnetlink(namespace);
  const { index } = rtnetlink.get(links.byName(name));
  rtnetlink.run(
    links.change(index, { addressGeneration: 'none' }),
    addresses.add({ index, address: OWN, prefixLength: 24 }),
    links.change(index, { up: true }),
  );
  rtnetlink.close();
}

/** Waits until one of the descriptors is readable, at most a second; returns those that are. */
function readable(fds: readonly number[]): number[] {
  const memory = makeMemory(8 * fds.length);
  fds.forEach((fd, i) => {
    memory.view.setInt32(8 * i, fd, true);
    memory.view.setInt16(8 * i + 4, POLLIN, true);
  });
  libc.poll(memory.base, fds.length, 1000);
  return fds.filter((_, i) => memory.view.getInt16(8 * i + 6, true) !== 0);
}

function sendTo(socket: number, address: Uint8Array, port: number, payload: Uint8Array): number {
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  expect(libc.connect(socket, sockaddr, encodeSockaddr(sockaddr, 0, address, port))).toBe(0);
  return libc.send(socket, payload, payload.length, 0);
}

test('packets cross a multi-queue TUN with vnet header, both ways', () => {
  const namespace = makeNamespace();
  const first = openIn(namespace, { name: 'tun0' });
  const second = openIn(namespace, { name: 'tun0' });
  configure(namespace, 'tun0');
  const [seen] = ipJson(namespace, 'link', 'show', 'tun0');
  expect(seen.linkinfo).toMatchObject({
    info_kind: 'tun',
    info_data: { type: 'tun', pi: false, vnet_hdr: true, multi_queue: true, numqueues: 2, persist: false },
  });

  const socket = inNamespace(namespace, () => udpSocket({ family: 4, address: OWN }));
  const payload = new TextEncoder().encode('out of the pod');
  expect(sendTo(socket, FAR, 4242, payload)).toBe(payload.length);
  const memory = makeMemory(65536);
  const [queue] = readable([first, second]);
  const length = libc.read(queue, memory.base, 65536);
  expect(length).toBe(VNET_HEADER_SIZE + 28 + payload.length);
  const packet = memory.bytes.slice(VNET_HEADER_SIZE, length);
  expect([...packet.subarray(12, 20)]).toEqual([...OWN, ...FAR]);
  expect(new TextDecoder().decode(packet.subarray(28))).toBe('out of the pod');
  expect(libc.read(first, memory.base, 65536)).toBe(-1);
  expect(errno()).toBe(Errno.EAGAIN);

  const { port } = localAddress(socket);
  const answer = udpPacket(FAR, 4242, OWN, port, new TextEncoder().encode('into the pod'));
  memory.bytes.fill(0, 0, VNET_HEADER_SIZE);
  memory.bytes.set(answer, VNET_HEADER_SIZE);
  const total = VNET_HEADER_SIZE + answer.length;
  expect(libc.write(second, memory.base, total)).toBe(total);
  readable([socket]);
  const received = libc.read(socket, memory.base, 65536);
  expect(new TextDecoder().decode(memory.bytes.slice(0, received))).toBe('into the pod');
  for (const fd of [first, second, socket]) libc.close(fd);
});

test('offloads are probed and effective: a UDP super-packet arrives in one piece', () => {
  const namespace = makeNamespace();
  const queue = openIn(namespace, { name: 'tun0' });
  configure(namespace, 'tun0');
  const taken = probeOffloads(queue);
  const { checksum, tso4, tso6, tsoEcn, uso4, uso6 } = TunOffload;
  expect(taken).toBe(checksum | tso4 | tso6 | tsoEcn | uso4 | uso6);

  const socket = inNamespace(namespace, () => udpSocket({ family: 4, address: OWN }));
  setOption(socket, SocketLevel.udp, UdpOption.segment, 1000);
  const memory = makeMemory(65536);
  expect(sendTo(socket, FAR, 4242, new Uint8Array(10_000))).toBe(10_000);
  readable([queue]);
  expect(libc.read(queue, memory.base, 65536)).toBe(VNET_HEADER_SIZE + 28 + 10_000);
  // struct virtio_net_hdr: u8 flags (1 checksum to complete), u8 type (5 UDP segmentation), u16 header, u16 segment size …
  expect([memory.view.getUint8(0), memory.view.getUint8(1), memory.view.getUint16(4, true)]).toEqual([
    1, 5, 1000,
  ]);

  setOffload(queue, 0);
  expect(sendTo(socket, FAR, 4242, new Uint8Array(10_000))).toBe(10_000);
  readable([queue]);
  for (let i = 0; i < 10; i++)
    expect(libc.read(queue, memory.base, 65536)).toBe(VNET_HEADER_SIZE + 28 + 1000);
  expect(libc.read(queue, memory.base, 65536)).toBe(-1);

  const refused = sysErrorOf(() => setOffload(queue, 0x40000000));
  expect(refused).toMatchObject({ code: 'EINVAL', call: 'TUNSETOFFLOAD' });
  for (const fd of [queue, socket]) libc.close(fd);
});

test('a persistent TUN outlives its descriptors, with addresses and routes, and is taken over', () => {
  const namespace = makeNamespace();
  const before = openIn(namespace, { name: 'tun0', device: 'new' });
  configure(namespace, 'tun0');
  setPersistent(before, true);
  const rtnetlink = openRtnetlink(namespace);
  const { index } = rtnetlink.get(links.byName('tun0'));
  rtnetlink.run(routes.add({ destination: { address: bytes('0.0.0.0'), length: 0 }, gateway: FAR, index }));
  libc.close(before);
  expect(rtnetlink.get(links.byName('tun0'))).toMatchObject({ index, up: true, carrier: false });

  const queues = [0, 1].map(() => openIn(namespace, { name: 'tun0', device: 'existing' }));
  const [link] = ipJson(namespace, 'address', 'show', 'tun0');
  expect(link.linkinfo.info_data).toMatchObject({ persist: true, numqueues: 2 });
  expect(link.addr_info).toMatchObject([{ local: '10.77.0.1' }]);
  expect(rtnetlink.get(routes.getRoute(bytes('192.0.2.1')))).toMatchObject({ index, gateway: FAR });
  const socket = inNamespace(namespace, () => udpSocket({ family: 4, address: OWN }));
  sendTo(socket, bytes('192.0.2.1'), 9, Uint8Array.of(1));
  expect(readable(queues)).toHaveLength(1);

  setPersistent(queues[0], false);
  for (const fd of [...queues, socket]) libc.close(fd);
  expect(rtnetlink.find(links.byName('tun0'))).toBeUndefined();
  rtnetlink.close();
});

test('from the wrong namespace, an existing device is not found rather than made anew', () => {
  const namespace = makeNamespace();
  const fd = openIn(namespace, { name: 'tun0' });
  const elsewhere = makeNamespace();
  const error = sysErrorOf(() => openIn(elsewhere, { name: 'tun0', device: 'existing' }));
  expect(error.code).toBe('ENODEV');
  expect(error.message).toMatch(
    /^opening a queue of the TUN device 'tun0': .*does not exist in this network namespace/,
  );
  expect(ipJson(elsewhere, 'link', 'show').map((link) => link.ifname)).toEqual(['lo']);
  expect(sysErrorOf(() => openIn(namespace, { name: 'tun0', device: 'new' })).code).toBe('EBUSY');
  libc.close(fd);
});

test('a TUN made here and moved into a pod keeps its descriptor; when the namespace dies it reads EBADFD', () => {
  const name = interfaceName();
  const node = makeNamespace();
  const fd = openIn(node, { name });
  const pod = inNamespace(node, () => {
    // A namespace that only this descriptor holds, so that closing it is its end.
    expect(libc.unshare(0x40000000)).toBe(0);
    return openNamespace('/proc/thread-self/ns/net');
  });
  const rtnetlink = openRtnetlink(node);
  rtnetlink.run(links.change(rtnetlink.get(links.byName(name)).index, { namespace: pod, name: 'eth0' }));
  const inside = openRtnetlink(pod);
  inside.run(links.change('eth0', { up: true }));
  expect(inside.get(links.byName('eth0')).kind).toBe('tun');
  inside.close();
  rtnetlink.close();
  libc.close(pod);
  const memory = makeMemory(65536);
  // What the pod's IPv6 said at its start may come first.
  do expect(readable([fd])).toEqual([fd]);
  while (libc.read(fd, memory.base, 65536) > 0 || errno() === Errno.EAGAIN);
  expect(errno()).toBe(Errno.EBADFD);
  libc.close(fd);
});

test('a TUN that another holds, other flags and bad names are refused with what helps', () => {
  const namespace = makeNamespace();
  const single = openIn(namespace, { name: 'tun0', multiQueue: false });
  const busy = sysErrorOf(() => openIn(namespace, { name: 'tun0', multiQueue: false }));
  expect(busy).toMatchObject({ code: 'EBUSY', call: 'TUNSETIFF' });
  expect(busy.message).toMatch(/another descriptor holds the device/);
  const flags = sysErrorOf(() => openIn(namespace, { name: 'tun0' }));
  expect(flags.code).toBe('EINVAL');
  expect(flags.message).toMatch(/made with other flags/);
  expect(sysErrorOf(() => openIn(namespace, { name: 'lo' })).message).toMatch(/is no TUN/);
  for (const name of ['', 'sixteen-bytes-xx', 'a/b', 'a b', '..', 'ä'.repeat(8)]) {
    const bad = sysErrorOf(() => openIn(namespace, { name }));
    expect(bad.message).toMatch(/an interface name has 1 to 15 bytes/);
  }
  expect(ipJson(namespace, 'link', 'show').map((link) => link.ifname)).toEqual(['lo', 'tun0']);
  libc.close(single);
});

test('a TAP carries Ethernet; names may be numbered by the kernel', () => {
  const namespace = makeNamespace();
  const { fd, name } = inNamespace(namespace, () => openTunQueue({ name: 'tap%d', layer: 'tap' }));
  expect(name).toBe('tap0');
  expect(ipJson(namespace, 'link', 'show', 'tap0')[0].linkinfo.info_data.type).toBe('tap');
  libc.close(fd);
});

test('the driver has what the engine needs', () => {
  expect(tunFeatures()).toEqual({ multiQueue: true, vnetHeader: true });
});
