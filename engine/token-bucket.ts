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
    if (wait > 0 && (!mayWait || wait > table[row + rates.QUEUE])) return REFUSED;
    if (stands(table, row, wait - 2 * bytes, now)) return REFUSED;
    const next = (here + ahead + bytes) | 0;
    if (Atomics.compareExchange(table, row + rates.PAID, paid, next) !== paid) continue;
    table[row + rates.TOUCHED] = now | 0;
    return wait <= 0 ? 0 : wait / rates.bytesPerMs(table, row);
  }
};

/**
 * Whether a packet has to go so that others wait less: a queue is there to take what comes at once, and one that stays is only
 * delay. One packet a PATIENCE is enough for senders that heed it, and they lose no more (as CoDel, RFC 8289, but for its
 * ever faster drops: who heeds nothing is stopped by the queue's end).
 * @param wait less two of the packet's size: a queue of less is none, for packets that large
 */
const stands = (table: Int32Array, row: number, wait: number, now: number): boolean => {
  const late = wait > table[row + rates.STANDING];
  if (late && (((now | 0) - table[row + rates.CALM]) | 0) <= table[row + rates.PATIENCE]) return false;
  table[row + rates.CALM] = now | 0;
  return late;
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
