// The few words by which control and workers agree on time: control publishes an epoch after each change, a worker
// acknowledges the epoch that it loaded before a batch when the batch is done. What was replaced before the smallest
// acknowledged epoch is seen by nobody any more.

import { Limits } from './limits.ts';

const EPOCH = 0;
const STOP = 1;
const WORKERS = 2;
const UPLINK = 3;
const ACKNOWLEDGED = 4;

export const CONTROL_WORDS = ACKNOWLEDGED + Limits.workers;

export const setWorkerCount = (control: Int32Array, workers: number): void => {
  control[WORKERS] = workers;
};

/** Makes the changes so far a new epoch and returns it. */
export const publishEpoch = (control: Int32Array): number => Atomics.add(control, EPOCH, 1) + 1;

export const loadEpoch = (control: Int32Array): number => Atomics.load(control, EPOCH);

export const acknowledge = (control: Int32Array, worker: number, epoch: number): void => {
  Atomics.store(control, ACKNOWLEDGED + worker, epoch);
};

/** The epoch that every worker has seen. */
export const acknowledgedEpoch = (control: Int32Array): number => {
  let least = loadEpoch(control);
  for (let worker = 0; worker < control[WORKERS]; worker++) {
    least = Math.min(least, Atomics.load(control, ACKNOWLEDGED + worker));
  }
  return least;
};

/** Whether super-packets may leave by the uplink (uplink-sender.ts): control finds out, now and again. */
export const allowUplink = (control: Int32Array, allowed: boolean): void => {
  Atomics.store(control, UPLINK, allowed ? 1 : 0);
};

export const uplinkAllowed = (control: Int32Array): boolean => Atomics.load(control, UPLINK) !== 0;

export const requestStop = (control: Int32Array): void => {
  Atomics.store(control, STOP, 1);
};

export const stopRequested = (control: Int32Array): boolean => Atomics.load(control, STOP) !== 0;
