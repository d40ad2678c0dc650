// A worker thread: waits until something is readable, forwards it to the end, and tells control which epoch it has
// seen. Looks for a while before it sleeps (busy-poll.ts), blocks in epoll_wait and never runs the event loop: what
// control wants comes through tables and the eventfd.

import { workerData } from 'node:worker_threads';
import { assembleForwarder, type WorkerSetup } from './assemble.ts';
import { BusyPoll } from './busy-poll.ts';
import { markDead } from './counting.ts';
import { pinThread, yieldProcessor } from './device/affinity.ts';
import { Errno } from './device/io.ts';
import { addressOf, createKernelIo } from './device/kernel-io.ts';
import { Poller, Source, tagId, tagSource } from './device/poller.ts';
import type { Forwarder } from './forwarder.ts';
import { openTables } from './tables/buffers.ts';
import { acknowledge, loadEpoch, stopRequested } from './tables/control-block.ts';
import * as ports from './tables/ports.ts';

/** Control wakes a worker when it must not wait; this bounds what a lost wake-up would cost. */
const WAIT_MS = 100;

const run = (setup: WorkerSetup): void => {
  if (setup.cpu !== undefined) pinThread(setup.cpu);
  const tables = openTables(setup.tables);
  const counters = tables.counters[setup.worker];
  const io = createKernelIo();
  const forwarder = assembleForwarder(setup, tables, io, addressOf);
  const poller = new Poller(setup.pollSet);
  const busyPoll = new BusyPoll(setup.busyPollMs);
  let taken = 0;
  while (!stopRequested(tables.control)) {
    const ready = waitForWork(poller, busyPoll, forwarder);
    const epoch = loadEpoch(tables.control);
    forwarder.release();
    for (let n = 0; n < ready; n++) {
      const id = tagId(poller.tag(n));
      const source = tagSource(poller.tag(n));
      if (source === Source.port) {
        const result = forwarder.fromPort(id);
        if (result !== 0 && result !== -Errno.EAGAIN) {
          poller.forget(ports.fd(tables.ports, id, setup.worker));
          markDead(counters, id);
        }
      } else if (source === Source.receiver) {
        forwarder.fromUnderlay(setup.receivers[id]);
      } else {
        poller.clearWake(setup.wake);
      }
    }
    acknowledge(tables.control, setup.worker, epoch);
    // On a processor that is shared, those who take what was sent go first (docs/adr/0007-yielding.md).
    if (forwarder.taken !== taken) yieldProcessor();
    taken = forwarder.taken;
  }
  io.close();
};

/** Number of readable descriptors, as Poller.wait. */
const waitForWork = (poller: Poller, busyPoll: BusyPoll, forwarder: Forwarder): number => {
  let ready = poller.wait(0);
  if (ready > 0) return ready;
  const start = performance.now();
  const end = start + Math.min(busyPoll.window, forwarder.wait());
  while (ready === 0 && performance.now() < end) ready = poller.wait(0);
  if (ready === 0) ready = poller.wait(Math.ceil(Math.min(WAIT_MS, forwarder.wait())));
  busyPoll.came(performance.now() - start, forwarder.taken);
  return ready;
};

run(workerData as WorkerSetup);
