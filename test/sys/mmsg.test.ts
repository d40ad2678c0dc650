import { expect, test } from 'vitest';
import { libc } from '../../sys/libc.ts';
import {
  controlLength,
  controlSpace,
  findControl,
  getU64,
  IOVEC_SIZE,
  MMSGHDR_SIZE,
  messageFlags,
  messageLength,
  nameLength,
  setControlHeader,
  setIovec,
  setMsghdr,
  setNameLength,
  setU64,
} from '../../sys/mmsg.ts';
import { inNamespace } from '../../sys/netns.ts';
import { decodeSockaddr, encodeSockaddr } from '../../sys/sockaddr.ts';
import { localAddress, udpSocket } from '../../sys/socket.ts';
import { IpOption, Ipv6Option, SocketLevel, UdpOption } from '../../sys/socket-options.ts';
import { bytes, makeMemory, makeNamespace } from './support.ts';

const COUNT = 64;
const SLOT = 65536;
const NAMES = COUNT * MMSGHDR_SIZE;
const NAME_SIZE = 32;
const IOVECS = NAMES + COUNT * NAME_SIZE;
const CONTROLS = IOVECS + COUNT * IOVEC_SIZE;
const CONTROL_SIZE = 96;
const DATA = 65536;

/** 64 messages with a name, an iovec, room for control messages and for data, each. */
class Messages {
  readonly memory = makeMemory(DATA + COUNT * SLOT);

  prepare(i: number, dataLength: number, controlBytes: number, nameBytes = NAME_SIZE): void {
    const { view, base } = this.memory;
    setIovec(view, IOVECS + i * IOVEC_SIZE, base + this.data(i), dataLength);
    const name = nameBytes === 0 ? 0 : base + this.name(i);
    const control = controlBytes === 0 ? 0 : base + this.control(i);
    setMsghdr(
      view,
      i * MMSGHDR_SIZE,
      name,
      nameBytes,
      base + IOVECS + i * IOVEC_SIZE,
      1,
      control,
      controlBytes,
    );
  }

  prepareAllToReceive(): void {
    for (let i = 0; i < COUNT; i++) this.prepare(i, SLOT, CONTROL_SIZE);
  }

  name(i: number): number {
    return NAMES + i * NAME_SIZE;
  }

  control(i: number): number {
    return CONTROLS + i * CONTROL_SIZE;
  }

  data(i: number): number {
    return DATA + i * SLOT;
  }

  length(i: number): number {
    return messageLength(this.memory.view, i * MMSGHDR_SIZE);
  }

  /** Offset of a received control message's data, -1 for none. */
  find(i: number, level: number, type: number): number {
    const { view } = this.memory;
    return findControl(view, this.control(i), controlLength(view, i * MMSGHDR_SIZE), level, type);
  }
}

for (const { family, loopback } of [
  { family: 4, loopback: bytes('127.0.0.1') },
  { family: 6, loopback: bytes('::1') },
] as const) {
  test(`64 datagrams go and come in one call each, with TOS and TTL, over IPv${family}`, () => {
    inNamespace(makeNamespace(), () => {
      const sender = udpSocket({ family, address: loopback, ttl: 77 });
      const receiver = udpSocket({
        family,
        address: loopback,
        receiveTos: true,
        receiveTtl: true,
        receiveBuffer: 1 << 20,
      });
      const { port } = localAddress(receiver);
      const [level, tos, tosReceived, ttl] =
        family === 4
          ? [SocketLevel.ip, IpOption.tos, IpOption.tos, IpOption.ttl]
          : [SocketLevel.ipv6, Ipv6Option.tclass, Ipv6Option.tclass, Ipv6Option.hopLimit];

      const out = new Messages();
      for (let i = 0; i < COUNT; i++) {
        const used = encodeSockaddr(out.memory.bytes, out.name(i), loopback, port);
        out.prepare(i, 100 + i, controlSpace(4), used);
        const at = setControlHeader(out.memory.view, out.control(i), level, tos, 4);
        out.memory.view.setInt32(at, 0x28, true);
        out.memory.bytes.fill(i, out.data(i), out.data(i) + 100 + i);
      }
      expect(libc.sendmmsg(sender, out.memory.base, COUNT, 0)).toBe(COUNT);
      expect(out.length(63)).toBe(163);

      const received = new Messages();
      received.prepareAllToReceive();
      expect(libc.recvmmsg(receiver, received.memory.base, COUNT, 0, 0)).toBe(COUNT);
      for (let i = 0; i < COUNT; i++) {
        expect(received.length(i)).toBe(100 + i);
        expect(received.memory.bytes[received.data(i) + 99 + i]).toBe(i);
        expect(messageFlags(received.memory.view, i * MMSGHDR_SIZE)).toBe(0);
        expect(received.memory.view.getUint8(received.find(i, level, tosReceived))).toBe(0x28);
        expect(received.memory.view.getInt32(received.find(i, level, ttl), true)).toBe(77);
        expect(received.find(i, SocketLevel.udp, UdpOption.gro)).toBe(-1);
      }
      expect(nameLength(received.memory.view, 0)).toBe(family === 4 ? 16 : 28);
      expect(decodeSockaddr(received.memory.bytes, received.name(0))).toEqual(localAddress(sender));
      setNameLength(received.memory.view, 0, NAME_SIZE);
      expect(nameLength(received.memory.view, 0)).toBe(NAME_SIZE);
      for (const fd of [sender, receiver]) libc.close(fd);
    });
  });

  test(`64 datagrams go in one UDP_SEGMENT send and arrive joined by UDP_GRO, over IPv${family}`, () => {
    inNamespace(makeNamespace(), () => {
      const segment = 1000;
      const sender = udpSocket({ family, address: loopback, sendBuffer: 4 << 20 });
      const joined = udpSocket({ family, address: loopback, gro: true, receiveBuffer: 4 << 20 });
      const single = udpSocket({ family, address: loopback, receiveBuffer: 4 << 20 });
      const out = new Messages();
      const payload = COUNT * segment - 1;
      for (let i = 0; i < payload; i++) out.memory.bytes[out.data(0) + i] = i * 7;
      for (const receiver of [joined, single]) {
        const used = encodeSockaddr(out.memory.bytes, out.name(0), loopback, localAddress(receiver).port);
        out.prepare(0, payload, controlSpace(2), used);
        const at = setControlHeader(out.memory.view, out.control(0), SocketLevel.udp, UdpOption.segment, 2);
        out.memory.view.setUint16(at, segment, true);
        expect(libc.sendmmsg(sender, out.memory.base, 1, 0)).toBe(1);
        expect(out.length(0)).toBe(payload);
      }

      const received = new Messages();
      received.prepareAllToReceive();
      expect(libc.recvmmsg(joined, received.memory.base, COUNT, 0, 0)).toBe(1);
      expect(received.length(0)).toBe(payload);
      expect(received.memory.view.getInt32(received.find(0, SocketLevel.udp, UdpOption.gro), true)).toBe(
        segment,
      );
      const sent = out.memory.bytes.subarray(out.data(0), out.data(0) + payload);
      expect(
        Buffer.compare(received.memory.bytes.subarray(received.data(0), received.data(0) + payload), sent),
      ).toBe(0);

      received.prepareAllToReceive();
      expect(libc.recvmmsg(single, received.memory.base, COUNT, 0, 0)).toBe(COUNT);
      expect([received.length(0), received.length(62), received.length(63)]).toEqual([1000, 1000, 999]);
      for (const fd of [sender, joined, single]) libc.close(fd);
    });
  });
}

test('addresses above 32 bits are written whole', () => {
  const view = new DataView(new ArrayBuffer(16));
  for (const value of [0, 0xffffffff, 0x1_0000_0000, 0x7fff_dead_beef, Number.MAX_SAFE_INTEGER]) {
    setU64(view, 3, value);
    expect(view.getBigUint64(3, true)).toBe(BigInt(value));
    expect(getU64(view, 3)).toBe(value);
  }
});

test('looking for a control message stays within what was received', () => {
  const view = new DataView(new ArrayBuffer(64));
  expect(findControl(view, 0, 64, 1, 1)).toBe(-1);
  setControlHeader(view, 0, SocketLevel.ip, IpOption.ttl, 4);
  setControlHeader(view, controlSpace(4), SocketLevel.udp, UdpOption.gro, 4);
  expect(findControl(view, 0, 48, SocketLevel.udp, UdpOption.gro)).toBe(40);
  expect(findControl(view, 0, 24, SocketLevel.udp, UdpOption.gro)).toBe(-1);
});
