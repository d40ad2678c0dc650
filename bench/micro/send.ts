/** Encapsulation and segmentation: from a forwarded packet to the messages that the kernel is handed. */
import * as ipip from '../../encap/ipip.ts';
import * as vxlan from '../../encap/vxlan.ts';
import { type Batch, Gso, Ingress } from '../../engine/batch.ts';
import { parse } from '../../engine/parse.ts';
import { route } from '../../engine/route.ts';
import type { TunnelSender } from '../../engine/tunnel-sender.ts';
import { Verdict } from '../../engine/verdict.ts';
import { BenchNode, farPaths, POD_PORT } from './bench-node.ts';
import { addPackets, FAR_POD, headersOf, type PacketShape } from './packets.ts';
import { expectCount, PACKETS, type Stage, type Work } from './stage.ts';

const SMALL: PacketShape = { family: 4, protocol: 'udp', payload: 64, flows: 1 };

function sending(node: BenchNode, batch: Batch, tunnel: TunnelSender): Work {
  const { io, memory, tables } = node;
  parse(batch, memory);
  route(batch, memory, tables);
  const run = (): void => {
    io.begin();
    for (let i = 0; i < batch.count; i++) tunnel.send(batch, i);
    tunnel.flush();
  };
  const prove = (): void => {
    const before = node.counted(Verdict.encapsulated);
    run();
    expectCount('packets sent', node.counted(Verdict.encapsulated) - before, PACKETS);
  };
  return { run, prove };
}

function encapsulating(encap: 'vxlan' | 'ipip', flows: number): Work {
  const node = new BenchNode();
  node.route(`${FAR_POD[4]}/32`, farPaths[encap]);
  const batch = node.batch(Ingress.port);
  addPackets(node.memory, batch, POD_PORT, { ...SMALL, flows }, PACKETS);
  const header = encap === 'vxlan' ? vxlan.HEADER_LENGTH : ipip.HEADER_LENGTH;
  return sending(node, batch, node.tunnel(encap === 'vxlan', header));
}

/** Super-packets as a pod's kernel hands them over, of as many segments together as a batch has packets. */
const SUPER_PACKETS = 2;
const SEGMENTS = PACKETS / SUPER_PACKETS;
const LARGEST_INNER = 1450;

function segmenting(protocol: 'tcp' | 'udp'): Work {
  const node = new BenchNode();
  node.route(`${FAR_POD[4]}/32`, farPaths.vxlan);
  const batch = node.batch(Ingress.port);
  const headers = headersOf({ ...SMALL, protocol });
  const segment = LARGEST_INNER - headers;
  const shape: PacketShape = { family: 4, protocol, payload: segment * SEGMENTS, flows: 1 };
  addPackets(node.memory, batch, POD_PORT, shape, SUPER_PACKETS);
  parse(batch, node.memory);
  for (let i = 0; i < SUPER_PACKETS; i++) {
    batch.gso[i] = Gso[protocol];
    batch.segmentSize[i] = segment;
    batch.partial[i] = 20 | ((protocol === 'tcp' ? 16 : 6) << 16);
  }
  return sending(node, batch, node.tunnel(true, vxlan.HEADER_LENGTH));
}

export const sendStages: readonly Stage[] = [
  {
    id: 'encap-vxlan',
    title: 'encap, VXLAN, UDP 64 B, one flow',
    prepare: () => encapsulating('vxlan', 1),
  },
  {
    id: 'encap-vxlan-flows',
    title: 'encap, VXLAN, UDP 64 B, 64 flows',
    prepare: () => encapsulating('vxlan', PACKETS),
  },
  { id: 'encap-ipip', title: 'encap, IPIP, UDP 64 B, one flow', prepare: () => encapsulating('ipip', 1) },
  {
    id: 'segment-tcp',
    title: 'segment, TCP, 2 super-packets of 32, and encap',
    prepare: () => segmenting('tcp'),
  },
  {
    id: 'segment-udp',
    title: 'segment, UDP, 2 super-packets of 32, and encap',
    prepare: () => segmenting('udp'),
  },
];
