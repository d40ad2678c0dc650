// The speaker behind a port: what it does when much has happened, and then nothing.
import { expect, it } from 'vitest';
import type { FromThread, ToThread } from '../../../routing/bgp/protocol.ts';
import { serve } from '../../../routing/bgp/serve.ts';
import { parseAddress } from '../../../wire/address.ts';

it('tidies up a second after the last of many changes, and not in between', async () => {
  const settings = {
    asn: 65001,
    routerId: parseAddress('10.0.0.1'),
    maxPaths: 1,
    gracefulRestart: { restartTime: 30, stalePathTime: 30, longLivedTime: 0, selectionDeferral: 0 },
    peers: [],
  };
  let hear: (message: ToThread) => void = () => {};
  let told = 0;
  let lastAt = 0;
  let onAll = (): void => {};
  const all = new Promise<void>((resolve) => {
    onAll = resolve;
  });
  const COUNT = 12_000;
  const port = {
    postMessage(message: FromThread) {
      if (message.kind !== 'routes') return;
      told += message.batch.lengths.length;
      lastAt = performance.now();
      if (told === COUNT) onAll();
      setImmediate(() => hear({ kind: 'taken' }));
    },
    on(_: 'message', listener: typeof hear) {
      hear = listener;
    },
    close() {},
  };
  const tidied: number[] = [];
  serve(port, { settings, options: { restarting: false } }, () => void tidied.push(performance.now()));
  const routes = Array.from({ length: COUNT }, (_, i) => ({
    prefix: { address: { family: 4 as const, words: [0x0a000000 + i * 256] }, length: 24 },
    attributes: {},
  }));
  hear({ kind: 'originate', routes });
  await all;
  expect(tidied).toEqual([]);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(tidied.length).toBe(1);
  expect(tidied[0] - lastAt).toBeGreaterThanOrEqual(990);
  hear({ kind: 'stop', restart: false });
});
