// The way of a packet through one node, on memory devices: what arrives where, and what was changed on the way.

import { beforeEach, describe, expect, it } from 'vitest';
import { formatAddress, parseAddress } from '../../wire/address.ts';
import { Fd, HOST_PORT, ipipTo, MemoryNode, toPort, vxlanTo } from '../support/memory-node.ts';
import {
  bytes,
  checksum,
  icmpEcho,
  inVxlan,
  ip,
  onTun,
  tcp,
  transportIsSound,
  udp,
} from '../support/plain-packets.ts';

const POD = 2;
const OTHER_POD = 3;
const flow = { source: '10.244.1.2', destination: '10.244.2.2' };
const flow6 = { source: 'fd00:244:1::2', destination: 'fd00:244:2::2' };
const back = { source: '10.244.2.2', destination: '10.244.1.2' };
const back6 = { source: 'fd00:244:2::2', destination: 'fd00:244:1::2' };
const OUR_MAC = '02:57:c0:a8:4d:01';
const peer = parseAddress('192.168.77.2');

let node: MemoryNode;
const send = (port: number, packet: Uint8Array): void => {
  node.io.queueRead(port, packet);
  node.forwarder.fromPort(port);
};
const arrive = (datagram: Uint8Array, more: { gro?: number; tos?: number } = {}): void => {
  node.io.queueReceive(Fd.receive4, { from: peer, bytes: datagram, ...more });
  node.forwarder.fromUnderlay(node.receivers.vxlan4);
};
const only = <T>(list: readonly T[]): T => {
  expect(list).toHaveLength(1);
  return list[0];
};

beforeEach(() => {
  node = new MemoryNode({ address: '192.168.77.1', router4: '10.244.1.1', router6: 'fd00:244:1::1' });
  node.pod(POD, '10.244.1.2', 'fd00:244:1::2');
  node.pod(OTHER_POD, '10.244.1.3');
  node.route('10.244.2.0/24', vxlanTo('192.168.77.2'));
  node.route('fd00:244:2::/64', vxlanTo('192.168.77.2'));
  node.route('10.244.3.0/24', ipipTo('192.168.77.3'));
  node.route('fd00:244:3::/64', ipipTo('192.168.77.3'));
  node.route('0.0.0.0/0', toPort(HOST_PORT));
});

describe('from a pod', () => {
  it('goes into VXLAN with TTL one less and everything else as it was', () => {
    send(POD, onTun(udp(flow, 4000, 5000, bytes(64))));
    const sent = only(node.io.sent);
    expect(formatAddress(sent.to)).toBe('192.168.77.2');
    expect(sent.port).toBe(4789);
    const expected = inVxlan(
      udp({ ...flow, ttl: 63 }, 4000, 5000, bytes(64)),
      4096,
      '02:57:c0:a8:4d:02',
      OUR_MAC,
    );
    expect(Buffer.from(sent.bytes).toString('hex')).toBe(Buffer.from(expected).toString('hex'));
    expect(node.verdicts()).toEqual({ encapsulated: 1 });
  });

  it('goes into VXLAN as IPv6 with the IPv6 ether type', () => {
    send(POD, onTun(udp(flow6, 4000, 5000, bytes(64))));
    const expected = inVxlan(
      udp({ ...flow6, ttl: 63 }, 4000, 5000, bytes(64)),
      4096,
      '02:57:c0:a8:4d:02',
      OUR_MAC,
    );
    expect(only(node.io.sent).bytes).toEqual(expected);
  });

  it('goes over an IPv6 underlay', () => {
    node.route('10.244.9.0/24', vxlanTo('fd00:77::9', { vni: 7, udpPort: 8472 }));
    send(POD, onTun(udp({ ...flow, destination: '10.244.9.9' }, 1, 2, bytes(10))));
    const sent = only(node.io.sent);
    expect([formatAddress(sent.to), sent.port]).toEqual(['fd00:77::9', 8472]);
    expect(Buffer.from(sent.bytes.subarray(4, 8)).readUInt32BE() >> 8).toBe(7);
  });

  it('goes into IPIP bare, IPv6 by its own socket', () => {
    send(POD, onTun(udp({ ...flow, destination: '10.244.3.3' }, 1, 2, bytes(10))));
    send(POD, onTun(udp({ ...flow6, destination: 'fd00:244:3::3' }, 1, 2, bytes(10))));
    expect(node.io.sent.map(({ fd, bytes: b }) => [fd, b[0] >> 4])).toEqual([
      [Fd.ipip4, 4],
      [Fd.ipip6, 6],
    ]);
    expect(node.io.sent[0].bytes).toEqual(
      udp({ ...flow, destination: '10.244.3.3', ttl: 63 }, 1, 2, bytes(10)),
    );
  });

  it('copies DSCP and ECN to the outer header', () => {
    send(POD, onTun(udp({ ...flow, tos: 0xb9 }, 1, 2, bytes(10))));
    expect(only(node.io.sent).tos).toBe(0xb9);
  });

  it('gets its checksum completed', () => {
    send(POD, onTun(udp(flow, 4000, 5000, bytes(333), true), { start: 20, field: 6 }));
    expect(transportIsSound(only(node.io.sent).bytes.subarray(22))).toBe(true);
  });

  it('gets a checksum in an unusual place completed there', () => {
    const sctp = ip({ ...flow, protocol: 200, payload: bytes(40) });
    send(POD, onTun(sctp, { start: 24, field: 4 }));
    const inner = only(node.io.sent).bytes.subarray(22);
    const from24 = sctp.slice(24);
    const old = Buffer.from(from24).readUInt16BE(4);
    expect(Buffer.from(inner.subarray(24)).readUInt16BE(4)).toBe(checksum(from24));
    expect(old).not.toBe(checksum(from24));
  });

  it('reaches another pod of the node in one piece, offload and all', () => {
    const segment = tcp(
      { ...flow, destination: '10.244.1.3' },
      { sourcePort: 1, destinationPort: 2, payload: bytes(9000) },
      true,
    );
    send(POD, onTun(segment, { gso: 1, size: 1400, start: 20, field: 16 }));
    const written = only(node.io.written);
    expect(written.fd).toBe(OTHER_POD);
    expect([...written.bytes.subarray(0, 2)]).toEqual([1, 1]);
    expect(Buffer.from(written.bytes).readUInt16LE(4)).toBe(1400);
    expect(node.verdicts()).toEqual({ delivered: 7 });
  });

  it('reaches the node itself without a hop', () => {
    send(POD, onTun(udp({ ...flow, destination: '9.9.9.9' }, 1, 2, bytes(10))));
    const written = only(node.io.written);
    expect(written.fd).toBe(HOST_PORT);
    expect(written.bytes[10 + 8]).toBe(64);
  });

  it('shares a UDP_SEGMENT send with its followers of the same size, the last may be shorter', () => {
    for (let n = 0; n < 10; n++)
      node.io.queueRead(POD, onTun(udp(flow, 4000, 5000, bytes(n === 9 ? 50 : 64, n))));
    node.forwarder.fromPort(POD);
    expect(node.io.sent).toHaveLength(10);
    expect(node.io.messages).toBe(1);
    expect(node.io.sent.map(({ bytes: b }) => b[22 + 28])).toEqual(
      [...Array(10).keys()].map((n) => bytes(1, n)[0]),
    );
  });

  it('leaves by another source port when it is another flow', () => {
    for (let port = 1; port <= 200; port++) node.io.queueRead(POD, onTun(udp(flow, port, 5000, bytes(64))));
    node.forwarder.fromPort(POD);
    expect(new Set(node.io.sent.map(({ fd }) => fd)).size).toBe(8);
  });
});

describe('from the underlay', () => {
  it('reaches the pod with TTL one less', () => {
    arrive(inVxlan(udp(back, 5000, 4000, bytes(64)), 4096, OUR_MAC));
    const written = only(node.io.written);
    expect(written.fd).toBe(POD);
    expect(written.bytes.subarray(10)).toEqual(udp({ ...back, ttl: 63 }, 5000, 4000, bytes(64)));
    expect(node.verdicts()).toEqual({ delivered: 1 });
  });

  it('reaches the pod as IPv6', () => {
    arrive(inVxlan(icmpEcho(back6), 4096, OUR_MAC));
    expect(only(node.io.written).bytes.subarray(10)).toEqual(icmpEcho({ ...back6, ttl: 63 }));
  });

  it('is cut where the kernel joined it, and joined again for the pod', () => {
    const datagrams = Array.from({ length: 20 }, (_, n) =>
      inVxlan(udp(back, 5000, 4000, bytes(64, n)), 4096, OUR_MAC),
    );
    arrive(Uint8Array.from(Buffer.concat(datagrams)), { gro: datagrams[0].length });
    const { bytes: written } = only(node.io.written);
    expect([...written.subarray(0, 2)]).toEqual([1, 5]);
    expect(Buffer.from(written).readUInt16LE(4)).toBe(64);
    expect(written.length).toBe(10 + 28 + 20 * 64);
    expect(node.verdicts()).toEqual({ delivered: 20 });
  });

  it('comes out of IPIP, known by its sender', () => {
    const from = parseAddress('192.168.77.3');
    const inner = udp({ source: '10.244.3.3', destination: '10.244.1.2' }, 1, 2, bytes(20));
    const outer = ip({ source: '192.168.77.3', destination: '192.168.77.1', protocol: 4, payload: inner });
    node.io.queueReceive(Fd.ipip4, { from, bytes: outer });
    node.forwarder.fromUnderlay(node.receivers.ipip);
    expect(only(node.io.written).bytes.subarray(10)).toEqual(
      udp({ source: '10.244.3.3', destination: '10.244.1.2', ttl: 63 }, 1, 2, bytes(20)),
    );
  });

  it('may use any encapsulation that is enabled, whatever the route back uses', () => {
    const inner = udp({ source: '10.244.3.3', destination: '10.244.1.2' }, 1, 2, bytes(20));
    node.io.queueReceive(Fd.receive4, {
      from: parseAddress('192.168.77.3'),
      bytes: inVxlan(inner, 4096, OUR_MAC),
    });
    node.forwarder.fromUnderlay(node.receivers.vxlan4);
    expect(node.io.written).toHaveLength(1);
  });

  it('is marked CE when the underlay was congested, and dropped when it cannot carry the mark', () => {
    arrive(inVxlan(udp({ ...back, tos: 2 }, 1, 2, bytes(10)), 4096, OUR_MAC), { tos: 3 });
    expect(only(node.io.written).bytes.subarray(10)).toEqual(
      udp({ ...back, tos: 3, ttl: 63 }, 1, 2, bytes(10)),
    );
    arrive(inVxlan(udp(back, 1, 2, bytes(10)), 4096, OUR_MAC), { tos: 3 });
    expect(node.verdicts()).toEqual({ delivered: 1, ecn: 1 });
  });

  it('with a checksum that no hardware completed is passed on as such', () => {
    arrive(inVxlan(udp(back, 5000, 4000, bytes(64), true), 4096, OUR_MAC));
    const header = Buffer.from(only(node.io.written).bytes.subarray(0, 10));
    expect([header[0], header[1], header.readUInt16LE(6), header.readUInt16LE(8)]).toEqual([1, 0, 20, 6]);
  });

  it('carried whole by a virtual link is given a segment size', () => {
    const whole = tcp(back, { sourcePort: 1, destinationPort: 2, payload: bytes(20000) }, true);
    arrive(inVxlan(whole, 4096, OUR_MAC));
    const header = Buffer.from(only(node.io.written).bytes.subarray(0, 10));
    expect([header[0], header[1], header.readUInt16LE(4)]).toEqual([1, 1, 1450 - 40]);
    expect(node.verdicts()).toEqual({ delivered: 15 });
  });

  it('carried whole is cut also when what its checksum field holds is by chance the right checksum', () => {
    const fields = { sourcePort: 1, destinationPort: 2 };
    const payload = Buffer.alloc(20000);
    const field = (open: boolean): number =>
      Buffer.from(tcp(back, { ...fields, payload }, open)).readUInt16BE(36);
    const open = field(true);
    payload.writeUInt16BE((field(false) - open + 0xffff) % 0xffff);
    expect(field(false)).toBe(open);
    arrive(inVxlan(tcp(back, { ...fields, payload }, true), 4096, OUR_MAC));
    expect(node.verdicts()).toEqual({ delivered: 15 });
  });

  it('carried whole with inner UDP segments is recognised by its inner length', () => {
    const whole = udp(back, 1, 2, bytes(20 * 100), true);
    arrive(inVxlan(whole, 4096, OUR_MAC), { gro: 100 });
    const header = Buffer.from(only(node.io.written).bytes.subarray(0, 10));
    expect([header[0], header[1], header.readUInt16LE(4)]).toEqual([1, 5, 100]);
    expect(node.verdicts()).toEqual({ delivered: 20 });
  });

  it('is never joined when its checksum is wrong, and left for the pod to judge', () => {
    const good = (n: number): Uint8Array => inVxlan(udp(back, 5000, 4000, bytes(64, n)), 4096, OUR_MAC);
    const bad = good(9);
    bad[bad.length - 1] ^= 0x40;
    const train = [good(0), good(1), bad, good(2), good(3)];
    arrive(Uint8Array.from(Buffer.concat(train)), { gro: train[0].length });
    expect(node.io.written.map(({ bytes: b }) => [b[0], b[1], b.length - 38])).toEqual([
      [1, 5, 128],
      [0, 0, 64],
      [1, 5, 128],
    ]);
  });
});
