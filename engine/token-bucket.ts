// Taking tokens: when a packet of a limited port may go. A packet that the bucket has no tokens for takes them all the
// same and waits until they would have been there: its time to leave is settled when it comes, whichever worker has it, so
// that a worker that looks late costs no rate, and packets of a flow keep their order. Nothing here waits or holds packets.
//
//              burst         queue
//          ◀──────────▶◀────────────▶
//   ───────┼───────────┼────────────┼──▶ bytes     now = place of the clock that ticks at the rate
//         now                                      paid up to here: the bucket is full    (at or before now)
//          ····························                             goes at once           (within the burst)
//                                                                   waits                  (within the queue)
//                                                                   is refused             (beyond)

import * as rates from './tables/rates.ts';

/** In place of a time: more than may wait is waiting already. */
export const REFUSED = -1;

/** A queue that stays shrinks for so many times its patience. */
const SHRINKING = 10;

/**
 * Takes the tokens for a packet of `bytes`, unless they are refused.
 * @param row of tables/rates.ts  @param now milliseconds of clock.ts  @param mayWait false: refused rather than wait
 * @returns milliseconds until it may go
 */
export const takeTokens = (
  table: Int32Array,
  row: number,
  bytes: number,
  now: number,
  mayWait: boolean,
): number => {
  const here = rates.place(table, row, now);
  // A packet larger than the bucket goes when the bucket is full, as one of its size would.
  const slack = Math.max(0, table[row + rates.BURST] - bytes);
  for (;;) {
    const paid = Atomics.load(table, row + rates.PAID);
    const ahead = aheadOf(table, row, paid, here, now);
    const wait = ahead - slack;
    if ((wait > 0 && !mayWait) || !mayJoin(table, row, wait, bytes, now)) return REFUSED;
    const next = (here + ahead + bytes) | 0;
    if (Atomics.compareExchange(table, row + rates.PAID, paid, next) !== paid) continue;
    table[row + rates.TOUCHED] = now | 0;
    return wait <= 0 ? 0 : wait / rates.bytesPerMs(table, row);
  }
};

/**
 * Whether a packet may join those that wait. A queue is there for what comes at once, and takes that; one that stays is only
 * delay, so the longer it stays the less it takes, until what is over the limit waits for STANDING and no more. (CoDel and
 * PIE, RFC 8289 and 8033, have the same end; dropping ever more often, or by chance, takes them longer with who heeds nothing.)
 */
const mayJoin = (table: Int32Array, row: number, wait: number, bytes: number, now: number): boolean => {
  const standing = table[row + rates.STANDING];
  const queue = table[row + rates.QUEUE];
  const patience = table[row + rates.PATIENCE];
  const longest = (1 + SHRINKING) * patience;
  const time = now | 0;
  let stood = Math.min(longest, (time - table[row + rates.CALM]) | 0);
  if (wait <= standing >> 1) {
    // Calm makes up for as much as it lasts. A moment of it, such as a worker that was held up, is not the end of a flood.
    const calm = (time - table[row + rates.TOUCHED]) | 0;
    stood = calm < 0 || calm > longest ? 0 : Math.max(0, stood - 2 * calm);
  }
  table[row + rates.CALM] = time - stood;
  if (stood <= patience) return wait <= queue;
  // For super-packets a queue of two is none.
  return (
    wait <= Math.max(standing + 2 * bytes, queue - ((stood - patience) * queue) / (SHRINKING * patience))
  );
};

/** Milliseconds that a small packet would wait at `now`. */
export const backlog = (table: Int32Array, row: number, now: number): number => {
  const here = rates.place(table, row, now);
  const ahead = aheadOf(table, row, table[row + rates.PAID], here, now);
  return Math.max(0, ahead - table[row + rates.BURST]) / rates.bytesPerMs(table, row);
};

/** Bytes paid for that the clock has yet to reach. A place from long ago would look like one to come: it is modulo 2^32. */
const aheadOf = (table: Int32Array, row: number, paid: number, here: number, now: number): number => {
  const idle = ((now | 0) - table[row + rates.TOUCHED]) | 0;
  return idle > table[row + rates.REFILLED] ? 0 : Math.max(0, (paid - here) | 0);
};
