/** Stage 1, and all stages that decide, over batches as they come from a port and from the underlay. */
import { Ingress } from '../../engine/batch.ts';
import { parse } from '../../engine/parse.ts';
import { decide } from '../../engine/stages.ts';
import { Verdict } from '../../engine/verdict.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { BenchNode, farPaths, POD_PORT } from './bench-node.ts';
import { addPackets, FAR_POD, type PacketShape, POD } from './packets.ts';
import { expectCount, PACKETS, type Stage, type Work } from './stage.ts';

const UDP4: PacketShape = { family: 4, protocol: 'udp', payload: 64, flows: 8 };
const UDP6: PacketShape = { ...UDP4, family: 6 };

const parsing = (shape: PacketShape, ingress: Ingress): Work => {
  const node = new BenchNode();
  const batch = node.batch(ingress);
  addPackets(node.memory, batch, POD_PORT, shape, PACKETS);
  const run = (): void => parse(batch, node.memory);
  const prove = (): void => {
    batch.hash.fill(0);
    run();
    expectCount('packets refused', batch.verdict.filter((verdict) => verdict !== Verdict.pending).length, 0);
    expectCount('flows', new Set(batch.hash).size, shape.flows);
  };
  return { run, prove };
};

/** TTL, protocol and checksum of an IPv4 header, the word that a hop changes. */
const TTL_WORD = 8;

const deciding = (): Work => {
  const node = new BenchNode();
  node.route(`${POD[4]}/32`, { kind: 'port', port: POD_PORT });
  node.route(`${FAR_POD[4]}/32`, farPaths.vxlan);
  const batch = node.batch(Ingress.port);
  addPackets(node.memory, batch, POD_PORT, UDP4, PACKETS);
  const { i32, view } = node.memory;
  const words = batch.offset.map((offset) => i32[(offset + TTL_WORD) >> 2]);
  const run = (): void => {
    for (let i = 0; i < PACKETS; i++) {
      i32[(batch.offset[i] + TTL_WORD) >> 2] = words[i];
      batch.adjacency[i] = 0;
    }
    decide(batch, node.memory, node.tables);
  };
  const prove = (): void => {
    run();
    expectCount('packets refused', batch.verdict.filter((verdict) => verdict !== Verdict.pending).length, 0);
    expectCount('packets without a way', batch.adjacency.filter((adjacency) => adjacency === 0).length, 0);
    expectCount('TTL behind the hop', ipv4.ttl(view, batch.offset[0]), 63);
  };
  return { run, prove };
};

export const parseStages: readonly Stage[] = [
  { id: 'parse4', title: 'parse, IPv4 UDP from a port', prepare: () => parsing(UDP4, Ingress.port) },
  {
    id: 'parse4-underlay',
    title: 'parse, IPv4 UDP from the underlay, header verified',
    prepare: () => parsing(UDP4, Ingress.underlay),
  },
  { id: 'parse6', title: 'parse, IPv6 UDP from a port', prepare: () => parsing(UDP6, Ingress.port) },
  { id: 'decide', title: 'all deciding stages, IPv4 UDP, port to VXLAN', prepare: deciding },
];
