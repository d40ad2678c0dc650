/** Counting: what every packet of a port adds to the cells that metrics are read from. */
import { countDelivered, countTaken } from '../../engine/counting.ts';
import { Verdict } from '../../engine/verdict.ts';
import { BenchNode } from './bench-node.ts';
import { expectCount, PACKETS, type Stage, type Work } from './stage.ts';

/** Ports of the batch's packets, one after the other: a ring of 64, whose cells lie side by side. */
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

export const counterStages: readonly Stage[] = [
  { id: 'counters', title: 'counters, taken and delivered, 64 ports in turn', prepare: counting },
];
