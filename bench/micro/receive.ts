/** Decapsulation and coalescing: from what the kernel received to what it is handed for a pod. */
import * as vxlan from '../../encap/vxlan.ts';
import { Arrivals, type Receiver } from '../../engine/arrivals.ts';
import { Ingress, resetBatch } from '../../engine/batch.ts';
import { parse } from '../../engine/parse.ts';
import { PortWriter } from '../../engine/port-writer.ts';
import { Verdict } from '../../engine/verdict.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { vtepMac } from '../../wire/mac.ts';
import { Protocol } from '../../wire/protocol.ts';
import * as vnet from '../../wire/vnet.ts';
import { BenchNode, FAR, farPaths, OWN, POD_PORT, VNI } from './bench-node.ts';
import { addPackets, FAR_POD, headersOf, type PacketShape, writePacket } from './packets.ts';
import type { Arriving } from './sink-io.ts';
import { expectCount, PACKETS, type Stage, type Work } from './stage.ts';

const SMALL: PacketShape = { family: 4, protocol: 'udp', payload: 64, flows: 1 };
const FD = 2000;

/** What arrives of a tunnel: outer header as far as the kernel leaves it, and inner packet. */
function datagram(node: BenchNode, encap: 'vxlan' | 'ipip', n: number): Uint8Array {
  const { memory } = node;
  const outer = encap === 'vxlan' ? vxlan.HEADER_LENGTH : ipv4.MIN_LENGTH;
  const inner = headersOf(SMALL) + SMALL.payload;
  const ip = memory.reserve(64 + inner) + 64;
  writePacket(memory, ip, SMALL, n);
  if (encap === 'vxlan') {
    const header = { vni: VNI, destination: vtepMac(OWN), source: vtepMac(FAR) };
    vxlan.writeTemplate(memory.view, ip - outer, 4, header);
  } else {
    ipv4.write(memory.view, ip - outer, outer + inner, 0, 64, Protocol.ipv4, FAR.words[0], OWN.words[0]);
  }
  return memory.u8.slice(ip - outer, ip + inner);
}

function decapsulating(encap: 'vxlan' | 'ipip', joined: number): Work {
  const node = new BenchNode();
  node.route(`${FAR_POD[4]}/32`, farPaths[encap]);
  const arrivals = new Arrivals(node.memory, node.io, node.tables, node.counters, () => 0);
  const receiver: Receiver =
    encap === 'vxlan' ? { kind: 'vxlan', fd: FD, mac: vtepMac(OWN) } : { kind: 'ipip', fd: FD };
  const message = Buffer.concat(Array.from({ length: joined }, (_, n) => datagram(node, encap, n)));
  const arriving: Arriving[] = Array.from({ length: PACKETS / joined }, () => ({
    bytes: message,
    size: message.length / joined,
  }));
  const batch = node.batch(Ingress.underlay);
  let packets = 0;
  const run = (): void => {
    packets = 0;
    node.io.begin(arriving);
    arrivals.forget();
    while (arrivals.receive(FD) > 0) {
      for (let more = true; more; ) {
        resetBatch(batch, Ingress.underlay);
        more = arrivals.fill(batch, receiver);
        packets += batch.count;
      }
    }
  };
  const prove = (): void => {
    run();
    expectCount('packets out of their tunnel', packets, PACKETS);
    parse(batch, node.memory);
    const refused = batch.verdict.subarray(0, batch.count).filter((verdict) => verdict !== Verdict.pending);
    expectCount('packets refused', refused.length, 0);
  };
  return { run, prove };
}

/** Words of headers that joining changes in the first packet of a train. */
const CHANGED_WORDS = 10;

function coalescing(shape: PacketShape, writes: number): Work {
  const node = new BenchNode();
  const { io, memory } = node;
  const { i32 } = memory;
  const batch = node.batch(Ingress.underlay);
  addPackets(memory, batch, 0, shape, PACKETS);
  parse(batch, memory);
  const writer = new PortWriter(memory, io, node.counters, { joinTcp: true, joinUdp: true });
  const first = batch.offset[0] >> 2;
  const before = i32.slice(first, (batch.offset[PACKETS - 1] >> 2) + CHANGED_WORDS);
  const run = (): void => {
    io.begin();
    for (let i = 0; i < PACKETS; i++) writer.deliver(batch, i, POD_PORT, POD_PORT);
    writer.flush();
    for (let n = 0; n < io.writes; n++) {
      const head = (io.heads[n] + vnet.LENGTH) >> 2;
      for (let w = head; w < head + CHANGED_WORDS; w++) i32[w] = before[w - first];
    }
  };
  const prove = (): void => {
    const delivered = node.counted(Verdict.delivered);
    run();
    expectCount('packets delivered', node.counted(Verdict.delivered) - delivered, PACKETS);
    expectCount('writes', io.writes, writes);
  };
  return { run, prove };
}

const tcp = (flows: number): PacketShape => ({ family: 4, protocol: 'tcp', payload: 1398, flows });

export const receiveStages: readonly Stage[] = [
  {
    id: 'decap-vxlan',
    title: 'decap, VXLAN, UDP 64 B, 16 datagrams a message',
    prepare: () => decapsulating('vxlan', 16),
  },
  {
    id: 'decap-vxlan-singly',
    title: 'decap, VXLAN, UDP 64 B, one datagram a message',
    prepare: () => decapsulating('vxlan', 1),
  },
  {
    id: 'decap-ipip',
    title: 'decap, IPIP, UDP 64 B, one packet a message',
    prepare: () => decapsulating('ipip', 1),
  },
  // 46 segments of 1,398 bytes make a packet of 64 KiB; a packet holds no more.
  { id: 'coalesce-tcp', title: 'coalesce, TCP 1,398 B, one flow', prepare: () => coalescing(tcp(1), 2) },
  {
    id: 'coalesce-tcp-flows',
    title: 'coalesce, TCP 1,398 B, 8 flows in turn',
    prepare: () => coalescing(tcp(8), 8),
  },
  { id: 'coalesce-udp', title: 'coalesce, UDP 64 B, one flow', prepare: () => coalescing(SMALL, 1) },
];
