/**
 * What stages are measured against: a loop that does what they do in kind (reads words of headers, mixes them, stores what
 * comes of it, a branch now and then), and that nobody will ever make faster. A ratio to it does not depend on how fast the
 * machine is, and hardly on what else it does.
 */
import type { Work } from '../micro/stage.ts';

const WORDS_A_PACKET = 16;
/** About as much as a stage takes for a packet. */
const PASSES = 2;

export function referenceWork(packets: number): Work {
  const words = new Int32Array(new SharedArrayBuffer(packets * WORDS_A_PACKET * 4));
  words.forEach((_, n) => {
    words[n] = Math.imul(n + 1, 0x9e3779b1);
  });
  const verdicts = new Int32Array(packets);
  const run = (): void => {
    for (let packet = 0; packet < packets; packet++) {
      let hash = packet;
      for (let pass = 0; pass < PASSES; pass++) {
        for (let w = packet * WORDS_A_PACKET; w < (packet + 1) * WORDS_A_PACKET; w++) {
          hash = Math.imul(hash ^ words[w], 0x85ebca6b);
          if ((hash & 15) === 0) hash ^= hash >>> 13;
        }
      }
      verdicts[packet] = hash;
    }
  };
  const prove = (): void => {
    run();
    const first = verdicts.slice();
    verdicts.fill(0);
    run();
    if (first.some((value, n) => value !== verdicts[n]))
      throw new Error('the reference loop is not repeatable');
  };
  return { run, prove };
}
