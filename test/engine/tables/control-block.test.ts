import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  acknowledge,
  acknowledgedEpoch,
  CONTROL_WORDS,
  loadEpoch,
  publishEpoch,
  requestStop,
  setWorkerCount,
  stopRequested,
} from '../../../engine/tables/control-block.ts';
import { IdPool } from '../../../engine/tables/id-pool.ts';
import { Limits } from '../../../engine/tables/limits.ts';

const newBlock = (workers: number): Int32Array => {
  const block = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  setWorkerCount(block, workers);
  return block;
};

/** What happens: control publishes, or a worker begins a batch (loads the epoch) and, later, ends it (acknowledges). */
const happening = (workers: number) =>
  fc.oneof(
    fc.constant({ publish: true, worker: -1 }),
    fc.nat(workers - 1).map((worker) => ({ publish: false, worker })),
  );
const world = fc
  .integer({ min: 1, max: Limits.workers })
  .chain((workers) => fc.tuple(fc.constant(workers), fc.array(happening(workers), { maxLength: 150 })));

it('an epoch counts as seen when the batches of all workers that began before it have ended', () => {
  fc.assert(
    fc.property(world, ([workers, happenings]) => {
      const block = newBlock(workers);
      const seen = new Array<number>(workers).fill(0);
      const inBatch = new Array<number>(workers).fill(-1);
      let published = 0;
      for (const { publish, worker } of happenings) {
        if (publish) expect(publishEpoch(block)).toBe(++published);
        else if (inBatch[worker] < 0) inBatch[worker] = loadEpoch(block);
        else {
          acknowledge(block, worker, inBatch[worker]);
          seen[worker] = inBatch[worker];
          inBatch[worker] = -1;
        }
        expect(loadEpoch(block)).toBe(published);
        expect(acknowledgedEpoch(block)).toBe(Math.min(published, ...seen));
      }
      expect(stopRequested(block)).toBe(false);
      requestStop(block);
      expect(stopRequested(block)).toBe(true);
      expect(loadEpoch(block)).toBe(published);
    }),
  );
});

it('no id is given out again while a batch that may use it runs', () => {
  fc.assert(
    fc.property(world, ([workers, happenings]) => {
      const block = newBlock(workers);
      const pool = new IdPool(1000, 'rows');
      let live = pool.take();
      /** The epoch and the row that a worker's batch began with. */
      const batches = new Map<number, { epoch: number; row: number }>();
      for (const { publish, worker } of happenings) {
        const batch = batches.get(worker);
        if (publish) {
          // As control does: another row takes the place, and the old one is free after the epoch to come.
          const old = live;
          live = pool.take();
          for (const { row } of batches.values()) expect(live).not.toBe(row);
          expect(live).not.toBe(old);
          pool.release(old, loadEpoch(block) + 1);
          publishEpoch(block);
        } else if (batch) {
          acknowledge(block, worker, batch.epoch);
          batches.delete(worker);
        } else batches.set(worker, { epoch: loadEpoch(block), row: live });
        pool.reclaim(acknowledgedEpoch(block));
      }
    }),
    { numRuns: 300 },
  );
});

it('without workers, all is seen', () => {
  const block = newBlock(0);
  publishEpoch(block);
  publishEpoch(block);
  expect(acknowledgedEpoch(block)).toBe(2);
});
