/** The Internet checksum of payloads where they lie, and counting. */
import { Ingress } from '../../engine/batch.ts';
import { countDelivered, countTaken } from '../../engine/counting.ts';
import { verifyTransport } from '../../engine/offload/transport-checksum.ts';
import { parse } from '../../engine/parse.ts';
import { Verdict } from '../../engine/verdict.ts';
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

/** Ports of the batch's packets, one after the other: the cells of a million packets lie in 64 places. */
const FIRST_PORT = 2;
const BYTES = 92;

const counting = (): Work => {
  const node = new BenchNode();
  const { counters } = node;
  const run = (): void => {
    for (let n = 0; n < PACKETS; n++) {
      countTaken(counters, FIRST_PORT + n, 1, BYTES);
      countDelivered(counters, FIRST_PORT + PACKETS - 1 - n, 1, BYTES);
    }
  };
  const prove = (): void => {
    const before = node.counted(Verdict.delivered);
    run();
    expectCount('packets counted', node.counted(Verdict.delivered) - before, PACKETS);
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
  { id: 'counters', title: 'counters, taken and delivered, 64 ports in turn', prepare: counting },
];
