// The entry of the speaker's thread.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { serve } from './serve.ts';

/**
 * Where V8 is not told to, it collects when it needs room: what a full table leaves would stay as long as nothing happens.
 * Twice, since the first time empties pages and the next one gives them back; some ten milliseconds each.
 */
const collect = (): void => {
  globalThis.gc?.();
  globalThis.gc?.();
};

serve(parentPort as MessagePort, workerData, collect);
