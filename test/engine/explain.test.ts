// `weft why` says what would become of a packet; here 100,000 random ones are sent as well, and both must agree: on the
// verdict, and on where the packet leaves.

import { expect, it } from 'vitest';
import type { PacketDescription } from '../../engine/explain.ts';
import * as adjacencies from '../../engine/tables/adjacencies.ts';
import { isDrop, Verdict, verdictNames } from '../../engine/verdict.ts';
import { type Address, addressFromBytes, formatAddress, parseAddress } from '../../wire/address.ts';
import { Fd, HOST_PORT, ipipTo, MemoryNode, toPort, unreachable, vxlanTo } from '../support/memory-node.ts';
import { bytes, inVxlan, ip, onTun, tcp, udp } from '../support/plain-packets.ts';
import { random } from '../support/random.ts';

const PACKETS = 100_000;
const OUR_MAC = '02:57:c0:a8:4d:01';
const VXLAN_PEER = '192.168.77.2';
const IPIP_PEER = '192.168.77.3';
const STRANGE_FAMILY = 'fd00:99::9';

/** Who sends: from which port, or out of which tunnel. */
type Entry = { readonly port: number } | { readonly vxlan: string } | { readonly ipip: string };

/** Addresses with some of each kind, and where what they send comes in. */
const SOURCES: readonly (readonly [string, Entry])[] = [
  ['10.244.1.2', { port: 2 }],
  ['10.244.1.3', { port: 3 }],
  ['10.244.2.2', { vxlan: VXLAN_PEER }],
  ['10.244.3.2', { ipip: IPIP_PEER }],
  ['10.244.6.1', { vxlan: VXLAN_PEER }],
  ['10.244.1.99', { port: HOST_PORT }], // unreachable: nobody's
  ['10.244.1.1', { port: HOST_PORT }],
  ['198.51.100.7', { port: HOST_PORT }],
  ['127.0.0.1', { port: HOST_PORT }],
  ['224.0.0.5', { port: HOST_PORT }],
  ['fd00:244:1::2', { port: 2 }],
  ['fd00:244:2::2', { vxlan: VXLAN_PEER }],
  ['fd00:244:3::2', { ipip: IPIP_PEER }],
  ['2001:db8::1', { port: HOST_PORT }], // no route
  ['ff02::1', { port: HOST_PORT }],
];
const DESTINATIONS = [
  ...SOURCES.map(([address]) => address),
  ...[
    '10.244.4.4',
    '10.244.5.5',
    '10.244.6.2',
    '203.0.113.9',
    '255.255.255.255',
    'fd00:244:4::4',
    '::1',
    '::8000:1',
  ],
];

function build(): MemoryNode {
  const node = new MemoryNode({ address: '192.168.77.1' });
  node.pod(2, '10.244.1.2', 'fd00:244:1::2');
  node.pod(3, '10.244.1.3');
  for (const own of ['10.244.1.1/32', '0.0.0.0/0']) node.route(own, toPort(HOST_PORT));
  node.route('10.244.1.0/24', unreachable);
  node.route('10.244.2.0/24', vxlanTo(VXLAN_PEER));
  node.route('10.244.3.0/24', ipipTo(IPIP_PEER));
  node.route('10.244.4.0/24', vxlanTo(VXLAN_PEER, { vni: 77, mtu: 600 }));
  node.route('10.244.5.0/24', ipipTo(STRANGE_FAMILY)); // no such socket
  node.route('10.244.6.0/24', vxlanTo(VXLAN_PEER), vxlanTo('192.168.77.4'), ipipTo(IPIP_PEER));
  node.route('fd00:244:2::/64', vxlanTo(VXLAN_PEER));
  node.route('fd00:244:3::/64', ipipTo(IPIP_PEER));
  node.route('fd00:244:4::/64', vxlanTo('192.168.77.4', { mtu: 1280 }));
  return node;
}

const PAYLOAD = bytes(1600);

/** The described packet, made by other code than that of `weft why`. */
function packetOf(description: Required<PacketDescription>): Uint8Array {
  const { protocol, sourcePort, destinationPort, length, ttl, dontFragment } = description;
  const ends = {
    source: formatAddress(description.source),
    destination: formatAddress(description.destination),
    ttl,
    fragment: dontFragment ? 0x4000 : 0,
  };
  const header = description.source.family === 4 ? 20 : 40;
  const carried = (upper: number) => PAYLOAD.subarray(0, length - header - upper);
  if (protocol === 6) return tcp(ends, { sourcePort, destinationPort, payload: carried(20) });
  if (protocol === 17) return udp(ends, sourcePort, destinationPort, carried(8));
  return ip({ ...ends, protocol, payload: carried(0) });
}

function enter(node: MemoryNode, entry: Entry, packet: Uint8Array): void {
  if ('port' in entry) {
    node.io.queueRead(entry.port, onTun(packet));
    node.forwarder.fromPort(entry.port);
  } else if ('vxlan' in entry) {
    const from = parseAddress(entry.vxlan);
    node.io.queueReceive(Fd.receive4, { from, bytes: inVxlan(packet, 4096, OUR_MAC) });
    node.forwarder.fromUnderlay(node.receivers.vxlan4);
  } else {
    const protocol = packet[0] >> 4 === 4 ? 4 : 41;
    const outer = ip({ source: entry.ipip, destination: '192.168.77.1', protocol, payload: packet });
    node.io.queueReceive(Fd.ipip4, { from: parseAddress(entry.ipip), bytes: outer });
    node.forwarder.fromUnderlay(node.receivers.ipip);
  }
}

/** What was counted since `before`: the drop if there was one, else what became of the packet itself. */
function verdictSince(cells: Float64Array, before: Float64Array): number {
  const counted = Object.values(Verdict).filter((verdict) => cells[verdict] !== before[verdict]);
  const [drop, ...more] = counted.filter(isDrop);
  expect(more).toEqual([]);
  if (drop !== undefined) return drop;
  return counted.includes(Verdict.fragmented) ? Verdict.fragmented : counted[0];
}

/** Where the adjacency leads, as the devices tell it. */
function exitOf(node: MemoryNode, adjacency: number): string {
  const table = node.tables.adjacencies;
  const kind = adjacencies.kind(table, adjacency);
  if (kind === adjacencies.AdjacencyKind.port) return `port ${adjacencies.port(table, adjacency)}`;
  const view = new DataView(new ArrayBuffer(4));
  view.setInt32(0, adjacencies.outerWord(table, adjacency, 0));
  const to: Address = addressFromBytes(new Uint8Array(view.buffer));
  const name = kind === adjacencies.AdjacencyKind.vxlan ? 'vxlan' : 'ipip';
  return `${name} ${formatAddress(to)} ${name === 'vxlan' ? adjacencies.vni(table, adjacency) : ''}`;
}

function exitsSeen(node: MemoryNode): string[] {
  const sent = node.io.sent.map(({ fd, to, bytes: sentBytes }) => {
    const isVxlan = fd < Fd.ipip4;
    const vni = isVxlan ? Buffer.from(sentBytes).readUIntBE(4, 3) : '';
    return `${isVxlan ? 'vxlan' : 'ipip'} ${formatAddress(to)} ${vni}`;
  });
  return [...new Set([...sent, ...node.io.written.map(({ fd }) => `port ${fd}`)])];
}

it('agrees with forwarding on 100,000 random packets', { timeout: 120_000 }, () => {
  const node = build();
  const [cells] = node.tables.counters;
  const next = random(0x1234567);
  const seen = new Map<number, number>();
  const before = new Float64Array(64);
  for (let n = 0; n < PACKETS; n++) {
    const [source, entry] = SOURCES[next(SOURCES.length)];
    const isSix = source.includes(':');
    const candidates = DESTINATIONS.filter((address) => address.includes(':') === isSix);
    const description = {
      source: parseAddress(source),
      destination: parseAddress(candidates[next(candidates.length)]),
      protocol: [6, 17, 47][next(3)],
      sourcePort: next(65536),
      destinationPort: next(65536),
      length: 60 + next(next(4) === 0 ? 1540 : 400),
      ttl: next(8) === 0 ? next(3) : 64,
      dontFragment: next(2) === 0,
    };
    const last = node.explain(description).at(-1);
    before.set(cells.subarray(0, before.length));
    node.io.sent.length = 0;
    node.io.written.length = 0;
    enter(node, entry, packetOf(description));
    const verdict = verdictSince(cells, before);
    const told = `${source} → ${formatAddress(description.destination)} ${JSON.stringify(description)}`;
    expect(last?.verdict, told).toBe(verdictNames[verdict]);
    const exits = last?.adjacency === undefined ? [] : [exitOf(node, last.adjacency)];
    expect(exitsSeen(node), told).toEqual(exits);
    seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
  }
  // Everything that can become of a well-formed packet on devices that work has been among them.
  expect([...seen.keys()].map((verdict) => verdictNames[verdict]).sort()).toEqual([
    'delivered',
    'encap-disabled',
    'encapsulated',
    'fragmented',
    'martian',
    'multicast',
    'no-route',
    'spoofed-source',
    'too-big',
    'ttl-exceeded',
    'unreachable',
  ]);
});
