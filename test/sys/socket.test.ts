import { describe, expect, test } from 'vitest';
import { attachFilter, attachReusePortProgram } from '../../sys/filter.ts';
import { Errno, errno, libc } from '../../sys/libc.ts';
import { inNamespace } from '../../sys/netns.ts';
import { addressText, decodeSockaddr, encodeSockaddr, SOCKADDR_SIZE } from '../../sys/sockaddr.ts';
import {
  getOption,
  localAddress,
  probeUdpOffload,
  rawSocket,
  setBuffer,
  udpSocket,
} from '../../sys/socket.ts';
import {
  IpOption,
  Ipv6Option,
  MtuDiscover,
  SocketLevel,
  SocketOption,
  UdpOption,
} from '../../sys/socket-options.ts';
import { bytes, makeNamespace, sysErrorOf } from './support.ts';

const LOOPBACK = bytes('127.0.0.1');

/** Opens sockets in a namespace of the test, so that no port of this machine matters. */
function inside<T>(run: () => T): T {
  return inNamespace(makeNamespace(), run);
}

function connectTo(fd: number, address: Uint8Array, port: number): void {
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  expect(libc.connect(fd, sockaddr, encodeSockaddr(sockaddr, 0, address, port))).toBe(0);
}

function receive(fd: number): string | undefined {
  const buffer = new Uint8Array(2048);
  const length = libc.recv(fd, buffer, buffer.length, 0);
  return length < 0 ? undefined : Buffer.from(buffer.subarray(0, length)).toString('latin1');
}

test('a UDP socket has every option that was asked for', () => {
  inside(() => {
    const four = udpSocket({
      family: 4,
      address: LOOPBACK,
      port: 4789,
      reusePort: true,
      reuseAddress: true,
      gro: true,
      receiveBuffer: 8 << 20,
      sendBuffer: 4 << 20,
      receiveTos: true,
      receiveTtl: true,
      mtuDiscover: MtuDiscover.probe,
      ttl: 33,
      device: 'lo',
    });
    expect(localAddress(four)).toEqual({ address: LOOPBACK, port: 4789, scope: 0 });
    expect(getOption(four, SocketLevel.socket, SocketOption.receiveBuffer)).toBe(16 << 20);
    expect(getOption(four, SocketLevel.socket, SocketOption.sendBuffer)).toBe(8 << 20);
    for (const [level, name, value] of [
      [SocketLevel.socket, SocketOption.reusePort, 1],
      [SocketLevel.socket, SocketOption.reuseAddress, 1],
      [SocketLevel.udp, UdpOption.gro, 1],
      [SocketLevel.ip, IpOption.receiveTos, 1],
      [SocketLevel.ip, IpOption.receiveTtl, 1],
      [SocketLevel.ip, IpOption.mtuDiscover, MtuDiscover.probe],
      [SocketLevel.ip, IpOption.ttl, 33],
    ] as const) {
      expect(getOption(four, level, name)).toBe(value);
    }
    // A second one of the group.
    const again = udpSocket({
      family: 4,
      address: LOOPBACK,
      port: 4789,
      reusePort: true,
      reuseAddress: true,
    });
    const six = udpSocket({
      family: 6,
      receiveTos: true,
      receiveTtl: true,
      mtuDiscover: MtuDiscover.do,
      ttl: 44,
      v6Only: true,
      port: 4789,
    });
    for (const [name, value] of [
      [Ipv6Option.v6Only, 1],
      [Ipv6Option.receiveTclass, 1],
      [Ipv6Option.receiveHopLimit, 1],
      [Ipv6Option.mtuDiscover, MtuDiscover.do],
      [Ipv6Option.unicastHops, 44],
    ] as const) {
      expect(getOption(six, SocketLevel.ipv6, name)).toBe(value);
    }
    expect(localAddress(six)).toEqual({ address: new Uint8Array(16), port: 4789, scope: 0 });
    for (const fd of [four, again, six]) libc.close(fd);
  });
});

test('descriptors are closed on exec and do not block', () => {
  inside(() => {
    const F_GETFD = 1;
    const F_GETFL = 3;
    const quick = udpSocket({ family: 4 });
    const slow = rawSocket({ family: 4, protocol: 4, nonBlocking: false });
    expect([quick, slow].map((fd) => libc.fcntl(fd, F_GETFD, 0))).toEqual([1, 1]);
    expect([quick, slow].map((fd) => libc.fcntl(fd, F_GETFL, 0) & 0o4000)).toEqual([0o4000, 0]);
    for (const fd of [quick, slow]) libc.close(fd);
  });
});

describe('binding fails with words that help', () => {
  test('port in use', () => {
    inside(() => {
      const first = udpSocket({ family: 4, address: LOOPBACK, port: 4789 });
      const error = sysErrorOf(() => udpSocket({ family: 4, address: LOOPBACK, port: 4789 }));
      expect(error).toMatchObject({ code: 'EADDRINUSE', call: 'bind', errno: 98 });
      expect(error.doing).toBe('opening a UDP socket on 127.0.0.1:4789');
      expect(error.message).toContain("ss -lunp 'sport = :4789'");
      libc.close(first);
      const six = udpSocket({ family: 6, port: 4789 });
      const again = sysErrorOf(() => udpSocket({ family: 6, address: bytes('::1'), port: 4789 }));
      expect(again.message).toContain('another socket has [::1]:4789');
      libc.close(six);
    });
  });

  test('an address of another node', () => {
    inside(() => {
      const four = sysErrorOf(() => udpSocket({ family: 4, address: bytes('192.0.2.1'), port: 4789 }));
      expect(four.code).toBe('EADDRNOTAVAIL');
      expect(four.message).toContain('192.0.2.1 is not an address of this node; see them: ip address');
      const raw = sysErrorOf(() => rawSocket({ family: 4, protocol: 4, address: bytes('192.0.2.1') }));
      expect(raw.doing).toBe('opening a raw IPv4 socket of protocol 4 on 192.0.2.1');
    });
  });

  test('an interface that does not exist', () => {
    inside(() => {
      const error = sysErrorOf(() => udpSocket({ family: 4, device: 'nosuch0' }));
      expect(error.message).toMatch(
        /interface nosuch0: .*ENODEV.*no such interface in this network namespace/,
      );
    });
  });
});

test('raw sockets of protocols 4 and 41 receive what they are sent, with the IPv4 header', () => {
  inside(() => {
    for (const protocol of [4, 41]) {
      const receiver = rawSocket({ family: 4, protocol, address: LOOPBACK, receiveBuffer: 1 << 20 });
      const sender = rawSocket({ family: 4, protocol, ttl: 7 });
      connectTo(sender, LOOPBACK, 0);
      libc.send(sender, Buffer.from('inner'), 5, 0);
      const packet = receive(receiver);
      expect(packet).toHaveLength(25);
      expect(packet?.charCodeAt(8)).toBe(7);
      expect(packet?.charCodeAt(9)).toBe(protocol);
      expect(packet?.slice(20)).toBe('inner');
      for (const fd of [receiver, sender]) libc.close(fd);
    }
    const six = rawSocket({ family: 6, protocol: 41, address: bytes('::1') });
    connectTo(six, bytes('::1'), 0);
    libc.send(six, Buffer.from('inner'), 5, 0);
    expect(receive(six)).toBe('inner');
    libc.close(six);
  });
});

test('a classic BPF filter decides what a socket receives', () => {
  inside(() => {
    const receiver = udpSocket({ family: 4, address: LOOPBACK, port: 5000 });
    // Accept when the first byte of the payload (after the UDP header of 8) is 'y'.
    attachFilter(receiver, [
      { code: 0x30, jt: 0, jf: 0, k: 8 },
      { code: 0x15, jt: 0, jf: 1, k: 'y'.charCodeAt(0) },
      { code: 0x06, jt: 0, jf: 0, k: 0xffffffff },
      { code: 0x06, jt: 0, jf: 0, k: 0 },
    ]);
    const sender = udpSocket({ family: 4 });
    connectTo(sender, LOOPBACK, 5000);
    for (const text of ['no', 'yes', 'never', 'yep']) libc.send(sender, Buffer.from(text), text.length, 0);
    expect([receive(receiver), receive(receiver), receive(receiver)]).toEqual(['yes', 'yep', undefined]);
    expect(errno()).toBe(Errno.EAGAIN);
    const error = sysErrorOf(() => attachFilter(receiver, [{ code: 0xffff, jt: 0, jf: 0, k: 0 }]));
    expect(error.message).toMatch(
      /attaching a packet filter to descriptor \d+: .*EINVAL.*rejects the program/,
    );
    expect(() => attachFilter(receiver, [])).toThrow(RangeError);
    for (const fd of [receiver, sender]) libc.close(fd);
  });
});

test('a program chooses the socket of a reuse-port group', () => {
  inside(() => {
    const group = [0, 1].map(() => udpSocket({ family: 4, address: LOOPBACK, port: 5000, reusePort: true }));
    // The first byte of the payload is the index. Here the program sees the payload alone.
    attachReusePortProgram(group[0], [
      { code: 0x30, jt: 0, jf: 0, k: 0 },
      { code: 0x16, jt: 0, jf: 0, k: 0 },
    ]);
    const sender = udpSocket({ family: 4 });
    connectTo(sender, LOOPBACK, 5000);
    for (const index of [1, 0, 1]) libc.send(sender, Uint8Array.of(index), 1, 0);
    expect([receive(group[0]), receive(group[0])]).toEqual(['\x00', undefined]);
    expect([receive(group[1]), receive(group[1]), receive(group[1])]).toEqual(['\x01', '\x01', undefined]);
    for (const fd of [...group, sender]) libc.close(fd);
  });
});

test('buffers go beyond the limit of the system for root', () => {
  inside(() => {
    const fd = udpSocket({ family: 4 });
    expect(setBuffer(fd, 'receive', 64 << 20)).toBe(128 << 20);
    expect(setBuffer(fd, 'send', 64 << 20)).toBe(128 << 20);
    libc.close(fd);
  });
});

test('this kernel has UDP segmentation and GRO', () => {
  expect(probeUdpOffload()).toEqual({ segment: true, gro: true });
});

test('socket addresses go both ways', () => {
  const buffer = new Uint8Array(64).fill(0xff);
  expect(encodeSockaddr(buffer, 8, bytes('10.0.0.1'), 4789)).toBe(16);
  expect(Buffer.from(buffer.subarray(8, 24)).toString('hex')).toBe('020012b50a0000010000000000000000');
  expect(decodeSockaddr(buffer, 8)).toEqual({ address: bytes('10.0.0.1'), port: 4789, scope: 0 });
  expect(encodeSockaddr(buffer, 8, bytes('fe80::1'), 179, 7)).toBe(28);
  expect(Buffer.from(buffer.subarray(8, 36)).toString('hex')).toBe(
    '0a0000b300000000fe80000000000000000000000000000107000000',
  );
  expect(decodeSockaddr(buffer, 8)).toEqual({ address: bytes('fe80::1'), port: 179, scope: 7 });
  expect(decodeSockaddr(new Uint8Array(28), 0)).toBeUndefined();
  expect(() => encodeSockaddr(buffer, 0, new Uint8Array(5), 1)).toThrow(/4 or 16 bytes, not 5/);
  expect(addressText(bytes('fd00:0:0:1::2'))).toBe('fd00:0:0:1::2');
  expect(addressText(new Uint8Array(16))).toBe('::');
});
