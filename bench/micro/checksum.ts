/** The Internet checksum of payloads where they lie. */
import { Ingress } from '../../engine/batch.ts';
import { verifyTransport } from '../../engine/offload/transport-checksum.ts';
import { parse } from '../../engine/parse.ts';
import { Protocol } from '../../wire/protocol.ts';
import { BenchNode, POD_PORT } from './bench-node.ts';
import { addPackets } from './packets.ts';
import { expectCount, PACKETS, type Stage, type Work } from './stage.ts';

const verifying = (payload: number): Work => {
  const node = new BenchNode();
  const batch = node.batch(Ingress.underlay);
  addPackets(node.memory, batch, POD_PORT, { family: 4, protocol: 'udp', payload, flows: 1 }, PACKETS);
  parse(batch, node.memory);
  let right = 0;
  const run = (): void => {
    right = 0;
    for (let i = 0; i < PACKETS; i++) {
      const { offset, headerLength, length } = batch;
      if (verifyTransport(node.memory, 4, offset[i], headerLength[i], length[i], Protocol.udp)) right++;
    }
  };
  const prove = (): void => {
    run();
    expectCount('right checksums', right, PACKETS);
  };
  return { run, prove };
};

export const checksumStages: readonly Stage[] = [
  { id: 'checksum-64', title: 'checksum of a UDP payload of 64 B verified', prepare: () => verifying(64) },
  {
    id: 'checksum-1400',
    title: 'checksum of a UDP payload of 1,400 B verified',
    prepare: () => verifying(1400),
  },
];
