// The only `new Worker` of the data path.

import { Worker } from 'node:worker_threads';
import type { WorkerSetup } from './assemble.ts';

/**
 * Starts a worker thread. The young generation is kept small: the loop does not allocate, and two workers and control
 * have to live in 250 MB.
 */
export const spawnWorker = (setup: WorkerSetup): Worker =>
  new Worker(new URL('./worker.js', import.meta.url), {
    workerData: setup,
    name: `weft-worker-${setup.worker}`,
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 },
  });
