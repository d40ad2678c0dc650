// What a pod's kernel left to segment, cut on one node and joined on the other, is the same bytes: random TCP and UDP flows,
// IPv4 and IPv6, through two nodes, with and without joining on arrival.

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAddress } from '../../wire/address.ts';
import { Fd, MemoryNode, vxlanTo } from '../support/memory-node.ts';
import { bytes, onTun, tcp, transportIsSound, udp } from '../support/plain-packets.ts';

const POD = 2;
const v4 = { source: '10.244.1.2', destination: '10.244.2.2' };
const v6 = { source: 'fd00:244:1::2', destination: 'fd00:244:2::2' };

const pair = (options: {
  segment: boolean;
  join: boolean;
  uplink?: boolean;
}): { a: MemoryNode; b: MemoryNode } => {
  const a = new MemoryNode({ address: '192.168.77.1', ...options });
  const b = new MemoryNode({ address: '192.168.77.2', ...options });
  a.pod(POD, v4.source, v6.source);
  b.pod(POD, v4.destination, v6.destination);
  a.route('10.244.2.0/24', vxlanTo('192.168.77.2'));
  a.route('fd00:244:2::/64', vxlanTo('192.168.77.2'));
  b.route('10.244.1.0/24', vxlanTo('192.168.77.1'));
  b.route('fd00:244:1::/64', vxlanTo('192.168.77.1'));
  return { a, b };
};

/** Everything that A sent, to B; datagrams of one message as the kernel joins them when `gro`. */
const carry = (a: MemoryNode, b: MemoryNode, gro: boolean): void => {
  const groups = new Map<number, Uint8Array[]>();
  a.io.sent.forEach((datagram, n) => {
    const key = gro ? datagram.message : n;
    groups.set(key, [...(groups.get(key) ?? []), datagram.bytes]);
  });
  for (const group of groups.values()) {
    const size = group.length > 1 ? { gro: group[0].length } : {};
    b.io.queueReceive(Fd.receive4, {
      from: parseAddress('192.168.77.1'),
      bytes: Buffer.concat(group),
      ...size,
    });
  }
  for (let n = 0; n < groups.size; n++) b.forwarder.fromUnderlay(b.receivers.vxlan4);
  a.io.sent.length = 0;
  for (const { fd, bytes: frame } of a.io.written.splice(0)) {
    expect(fd).toBe(Fd.uplink);
    // Of UDP the other end's kernel tells the segments' size.
    const size = (frame[1] & 0x1f) === 5 ? { gro: frame[4] | (frame[5] << 8) } : {};
    const datagram = frame.slice(BEFORE_VXLAN);
    b.io.queueReceive(Fd.receive4, { from: parseAddress('192.168.77.1'), bytes: datagram, ...size });
    b.forwarder.fromUnderlay(b.receivers.vxlan4);
    whole++;
  }
};

/** Of what is written to the uplink: the virtio header, Ethernet, IPv4 and UDP. */
const BEFORE_VXLAN = 24 + 14 + 20 + 8;
let whole = 0;

/** Payload of what a pod received, each piece with its segment size, checksums checked as its kernel would. */
const received = (
  node: MemoryNode,
): { payload: Buffer; flags: number; sequence: number; segment: number }[] =>
  node.io.written.map(({ bytes: frame }) => {
    const header = Buffer.from(frame.subarray(0, 10));
    const packet = Buffer.from(frame.subarray(10));
    const at = packet[0] >> 4 === 4 ? 20 : 40;
    const isTcp = (at === 20 ? packet[9] : packet[6]) === 6;
    const data = at + (isTcp ? (packet[at + 12] >> 4) * 4 : 8);
    if ((header[0] & 1) === 0) expect(transportIsSound(packet)).toBe(true);
    expect(at === 20 ? packet.readUInt16BE(2) : 40 + packet.readUInt16BE(4)).toBe(packet.length);
    return {
      payload: packet.subarray(data),
      flags: isTcp ? packet[at + 13] : 0,
      sequence: isTcp ? packet.readUInt32BE(at + 4) : 0,
      segment: header.readUInt16LE(4),
    };
  });

const modes = [
  { segment: true, join: true, gro: true },
  { segment: true, join: false, gro: true },
  { segment: false, join: true, gro: false },
  { segment: false, join: false, gro: false },
  { segment: true, join: true, gro: true, uplink: true },
];

describe.each(modes)('segment $segment, join $join, gro $gro, uplink $uplink', (mode) => {
  const { a, b } = pair(mode);
  beforeEach(() => {
    whole = 0;
  });
  afterEach(() => {
    if (mode.uplink) expect(whole).toBeGreaterThan(10);
    else expect(whole).toBe(0);
  });

  it('TCP', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.integer({ min: 1, max: 64000 }),
        fc.integer({ min: 64, max: 1378 }),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.constantFrom(0, 12),
        fc.constantFrom(0x10, 0x18, 0x11, 0x90),
        (six, length, size, sequence, optionBytes, flags) => {
          b.io.written.length = 0;
          const payload = bytes(length, size);
          const options = bytes(optionBytes);
          const at = six ? 40 : 20;
          const packet = tcp(
            six ? v6 : v4,
            { sourcePort: 1000, destinationPort: 80, sequence, flags, options, payload },
            true,
          );
          const gso = length > size ? { gso: six ? 4 : 1, size } : {};
          a.io.queueRead(POD, onTun(packet, { ...gso, start: at, field: 16 }));
          a.forwarder.fromPort(POD);
          carry(a, b, mode.gro);
          const pieces = received(b);
          expect(Buffer.concat(pieces.map((piece) => piece.payload)).equals(Buffer.from(payload))).toBe(true);
          let next = sequence;
          for (const [n, piece] of pieces.entries()) {
            expect(piece.sequence).toBe(next);
            next = (next + piece.payload.length) >>> 0;
            const last = n === pieces.length - 1;
            expect(piece.flags & 0x09).toBe(last ? flags & 0x09 : 0);
            expect(piece.flags & 0x80).toBe(n === 0 ? flags & 0x80 : 0);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('UDP, every datagram whole and in order', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.integer({ min: 1, max: 1400 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 1400 }),
        (six, size, count, lastSize) => {
          b.io.written.length = 0;
          const count_ = Math.max(1, Math.min(count, Math.floor(60000 / size)));
          const sizes = [...new Array<number>(count_ - 1).fill(size), Math.min(size, lastSize)];
          const payload = bytes(
            sizes.reduce((sum, s) => sum + s, 0),
            size,
          );
          const packet = udp(six ? v6 : v4, 1000, 53, payload, true);
          const gso = count_ > 1 ? { gso: 5, size } : {};
          a.io.queueRead(POD, onTun(packet, { ...gso, start: six ? 40 : 20, field: 6 }));
          a.forwarder.fromPort(POD);
          carry(a, b, mode.gro);
          const datagrams = received(b).flatMap(({ payload: whole, segment }) => {
            if (segment === 0) return [whole];
            return Array.from({ length: Math.ceil(whole.length / segment) }, (_, n) =>
              whole.subarray(n * segment, (n + 1) * segment),
            );
          });
          expect(datagrams.map(({ length }) => length)).toEqual(sizes);
          expect(Buffer.concat(datagrams).equals(Buffer.from(payload))).toBe(true);
        },
      ),
      // The smallest there is: as long as the header of IPv6 alone.
      { numRuns: 60, examples: [[false, 1, 2, 1]] },
    );
  });
});

describe('several flows at once', () => {
  it('are each joined for themselves and none is reordered', () => {
    const { a, b } = pair({ segment: true, join: true });
    for (let n = 0; n < 256; n++)
      a.io.queueRead(POD, onTun(udp(v4, 1000 + (n % 8), 53, Uint8Array.of(n, n))));
    a.forwarder.fromPort(POD);
    carry(a, b, true);
    const byFlow = new Map<number, number[]>();
    for (const { bytes: frame } of b.io.written) {
      const port = Buffer.from(frame).readUInt16BE(10 + 20);
      const list = byFlow.get(port) ?? [];
      for (let at = 10 + 28; at < frame.length; at += 2) list.push(frame[at]);
      byFlow.set(port, list);
    }
    expect(byFlow.size).toBe(8);
    for (const [port, list] of byFlow) {
      expect(list).toEqual(Array.from({ length: 32 }, (_, k) => (port - 1000 + 8 * k) & 0xff));
    }
    // Two flows whose hashes share a slot of the writer are not joined (2 × 32 writes); the others are.
    expect(b.io.written.length).toBeLessThan(2 * 32 + 64);
  });
});
