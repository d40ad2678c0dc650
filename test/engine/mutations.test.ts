// A million mutated packets through each decapsulator: no exception, no write before or behind the datagram that a packet
// came in, and exactly one verdict each.

import { describe, expect, it } from 'vitest';
import { Arrivals } from '../../engine/arrivals.ts';
import { createPacketMemory } from '../../engine/memory.ts';
import { addressToBytes, parseAddress } from '../../wire/address.ts';
import { MemoryIo } from '../support/memory-io.ts';
import { Fd, ipipTo, MemoryNode, vxlanTo } from '../support/memory-node.ts';
import { bytes, icmpEcho, inVxlan, ip, tcp, udp } from '../support/plain-packets.ts';
import { random } from '../support/random.ts';

const MILLION = 1_000_000;
const back = { source: '10.244.2.2', destination: '10.244.1.2' };
const back6 = { source: 'fd00:244:2::2', destination: 'fd00:244:1::2' };
const OUR_MAC = '02:57:c0:a8:4d:01';
const ROUTER_4 = addressToBytes(parseAddress('10.244.1.1'));
const ROUTER_6 = addressToBytes(parseAddress('fd00:244:1::1'));
const peer = parseAddress('192.168.77.2');

const extended = (next: number, payload: Uint8Array): Uint8Array =>
  Uint8Array.from([next, 0, 1, 4, 0, 0, 0, 0, ...payload]);

const inner = [
  udp(back, 1, 2, bytes(30)),
  tcp(back, { sourcePort: 1, destinationPort: 2, payload: bytes(40), options: bytes(12) }),
  icmpEcho(back),
  udp({ ...back, ttl: 1 }, 1, 2, bytes(20)),
  ip({ ...back, protocol: 17, fragment: 0x2000, payload: bytes(64) }),
  udp(back6, 1, 2, bytes(30)),
  tcp(back6, { sourcePort: 1, destinationPort: 2, payload: bytes(40) }),
  icmpEcho(back6),
  ip({ ...back6, protocol: 0, payload: extended(44, extended(17, bytes(30))) }),
  udp({ ...back, tos: 1 }, 1, 2, bytes(10), true),
];

const build = (): MemoryNode => {
  const node = new MemoryNode({ address: '192.168.77.1', router4: '10.244.1.1', router6: 'fd00:244:1::1' });
  node.pod(2, back.destination, back6.destination);
  node.route('10.244.2.0/24', vxlanTo('192.168.77.2'));
  node.route('fd00:244:2::/64', ipipTo('192.168.77.2'));
  return node;
};

const mutate = (packet: Uint8Array, next: (below: number) => number): Uint8Array => {
  let mutated = packet.slice();
  for (let changes = next(4); changes > 0; changes--) {
    const at = next(mutated.length);
    if (next(3) === 0) mutated[at] ^= 1 << next(8);
    else mutated[at] = next(256);
  }
  if (next(8) === 0) mutated = mutated.slice(0, next(mutated.length));
  return mutated;
};

const inOuter = (packet: Uint8Array): Uint8Array =>
  ip({
    source: '192.168.77.2',
    destination: '192.168.77.1',
    protocol: packet[0] >> 4 === 4 ? 4 : 41,
    payload: packet,
  });
const isIpv6 = (packet: Uint8Array): boolean => packet[0] >> 4 === 6;

const kinds = [
  {
    name: 'VXLAN',
    inner,
    fd: Fd.receive4,
    receiver: (node: MemoryNode) => node.receivers.vxlan4,
    wrap: (packet: Uint8Array) => inVxlan(packet, 4096, OUR_MAC),
  },
  {
    name: 'IPIP (protocol 4)',
    inner: inner.filter((packet) => !isIpv6(packet)),
    fd: Fd.ipip4,
    receiver: (node: MemoryNode) => node.receivers.ipip,
    wrap: inOuter,
  },
  {
    name: '6in4 (protocol 41)',
    inner: inner.filter(isIpv6),
    fd: Fd.ipip6,
    receiver: (node: MemoryNode) => ({ ...node.receivers.ipip, fd: Fd.ipip6 }),
    wrap: inOuter,
  },
];

/** Whether a datagram that the node sent carries a packet of its own address: IPv4 in VXLAN or IPv6 in IPv4. */
const isFromRouter = (sent: Uint8Array): boolean =>
  sent[0] >> 4 === 6
    ? Buffer.compare(sent.subarray(8, 24), ROUTER_6) === 0
    : Buffer.compare(sent.subarray(22 + 12, 22 + 16), ROUTER_4) === 0;

describe.each(kinds)('$name', ({ inner: packets, fd, receiver, wrap }) => {
  it('survives a million mutated packets', () => {
    const node = build();
    node.io.guarded = true;
    const next = random(20_261_124);
    const seeds = packets.map(wrap);
    const batch = 16;
    let answers = 0;
    for (let done = 0; done < MILLION; done += batch) {
      for (let n = 0; n < batch; n++) {
        const tos = next(5) === 0 ? { tos: next(4) } : {};
        node.io.queueReceive(fd, { from: peer, bytes: mutate(seeds[next(seeds.length)], next), ...tos });
      }
      node.forwarder.fromUnderlay(receiver(node));
      node.io.checkGuards();
      answers += node.io.sent.filter(({ bytes: sent }) => isFromRouter(sent)).length;
      node.io.written.length = 0;
      node.io.sent.length = 0;
    }
    node.io.checkGuards(true);
    const verdicts = node.verdicts();
    // ICMP errors are packets of the node's own: they end as encapsulated beyond the million.
    expect(answers).toBeGreaterThan(100);
    const total = Object.values(verdicts).reduce((sum, packets) => sum + packets, 0);
    expect(total - answers).toBe(MILLION);
    expect(Object.keys(verdicts).length).toBeGreaterThan(8);
  }, 120_000);
});

it('a byte written before or behind a datagram is found', () => {
  const io = new MemoryIo();
  const memory = createPacketMemory(1 << 21, io.addressOf);
  const { tables } = build();
  const arrivals = new Arrivals(memory, io, tables, tables.counters[0], () => 1);
  io.guarded = true;
  const datagram = bytes(100, 77);
  io.queueReceive(Fd.receive4, { from: peer, bytes: datagram });
  expect(arrivals.receive(Fd.receive4)).toBe(1);
  const at = Buffer.from(memory.u8.buffer).indexOf(datagram);
  const end = at + datagram.length;
  for (const [where, far] of [
    [at - 1, false],
    [at - 32, false],
    [end, false],
    [end + 63, false],
    [end + 64, true],
    [at + 65535, true],
  ] as const) {
    expect(() => io.checkGuards(true)).not.toThrow();
    memory.u8[where] ^= 1;
    expect(() => io.checkGuards(far)).toThrow(/written (before|behind) a datagram/);
    memory.u8[where] ^= 1;
  }
  memory.u8[at] ^= 1;
  memory.u8[end - 1] ^= 1;
  expect(() => io.checkGuards(true)).not.toThrow();
});
