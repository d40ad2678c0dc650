/** BFD as the node has it: in a thread of its own. The only `new Worker` of BFD. */
import { Worker } from 'node:worker_threads';
import type { FromBfd, StartBfd, ToBfd } from './bfd.ts';

/** How long the thread may take to tell its peers, milliseconds. */
const STOP_PATIENCE = 1000;

export const startBfd: StartBfd = (events) => {
  const worker = new Worker(new URL('./thread.js', import.meta.url), { name: 'weft-bfd' });
  const say = (message: ToBfd): void => worker.postMessage(message);
  let stopping = false;
  let failed = false;
  const fail = (error: Error): void => {
    if (!stopping && !failed) events.onFailure(error);
    failed = true;
  };
  worker.on('message', (message: FromBfd) => {
    if (message.kind === 'lost') events.onLost(message.name, message.why);
    else if (message.kind === 'view') events.onView(message.view);
    else events.onLog(message.level, message.fields, message.text);
  });
  worker.on('error', (error) => fail(new Error(`BFD: ${error.message}`, { cause: error })));
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      fail(new Error(`BFD: its thread has ended with status ${code}`));
      resolve();
    });
  });
  return {
    watch: (targets) => say({ kind: 'watch', targets }),
    async stop() {
      stopping = true;
      say({ kind: 'stop' });
      const timer = setTimeout(() => void worker.terminate(), STOP_PATIENCE);
      await ended;
      clearTimeout(timer);
    },
  };
};
