// The entry of BFD's thread.

import { type MessagePort, parentPort } from 'node:worker_threads';
import { libc } from '../../sys/libc.ts';
import type { FromBfd, ToBfd } from './bfd.ts';
import { Monitor } from './monitor.ts';

/** Before what computes: a packet late by the detection time is a peer lost. Where it may not, it goes without. */
const NICE = -15;
libc.setpriority(0, 0, NICE);

const port = parentPort as MessagePort;
const say = (message: FromBfd): void => port.postMessage(message);
const monitor = new Monitor({
  onLost: (name, why) => say({ kind: 'lost', name, why }),
  onView: (view) => say({ kind: 'view', view }),
  onLog: (level, fields, text) => say({ kind: 'log', level, fields, text }),
  onFailure(error) {
    throw error;
  },
});
port.on('message', (message: ToBfd) => {
  if (message.kind === 'watch') monitor.watch(message.targets);
  else {
    monitor.stop();
    port.close();
  }
});
