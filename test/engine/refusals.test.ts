// What the engine does not forward, each for its own reason, and what it tells the sender.

import { beforeEach, describe, expect, it } from 'vitest';
import { parseAddress } from '../../wire/address.ts';
import { Fd, HOST_PORT, ipipTo, MemoryNode, toPort, unreachable, vxlanTo } from '../support/memory-node.ts';
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
const flow = { source: '10.244.1.2', destination: '10.244.2.2' };
const flow6 = { source: 'fd00:244:1::2', destination: 'fd00:244:2::2' };
const back = { source: '10.244.2.2', destination: '10.244.1.2' };
const OUR_MAC = '02:57:c0:a8:4d:01';

let node: MemoryNode;
const send = (packet: Uint8Array, port = POD): void => {
  node.io.queueRead(port, packet);
  node.forwarder.fromPort(port);
};
const arrive = (datagram: Uint8Array, from = '192.168.77.2'): void => {
  node.io.queueReceive(Fd.receive4, { from: parseAddress(from), bytes: datagram });
  node.forwarder.fromUnderlay(node.receivers.vxlan4);
};
/** The ICMP message that came back to the pod: type, code, second word, and what it quotes. */
const answer = (): { type: number; code: number; rest: number; quoted: Uint8Array; packet: Uint8Array } => {
  expect(node.io.written).toHaveLength(1);
  const packet = node.io.written[0].bytes.subarray(10);
  const at = packet[0] >> 4 === 4 ? 20 : 40;
  const view = Buffer.from(packet);
  return {
    type: packet[at],
    code: packet[at + 1],
    rest: view.readUInt32BE(at + 4),
    quoted: packet.subarray(at + 8),
    packet,
  };
};

beforeEach(() => {
  node = new MemoryNode({ address: '192.168.77.1', router4: '10.244.1.1', router6: 'fd00:244:1::1' });
  node.pod(POD, '10.244.1.2', 'fd00:244:1::2');
  node.pod(3, '10.244.1.3');
  node.route('10.244.1.0/24', unreachable);
  node.route('fd00:244:1::/64', unreachable);
  node.route('10.244.2.0/24', vxlanTo('192.168.77.2'));
  node.route('fd00:244:2::/64', vxlanTo('192.168.77.2'));
  node.route('10.244.3.0/24', vxlanTo('192.168.77.3', { vni: 77 }));
});

describe('nobody speaks for another', () => {
  it('a pod with a foreign source', () => {
    send(onTun(udp({ ...flow, source: '10.244.1.3' }, 1, 2, bytes(10))));
    expect(node.verdicts()).toEqual({ 'spoofed-source': 1 });
    expect(node.io.written).toEqual([]);
  });
  it('a pod with a source that nobody has', () => {
    send(onTun(udp({ ...flow, source: '8.8.8.8' }, 1, 2, bytes(10))));
    expect(node.verdicts()).toEqual({ 'spoofed-source': 1 });
  });
  it('the node with a pod’s source', () => {
    node.route('0.0.0.0/0', toPort(HOST_PORT));
    send(onTun(udp(flow, 1, 2, bytes(10))), HOST_PORT);
    expect(node.verdicts()).toEqual({ 'spoofed-source': 1 });
  });
  it('a stranger on the underlay', () => {
    arrive(inVxlan(udp(back, 1, 2, bytes(10)), 4096, OUR_MAC), '192.168.77.99');
    expect(node.verdicts()).toEqual({ 'unknown-tunnel': 1 });
  });
  it('a tunnel end point with an inner source of another', () => {
    arrive(inVxlan(udp({ ...back, source: '10.244.3.3' }, 1, 2, bytes(10)), 4096, OUR_MAC));
    expect(node.verdicts()).toEqual({ 'tunnel-source': 1 });
  });
  it('a tunnel end point with a local pod’s address', () => {
    arrive(inVxlan(udp({ ...back, source: '10.244.1.3' }, 1, 2, bytes(10)), 4096, OUR_MAC));
    expect(node.verdicts()).toEqual({ 'tunnel-source': 1 });
  });
  it('counts each reason by name once, and no name twice', () => {
    send(onTun(udp({ ...flow, source: '10.244.1.3' }, 1, 2, bytes(10))));
    arrive(inVxlan(udp(back, 1, 2, bytes(10)), 4096, OUR_MAC), '192.168.77.99');
    expect(Object.values(node.verdicts())).toEqual([1, 1]);
  });
});

describe('VXLAN', () => {
  const inner = udp(back, 1, 2, bytes(10));
  it('without the I flag', () => {
    const datagram = inVxlan(inner, 4096, OUR_MAC);
    datagram[0] = 0;
    arrive(datagram);
    expect(node.verdicts()).toEqual({ 'vxlan-flags': 1 });
  });
  it('with reserved bits set is taken: they are ignored on receipt', () => {
    const datagram = inVxlan(inner, 4096, OUR_MAC);
    datagram.set([0xff, 0xff, 0xff, 0xff], 0);
    datagram[7] = 0xff;
    arrive(datagram);
    expect(node.verdicts()).toEqual({ delivered: 1 });
  });
  it('with another VNI', () => {
    arrive(inVxlan(inner, 5, OUR_MAC));
    expect(node.verdicts()).toEqual({ 'vxlan-vni': 1 });
  });
  it('with the VNI that a route to the sender uses', () => {
    arrive(inVxlan(udp({ ...back, source: '10.244.3.3' }, 1, 2, bytes(10)), 77, OUR_MAC), '192.168.77.3');
    expect(node.verdicts()).toEqual({ delivered: 1 });
  });
  it('to another MAC', () => {
    arrive(inVxlan(inner, 4096, '02:57:c0:a8:4d:02'));
    expect(node.verdicts()).toEqual({ 'inner-mac': 1 });
  });
  it('with ARP inside', () => {
    const datagram = inVxlan(inner, 4096, OUR_MAC);
    datagram.set([0x08, 0x06], 20);
    arrive(datagram);
    expect(node.verdicts()).toEqual({ 'inner-ether-type': 1 });
  });
  it('cut short', () => {
    arrive(inVxlan(inner, 4096, OUR_MAC).subarray(0, 21));
    arrive(inVxlan(inner, 4096, OUR_MAC).subarray(0, 40));
    expect(node.verdicts()).toEqual({ truncated: 2 });
  });
  it('with a wrong inner header checksum', () => {
    const datagram = inVxlan(inner, 4096, OUR_MAC);
    datagram[22 + 10] ^= 1;
    arrive(datagram);
    expect(node.verdicts()).toEqual({ 'bad-header-checksum': 1 });
  });
  it('with link padding behind the inner packet is trimmed', () => {
    arrive(Uint8Array.from([...inVxlan(inner, 4096, OUR_MAC), 0, 0, 0, 0]));
    expect(node.io.written[0].bytes.length).toBe(10 + inner.length);
  });
});

describe('not routed', () => {
  it.each([
    ['224.0.0.1', 'multicast'],
    ['255.255.255.255', 'multicast'],
    ['127.0.0.1', 'martian'],
    ['0.1.2.3', 'martian'],
  ])('%s is %s', (destination, reason) => {
    send(onTun(udp({ ...flow, destination }, 1, 2, bytes(10))));
    expect(node.verdicts()).toEqual({ [reason]: 1 });
  });
  it.each([
    ['ff02::1', 'multicast'],
    ['fe80::1', 'martian'],
    ['::1', 'martian'],
    ['::', 'martian'],
  ])('%s is %s', (destination, reason) => {
    send(onTun(udp({ ...flow6, destination }, 1, 2, bytes(10))));
    expect(node.verdicts()).toEqual({ [reason]: 1 });
  });
  it('garbage', () => {
    send(onTun(Uint8Array.from([0x12, 3, 4])));
    send(onTun(Uint8Array.from([0x45, 0, 0, 20])));
    expect(node.verdicts()).toEqual({ malformed: 1, truncated: 1 });
  });
});

describe('a router answers', () => {
  it('Time Exceeded, quoting the packet as it came', () => {
    const packet = udp({ ...flow, ttl: 1 }, 1, 2, bytes(100));
    send(onTun(packet));
    const { type, code, quoted, packet: reply } = answer();
    expect([type, code]).toEqual([11, 0]);
    expect(quoted).toEqual(packet);
    expect([...reply.subarray(12, 20)]).toEqual([10, 244, 1, 1, 10, 244, 1, 2]);
    expect(checksum(reply.subarray(20))).toBe(0);
    expect(node.verdicts()).toEqual({ 'ttl-exceeded': 1, delivered: 1 });
  });
  it('Time Exceeded over IPv6', () => {
    send(onTun(udp({ ...flow6, ttl: 1 }, 1, 2, bytes(100))));
    expect([answer().type, answer().code]).toEqual([3, 0]);
    expect(transportIsSound(answer().packet)).toBe(true);
  });
  it('through the tunnel when the packet came through it', () => {
    arrive(inVxlan(udp({ ...back, ttl: 1 }, 1, 2, bytes(10)), 4096, OUR_MAC));
    expect(node.io.sent).toHaveLength(1);
    expect([...node.io.sent[0].bytes.subarray(22 + 12, 22 + 20)]).toEqual([10, 244, 1, 1, 10, 244, 2, 2]);
  });
  it('Fragmentation Needed with the MTU', () => {
    send(onTun(udp(flow, 1, 2, bytes(1450))));
    expect([answer().type, answer().code, answer().rest]).toEqual([3, 4, 1450]);
  });
  it('Packet Too Big with the MTU', () => {
    send(onTun(udp(flow6, 1, 2, bytes(1450))));
    expect([answer().type, answer().code, answer().rest]).toEqual([2, 0, 1450]);
    expect(answer().packet.length).toBeLessThanOrEqual(1280);
    expect(transportIsSound(answer().packet)).toBe(true);
  });
  it('Fragmentation Needed for a super-packet whose segments are too large', () => {
    const segment = tcp(flow, { sourcePort: 1, destinationPort: 2, payload: bytes(4000) }, true);
    send(onTun(segment, { gso: 1, size: 1460, start: 20, field: 16 }));
    expect([answer().type, answer().code]).toEqual([3, 4]);
    expect(node.verdicts()).toEqual({ 'too-big': 3, delivered: 1 });
  });
  it('Network Unreachable without a route, Host Unreachable for an address that no pod has', () => {
    send(onTun(udp({ ...flow, destination: '9.9.9.9' }, 1, 2, bytes(10))));
    expect([answer().type, answer().code]).toEqual([3, 0]);
    node.io.written.length = 0;
    send(onTun(udp({ ...flow, destination: '10.244.1.77' }, 1, 2, bytes(10))));
    expect([answer().type, answer().code]).toEqual([3, 1]);
    expect(node.verdicts()).toEqual({ 'no-route': 1, unreachable: 1, delivered: 2 });
  });
  it('not about an ICMP error, a later fragment, or more often than a thousand times a second', () => {
    const error = Buffer.alloc(36);
    error[0] = 3;
    send(onTun(ip({ ...flow, ttl: 1, protocol: 1, payload: error })));
    send(onTun(ip({ ...flow, ttl: 1, protocol: 17, fragment: 100, payload: bytes(40) })));
    expect(node.io.written).toEqual([]);
    for (let n = 0; n < 1000; n++) send(onTun(udp({ ...flow, ttl: 1 }, 1, 2, bytes(10))));
    expect(node.io.written).toHaveLength(200);
    node.now += 100;
    for (let n = 0; n < 1000; n++) send(onTun(udp({ ...flow, ttl: 1 }, 1, 2, bytes(10))));
    expect(node.io.written).toHaveLength(300);
  });
  it('an echo request whose hops ran out', () => {
    send(onTun(icmpEcho({ ...flow, ttl: 1 })));
    expect(answer().type).toBe(11);
  });
});

describe('a packet that may be fragmented', () => {
  /** Puts fragments of one packet together by their offsets. */
  const reassemble = (fragments: readonly Uint8Array[]): Uint8Array => {
    const payload = Buffer.alloc(70000);
    let end = 0;
    for (const fragment of fragments) {
      expect(fragment.length).toBeLessThanOrEqual(1450);
      expect(checksum(fragment.subarray(0, 20))).toBe(0);
      const field = Buffer.from(fragment).readUInt16BE(6);
      const offset = (field & 0x1fff) * 8;
      payload.set(fragment.subarray(20), offset);
      if ((field & 0x2000) === 0) end = offset + fragment.length - 20;
    }
    return payload.subarray(0, end);
  };
  it('arrives in fragments that make it whole again', () => {
    const packet = udp({ ...flow, fragment: 0, id: 7 }, 1, 2, bytes(4000));
    send(onTun(packet));
    const fragments = node.io.sent.map(({ bytes: b }) => b.subarray(22));
    expect(fragments).toHaveLength(3);
    expect(reassemble(fragments)).toEqual(Buffer.from(packet.subarray(20)));
    expect(node.verdicts()).toEqual({ fragmented: 1, encapsulated: 3 });
  });
  it('has its checksum completed first', () => {
    const packet = udp({ ...flow, fragment: 0 }, 1, 2, bytes(4000), true);
    send(onTun(packet, { start: 20, field: 6 }));
    const whole = reassemble(node.io.sent.map(({ bytes: b }) => b.subarray(22)));
    expect(whole).toEqual(Buffer.from(udp(flow, 1, 2, bytes(4000)).subarray(20)));
  });
  it('that is a fragment already keeps its place', () => {
    const middle = ip({ ...flow, protocol: 17, fragment: 0x2000 | 50, payload: bytes(3000) });
    send(onTun(middle));
    const fields = node.io.sent.map(({ bytes: b }) => Buffer.from(b).readUInt16BE(22 + 6));
    expect(fields).toEqual([0x2000 | 50, 0x2000 | (50 + 178), 0x2000 | (50 + 356)]);
  });
  it('with segments is segmented first', () => {
    const segments = udp({ ...flow, fragment: 0 }, 1, 2, bytes(3 * 2000), true);
    send(onTun(segments, { gso: 5, size: 2000, start: 20, field: 6 }));
    const fragments = node.io.sent.map(({ bytes: b }) => b.subarray(22));
    expect(fragments).toHaveLength(6);
    for (let n = 0; n < 3; n++) {
      const whole = reassemble(fragments.slice(2 * n, 2 * n + 2));
      expect(whole).toEqual(
        Buffer.from(udp(flow, 1, 2, bytes(6000).subarray(n * 2000, n * 2000 + 2000)).subarray(20)),
      );
    }
  });
});

describe('the underlay fails', () => {
  const packets = (count: number): void => {
    for (let n = 0; n < count; n++) node.io.queueRead(POD, onTun(udp(flow, 1, 2, bytes(64, n))));
    node.forwarder.fromPort(POD);
  };
  it('waits once for a full socket, then drops by name', () => {
    node.io.sendErrors.push(11);
    packets(3);
    expect([node.io.waits, node.io.sent.length]).toEqual([1, 3]);
    node.io.sendErrors.push(11, 11);
    packets(3);
    expect(node.verdicts()).toEqual({ encapsulated: 3, 'underlay-full': 3 });
  });
  it('sends one by one when the device cannot segment, for good', () => {
    node.io.sendErrors.push(5);
    packets(5);
    expect(node.io.messages).toBe(5);
    expect(node.io.sent.map(({ bytes: b }) => b.subarray(50))).toEqual(
      [0, 1, 2, 3, 4].map((n) => bytes(64, n)),
    );
    packets(5);
    expect(node.io.messages).toBe(10);
    expect(node.verdicts()).toEqual({ encapsulated: 10 });
  });
  it('drops what is too large for the underlay, and what it refuses', () => {
    node.io.sendErrors.push(90);
    packets(2);
    node.io.sendErrors.push(101);
    packets(1);
    expect(node.verdicts()).toEqual({ 'underlay-mtu': 2, 'underlay-error': 1 });
  });
  it('drops what a gone or refusing port does not take', () => {
    node.io.writeErrors.push(77, 5);
    arrive(inVxlan(udp(back, 1, 2, bytes(10)), 4096, OUR_MAC));
    arrive(inVxlan(udp(back, 1, 2, bytes(10)), 4096, OUR_MAC));
    expect(node.verdicts()).toEqual({ 'port-gone': 1, 'port-write': 1 });
  });
  it('drops what has no socket for its encapsulation', () => {
    node.route('10.244.4.0/24', ipipTo('fd00:77::4'));
    send(onTun(udp({ ...flow, destination: '10.244.4.4' }, 1, 2, bytes(10))));
    expect(node.verdicts()).toEqual({ 'encap-disabled': 1 });
  });
  it('tells of a queue that died', () => {
    node.io.readErrors.push(77);
    expect(node.forwarder.fromPort(POD)).toBe(-77);
  });
});
