// Ports with a rate limit, on memory devices: what waits, what leaves when, and what becomes of it meanwhile.

import { beforeEach, describe, expect, it } from 'vitest';
import { parseAddress } from '../../wire/address.ts';
import { Fd, HOST_PORT, MemoryNode, toPort, vxlanTo } from '../support/memory-node.ts';
import { bytes, inVxlan, onTun, tcp, udp } from '../support/plain-packets.ts';

const POD = 2;
const OTHER_POD = 3;
const OUR_MAC = '02:57:c0:a8:4d:01';
const peer = parseAddress('192.168.77.2');
const out = { source: '10.244.1.2', destination: '10.244.2.2' };
const back = { source: '10.244.2.2', destination: '10.244.1.2' };
const across = { source: '10.244.1.3', destination: '10.244.1.2' };
/** Packets of 1,000 bytes, one a millisecond, two at once. */
const LIMIT = { rate: 8e6, burst: 16_000 };
const PAYLOAD = 1000 - 28;

let node: MemoryNode;
const send = (port: number, ...packets: Uint8Array[]): void => {
  for (const packet of packets) node.io.queueRead(port, onTun(packet));
  node.forwarder.fromPort(port);
};
const arrive = (...packets: Uint8Array[]): void => {
  for (const packet of packets) {
    node.io.queueReceive(Fd.receive4, { from: peer, bytes: inVxlan(packet, 4096, OUR_MAC) });
  }
  node.forwarder.fromUnderlay(node.receivers.vxlan4);
};
const later = (milliseconds: number): void => {
  node.now += milliseconds;
  node.forwarder.release();
};
const datagram = (way: { source: string; destination: string }, n: number, more = {}): Uint8Array =>
  udp({ ...way, ...more }, 1000, 2000, bytes(PAYLOAD, n));
const datagrams = (way: { source: string; destination: string }, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, n) => datagram(way, n));
/** First byte of the payload of what left for the underlay, which numbers the packets. */
const sent = (): number[] => node.io.sent.map(({ bytes: datagram }) => datagram[22 + 28] ?? -1);

beforeEach(() => {
  node = new MemoryNode({ address: '192.168.77.1', router4: '10.244.1.1', join: false });
  node.pod(POD, '10.244.1.2');
  node.pod(OTHER_POD, '10.244.1.3');
  node.route('10.244.2.0/24', vxlanTo('192.168.77.2'));
  node.route('10.244.1.1/32', toPort(HOST_PORT));
});

describe('egress', () => {
  beforeEach(() => node.limit(POD, 'egress', LIMIT));

  it('passes the burst at once and the rest at the rate, in order, whole and with one hop less', () => {
    const all = datagrams(out, 6);
    send(POD, ...all);
    const first = node.io.sent.length;
    expect(first).toBe(2);
    expect(node.forwarder.wait()).toBeCloseTo(1, 5);
    later(0.9);
    expect(node.io.sent).toHaveLength(2);
    later(0.2);
    expect(node.io.sent).toHaveLength(3);
    // Late: what should have gone meanwhile goes now.
    later(10);
    expect(node.io.sent.map(({ bytes: got }) => Buffer.from(got).subarray(22))).toEqual(
      all.map((_, n) => Buffer.from(datagram(out, n, { ttl: 63 }))),
    );
    expect(node.verdicts()).toEqual({ encapsulated: 6 });
    expect(node.forwarder.wait()).toBe(Number.POSITIVE_INFINITY);
  });

  it('lets nothing overtake what should have left already', () => {
    send(POD, ...datagrams(out, 3));
    node.now += 100; // The third could have gone; nobody looked.
    send(POD, datagram(out, 3));
    later(0);
    expect(sent()).toEqual([0, 1, 2, 3].map((n) => bytes(PAYLOAD, n)[0]));
  });

  it('refuses by name what more than the queue takes, and counts it with the port', () => {
    for (let n = 0; n < 20; n++) send(POD, ...datagrams(out, 20));
    // 2 at once, and as many as leave in 200 ms.
    expect(node.verdicts()).toEqual({ encapsulated: 2, 'rate-limit': 400 - 2 - 200 });
    expect(node.counters().port(POD)).toMatchObject({ tx: { packets: 400 }, drops: 198 });
    later(1000);
    expect(node.verdicts()).toEqual({ encapsulated: 202, 'rate-limit': 198 });
  });

  it('does not hold up other ports', () => {
    send(POD, ...datagrams(out, 10));
    node.io.sent.length = 0;
    send(OTHER_POD, ...datagrams({ ...out, source: '10.244.1.3' }, 10));
    expect(node.io.sent).toHaveLength(10);
    arrive(...datagrams(back, 10));
    expect(node.io.written.filter(({ fd }) => fd === POD)).toHaveLength(10);
  });

  it('counts a super-packet as the packets that it becomes', () => {
    const payload = bytes(8 * 1000);
    node.io.queueRead(
      POD,
      onTun(tcp(out, { sourcePort: 1, destinationPort: 2, payload }, true), {
        gso: 1,
        size: 1000,
        start: 20,
        field: 16,
      }),
    );
    node.forwarder.fromPort(POD);
    expect(node.io.sent).toHaveLength(8); // Larger than the bucket: when that is full.
    send(POD, datagram(out, 1));
    // 8 headers of 40 bytes.
    expect(node.forwarder.wait()).toBeCloseTo((8 * 1040 + 1000 - 2000) / 1000, 3);
  });

  it('answers a packet whose hops run out, waiting or not', () => {
    const last = udp({ ...out, ttl: 1 }, 1, 2, bytes(PAYLOAD));
    send(POD, last);
    send(POD, datagram(out, 1), datagram(out, 2));
    send(POD, last);
    later(100);
    // Written to the pod: two ICMP errors, the second about a packet that waited.
    expect(node.io.written.filter(({ fd }) => fd === POD)).toHaveLength(2);
    expect(node.verdicts()).toMatchObject({ 'ttl-exceeded': 2, delivered: 2 });
  });
});

describe('ingress', () => {
  beforeEach(() => node.limit(POD, 'ingress', LIMIT));

  it('holds for what comes from the underlay and from the node together', () => {
    arrive(...datagrams(back, 2));
    send(OTHER_POD, ...datagrams(across, 2));
    const delivered = () => node.io.written.filter(({ fd }) => fd === POD).length;
    expect(delivered()).toBe(2);
    later(1.1);
    expect(delivered()).toBe(3);
    later(1);
    expect(delivered()).toBe(4);
    expect(node.verdicts()).toEqual({ delivered: 4 });
  });

  it('counts what it refuses with the port that it is for', () => {
    arrive(...datagrams(back, 16));
    for (let n = 0; n < 20; n++) arrive(...datagrams(back, 16));
    expect(node.counters().port(POD).drops).toBe(21 * 16 - 2 - 200);
    expect(node.counters().port(OTHER_POD).drops).toBe(0);
  });

  it('routes anew what has waited: the pod may be gone, or another', () => {
    arrive(...datagrams(back, 4));
    node.removeRoute('10.244.1.2/32');
    later(1.5);
    expect(node.verdicts()).toMatchObject({ delivered: 2, 'no-route': 1 });
    node.route('10.244.1.2/32', toPort(OTHER_POD));
    later(1.5);
    expect(node.io.written.map(({ fd }) => fd)).toContain(OTHER_POD);
  });
});

it('a packet passes the buckets of both ends', () => {
  node.limit(OTHER_POD, 'egress', { rate: 80e6, burst: 80_000 });
  node.limit(POD, 'ingress', LIMIT);
  send(OTHER_POD, ...datagrams(across, 4));
  expect(node.io.written).toHaveLength(2);
  later(1.1);
  expect(node.io.written).toHaveLength(3);
  later(1.1);
  expect(node.io.written).toHaveLength(4);
});

it('a limit that is taken away holds nothing up any more', () => {
  node.limit(POD, 'egress', LIMIT);
  send(POD, ...datagrams(out, 4));
  node.limit(POD, 'egress', undefined);
  send(POD, ...datagrams(out, 4));
  expect(node.io.sent).toHaveLength(6);
  later(10);
  expect(node.io.sent).toHaveLength(8);
});

it('weft why names the limits, the waiting, and takes no tokens', () => {
  node.limit(POD, 'egress', LIMIT);
  const why = () =>
    node.explain({ source: parseAddress(out.source), destination: parseAddress(out.destination) });
  const steps = why();
  expect(steps.map(({ step }) => step)).toEqual([
    'enter',
    'parse',
    'admit',
    'route',
    'limit',
    'rewrite',
    'verdict',
  ]);
  expect(steps[4].detail).toMatch(/^egress of port 2 limited to 8 Mbit\/s, burst 2000 bytes: /);
  expect(steps[6].verdict).toBe('encapsulated');
  for (let n = 0; n < 10; n++) why();
  send(POD, ...datagrams(out, 2));
  expect(node.io.sent).toHaveLength(2);
});

it('many packets of all sizes come out as they went in', () => {
  node.limit(POD, 'egress', { rate: 1e9, burst: 1 });
  const sizes = Array.from({ length: 3000 }, (_, n) => (n * 7919) % 1400);
  for (let n = 0; n < sizes.length; n += 100) {
    send(POD, ...sizes.slice(n, n + 100).map((size, k) => udp(out, 1000, 2000, bytes(size, n + k))));
    later(0.3);
  }
  later(1000);
  expect(node.io.sent).toHaveLength(sizes.length);
  for (const [n, { bytes: got }] of node.io.sent.entries()) {
    expect(Buffer.compare(got.subarray(22), udp({ ...out, ttl: 63 }, 1000, 2000, bytes(sizes[n], n)))).toBe(
      0,
    );
  }
});
