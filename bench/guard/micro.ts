/** Every stage of the engine by the reference loop, in turn within one run: what the guard watches of them. */

import { PACKETS, type Stage, type Work } from '../micro/stage.ts';
import { stages } from '../micro/suite.ts';
import { median } from '../statistics.ts';
import { referenceWork } from './reference.ts';

/** Large tables are as fast as the machine's memory, which is not what is guarded. */
export const guardedStages: readonly Stage[] = stages.filter(({ id }) => !/-1(m|00k)-/.test(id));

const ROUNDS = 9;
const WARM_UP_MS = 150;
/** Long enough for a clock, short enough that a busy machine leaves most samples alone. */
const SAMPLE_MS = 4;

/** Median of the ratios of pairs: time of the stage by that of the reference, right after one another. */
export function stageRatio(stage: Stage): number {
  const work = stage.prepare();
  const reference = referenceWork(PACKETS);
  work.prove();
  reference.prove();
  const [calls, referenceCalls] = [work, reference].map(callsASample);
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const first = timeOf(reference, referenceCalls);
    const own = timeOf(work, calls);
    const second = timeOf(reference, referenceCalls);
    // Of the two beside it the faster: what a disturbance adds to the reference would excuse the stage.
    ratios.push(own / Math.min(first, second));
  }
  work.prove();
  return median(ratios);
}

/** Warms up, and finds how many calls a sample takes. */
function callsASample({ run }: Work): number {
  let calls = 0;
  const began = performance.now();
  let elapsed = 0;
  do {
    run();
    calls++;
    elapsed = performance.now() - began;
  } while (elapsed < WARM_UP_MS);
  return Math.max(1, Math.round((calls * SAMPLE_MS) / elapsed));
}

/** Milliseconds a call: the least of a few samples, for what disturbs only ever adds. */
function timeOf({ run }: Work, calls: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < 3; sample++) {
    const began = performance.now();
    for (let n = 0; n < calls; n++) run();
    least = Math.min(least, (performance.now() - began) / calls);
  }
  return least;
}
