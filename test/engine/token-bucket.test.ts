// A bucket keeps its promise whoever takes from it and whenever: never more than burst and rate allow, never less than the
// rate to who waits, in order; and what waits is bounded.

import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  anyLimited,
  Direction,
  isLimited,
  PAID,
  QUEUE,
  RATE_WORDS,
  type RateLimit,
  rateRow,
  writeRate,
} from '../../engine/tables/rates.ts';
import { backlog, REFUSED, takeTokens } from '../../engine/token-bucket.ts';
import { compiled } from '../support/compiled.ts';

const PORT = 7;
const ROW = rateRow(PORT, Direction.egress);

const bucket = (limit: RateLimit, now = 0): Int32Array => {
  const table = new Int32Array(new SharedArrayBuffer(RATE_WORDS * 4));
  writeRate(table, PORT, Direction.egress, limit, now);
  return table;
};
/** Times at which packets leave, those that are refused left out. */
const departures = (
  table: Int32Array,
  arrivals: readonly { readonly at: number; readonly bytes: number }[],
): { readonly at: number; readonly bytes: number }[] =>
  arrivals.flatMap(({ at, bytes }) => {
    const wait = takeTokens(table, ROW, bytes, at, true);
    return wait === REFUSED ? [] : [{ at: at + wait, bytes }];
  });

const limits = fc.record({
  rate: fc.oneof(fc.integer({ min: 1000, max: 1e6 }), fc.integer({ min: 1e6, max: 1e10 })),
  burst: fc.oneof(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1e6, max: 2 ** 32 - 1 })),
});
/** Packets in crowds and with pauses, as long as a limit may want. */
const traffic = fc.array(
  fc.record({
    pause: fc.oneof(
      fc.constant(0),
      fc.double({ min: 0, max: 20, noNaN: true }),
      fc.integer({ min: 0, max: 1e6 }),
    ),
    bytes: fc.oneof(fc.integer({ min: 20, max: 1500 }), fc.integer({ min: 20, max: 65_535 })),
  }),
  { minLength: 1, maxLength: 200 },
);
/** Of a machine that was started some time ago. */
const uptime = fc.integer({ min: 0, max: 400 * 86_400_000 });

const arrivalsOf = (
  start: number,
  packets: readonly { readonly pause: number; readonly bytes: number }[],
) => {
  let at = start;
  return packets.map(({ pause, bytes }) => {
    at += pause;
    return { at, bytes };
  });
};

describe('what passes', () => {
  it('is never more than burst and rate allow, in any stretch of time', () => {
    fc.assert(
      fc.property(limits, uptime, traffic, (limit, start, packets) => {
        const left = departures(bucket(limit, start), arrivalsOf(start, packets));
        const perMs = limit.rate / 8000;
        // Places are whole bytes, and a time since the machine's start has the precision of its number.
        const precision = 3 + 1e-3 * perMs;
        for (let first = 0; first < left.length; first++) {
          let bytes = 0;
          for (let last = first; last < left.length; last++) {
            bytes += left[last].bytes;
            const most = Math.max(limit.burst / 8, left[first].bytes, left[last].bytes);
            expect(bytes).toBeLessThanOrEqual(most + perMs * (left[last].at - left[first].at) + precision);
          }
        }
      }),
    );
  });

  it('keeps its order', () => {
    fc.assert(
      fc.property(limits, uptime, traffic, (limit, start, packets) => {
        const times = departures(bucket(limit, start), arrivalsOf(start, packets)).map(({ at }) => at);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
      }),
    );
  });

  it.each([1e6, 1e7, 1e9, 1e10])('is %d bits a second when more is offered', (rate) => {
    const table = bucket({ rate, burst: 12_000 });
    const perMs = rate / 8000;
    let bytes = 0;
    const end = Math.max(2000, 150_000 / perMs);
    // Twice the rate, looked at only once a millisecond.
    for (let now = 0; now < end; now++) {
      for (let offered = 0; offered < 2 * perMs; offered += 1500) {
        if (takeTokens(table, ROW, 1500, now, true) !== REFUSED) bytes += 1500;
      }
    }
    const waits = backlog(table, ROW, end) * perMs;
    expect((bytes - waits) / (perMs * end)).toBeGreaterThan(0.99);
    expect((bytes - waits) / (perMs * end)).toBeLessThan(1.01 + 1500 / (perMs * end));
  });
});

describe('the burst', () => {
  it.each([0, 17, 3 * 86_400_000, 30 * 86_400_000, 200 * 86_400_000])(
    'is there at once, and again after %d ms of nothing',
    (pause) => {
      const burst = 8_000_000;
      const table = bucket({ rate: 1e6, burst }, 5);
      const passAtOnce = (now: number): number => {
        let passed = 0;
        while (takeTokens(table, ROW, 1000, now, false) !== REFUSED) passed++;
        return passed;
      };
      expect(passAtOnce(5)).toBe(1000);
      // 17 ms at 1 Mbit/s are 2,125 bytes.
      expect(passAtOnce(5 + pause)).toBe(Math.min(1000, Math.floor((pause * 125) / 1000)));
    },
  );

  it('may be smaller than a packet: each then goes when the bucket is full', () => {
    const table = bucket({ rate: 8e6, burst: 8 });
    const waits = [1, 2, 3].map(() => takeTokens(table, ROW, 60_000, 0, true));
    expect(waits).toEqual([0, 60, 120]);
  });
});

describe('what waits', () => {
  it('is bounded, and refused beyond that', () => {
    const table = bucket({ rate: 1e8, burst: 8 * 1500 });
    const waits: number[] = [];
    for (let wait = 0; wait !== REFUSED; wait = takeTokens(table, ROW, 1500, 0, true)) waits.push(wait);
    expect(waits.at(-1)).toBeGreaterThan(199);
    expect(waits.at(-1)).toBeLessThanOrEqual(200);
    expect(table[ROW + QUEUE]).toBe(2_500_000);
  });

  it('does not take from the bucket when it is refused, or when it may not wait', () => {
    const table = bucket({ rate: 1e6, burst: 12_000 });
    expect(takeTokens(table, ROW, 1500, 0, false)).toBe(0);
    const paid = table[ROW + PAID];
    expect(takeTokens(table, ROW, 1500, 0, false)).toBe(REFUSED);
    expect(table[ROW + PAID]).toBe(paid);
  });

  it('for long is less and less, until what is too much waits for a tenth', () => {
    const table = bucket({ rate: 1e7, burst: 8 * 1500 });
    /** Offers one and a half times the rate. @returns the longest wait in each 100 ms */
    const flood = (from: number, to: number): number[] => {
      const longest: number[] = [];
      for (let now = from; now < to; now += 0.8) {
        const n = Math.floor((now - from) / 100);
        longest[n] = Math.max(longest[n] ?? 0, takeTokens(table, ROW, 1500, now, true));
      }
      return longest;
    };
    const waits = flood(0, 3000);
    expect(Math.max(...waits)).toBeGreaterThan(100);
    const stayed = waits.slice(15);
    // 20 ms, and two packets of 1.2 ms.
    expect(Math.max(...stayed)).toBeLessThan(23);
    expect(Math.min(...stayed)).toBeGreaterThan(15);
    // After a pause everything is there again.
    expect(Math.max(...flood(4000, 4500))).toBeGreaterThan(100);
  });

  it('of super-packets is two of them at least', () => {
    const table = bucket({ rate: 1e7, burst: 8 * 1500 });
    let passed = 0;
    for (let now = 0; now < 5000; now += 10) {
      if (takeTokens(table, ROW, 60_000, now, true) !== REFUSED) passed += 60_000;
    }
    expect(passed / (1250 * 5000)).toBeGreaterThan(0.97);
  });
});

it('limits come and go by port and direction', () => {
  const table = new Int32Array(RATE_WORDS);
  expect(anyLimited(table)).toBe(false);
  const limit = { rate: 1_234_567, burst: 1 };
  writeRate(table, PORT, Direction.ingress, limit, 0);
  writeRate(table, PORT, Direction.ingress, limit, 0);
  writeRate(table, PORT + 1, Direction.egress, { rate: 1e15, burst: 1 }, 0);
  expect([PORT, PORT + 1].map((port) => [0, 1].map((way) => isLimited(table, port, way)))).toEqual([
    [true, false],
    [false, true],
  ]);
  writeRate(table, PORT, Direction.ingress, undefined, 0);
  expect(anyLimited(table)).toBe(true);
  writeRate(table, PORT + 1, Direction.egress, undefined, 0);
  expect(anyLimited(table)).toBe(false);
  expect(table.every((word) => word === 0)).toBe(true);
});

it('threads that take at the same time lose no byte of it', { timeout: 60_000 }, async () => {
  const table = bucket({ rate: 1000, burst: 2 ** 32 - 1 });
  const before = table[ROW + PAID];
  const [threads, times] = [4, 100_000];
  const program = `
    const { workerData: { table, row, times, url } } = require('node:worker_threads');
    import(url).then(({ takeTokens }) => {
      for (let n = 0; n < times; n++) if (takeTokens(table, row, 1 + (n & 3), 0, false) !== 0) throw new Error('refused');
    });`;
  const workerData = { table, row: ROW, times, url: `file://${compiled()}/engine/token-bucket.js` };
  const ends = Array.from({ length: threads }, () => {
    const worker = new Worker(program, { eval: true, workerData });
    return new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve));
  });
  expect(await Promise.all(ends)).toEqual([0, 0, 0, 0]);
  expect(table[ROW + PAID] - before).toBe(threads * times * 2.5);
});
