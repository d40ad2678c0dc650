// Rate limits: a token bucket for each direction of a port, shared by all workers. The bucket itself is one word, a place
// on a clock that ticks once a byte at the limit's rate: how far the packets so far have been paid for. So a worker takes
// tokens by one compare-and-exchange, and nobody has to fill the bucket. What is done with it is in token-bucket.ts.

import { Limits } from './limits.ts';

/** As seen from the pod: what it receives, what it sends. */
export const Direction = { ingress: 0, egress: 1 } as const;
export type Direction = (typeof Direction)[keyof typeof Direction];

/** Both as people write them. */
export interface RateLimit {
  /** Bits of IP packets a second, at least MIN_RATE. */
  readonly rate: number;
  /** Bits that may pass at once after a time of less. */
  readonly burst: number;
}

/** At less, a full queue would stand for minutes. Bits a second. */
export const MIN_RATE = 1000;
/** Bits: what the CNI bandwidth plugin takes at most. */
export const MAX_BURST = 2 ** 32 - 1;

const ROW = 16;
/** Rate in thousands of bits a second, and the rest of it. */
export const KILOBITS = 0;
export const REST = 1;
export const BURST = 2;
/** Bytes that may wait behind an empty bucket. */
export const QUEUE = 3;
/** The bucket: byte of the clock that was paid for last, modulo 2^32. */
export const PAID = 4;
/** When that was, in milliseconds modulo 2^32, and after how many more the bucket is certainly full. */
export const TOUCHED = 5;
export const REFILLED = 6;
/** Bytes that may wait for long, milliseconds that count as long, and since when (modulo 2^32) they seem to have waited. */
export const STANDING = 7;
export const PATIENCE = 8;
export const CALM = 9;

/** Row 0 is no port's: its first word counts the limits that there are. */
const COUNT = 0;
export const RATE_WORDS = Limits.ports * 2 * ROW;

/** More is no limit to anything that this engine can carry: 2 Tbit/s. */
const MAX_KILOBITS = 0x7fffffff;
/**
 * How long packets may wait for tokens: for this time, when many come at once (a TCP connection that starts needs as much at
 * 10 Mbit/s, or it stands still for a retransmission timeout); in the long run for a tenth of it (docs/adr/0004).
 */
const QUEUE_MS = 200;
/** At low rates that is too little to keep a connection going: ten packets of common size in the long run. */
const LEAST_STANDING = 15_000;
/** At high rates more than anybody needs, and there is only so much memory. */
const MOST_STANDING = 400_000;
const PATIENCE_MS = 100;
const LARGEST_PACKET = 65535;
const LONGEST_MS = 1 << 30;

/** Where the row of a port and direction begins. */
export const rateRow = (port: number, direction: number): number => (port * 2 + direction) * ROW;

/** The port that a row is of. */
export const portOfRow = (row: number): number => (row / (2 * ROW)) | 0;

/** Whether any port has a limit. */
export const anyLimited = (table: Int32Array): boolean => table[COUNT] !== 0;

export const isLimited = (table: Int32Array, port: number, direction: number): boolean => {
  const row = rateRow(port, direction);
  return (table[row + KILOBITS] | table[row + REST]) !== 0;
};

/** Bytes a millisecond. */
export const bytesPerMs = (table: Int32Array, row: number): number =>
  table[row + KILOBITS] / 8 + table[row + REST] / 8000;

/** Place of the row's clock at `now`, milliseconds of clock.ts. */
export const place = (table: Int32Array, row: number, now: number): number =>
  (now * bytesPerMs(table, row)) | 0;

/** Control only: sets, changes (undefined: removes) a limit; the bucket is full at first. @param now of clock.ts */
export const writeRate = (
  table: Int32Array,
  port: number,
  direction: Direction,
  limit: RateLimit | undefined,
  now: number,
): void => {
  const row = rateRow(port, direction);
  if (isLimited(table, port, direction)) table[COUNT]--;
  table.fill(0, row, row + ROW);
  if (limit === undefined) return;
  const kilobits = Math.min(Math.floor(limit.rate / 1000), MAX_KILOBITS);
  const perMs = limit.rate / 8000;
  const burst = Math.floor(limit.burst / 8);
  const standing = Math.ceil(Math.min(MOST_STANDING, Math.max(LEAST_STANDING, (perMs * QUEUE_MS) / 10)));
  const queue = 10 * standing;
  table[row + STANDING] = standing;
  table[row + PATIENCE] = Math.max(PATIENCE_MS, Math.ceil((5 * standing) / perMs));
  table[row + CALM] = now | 0;
  table[row + BURST] = burst;
  table[row + QUEUE] = queue;
  table[row + REFILLED] = Math.min(LONGEST_MS, Math.ceil((burst + queue + LARGEST_PACKET) / perMs) + 1);
  table[row + TOUCHED] = now | 0;
  table[row + KILOBITS] = kilobits;
  table[row + REST] = limit.rate % 1000;
  table[row + PAID] = place(table, row, now);
  table[COUNT]++;
};
