/**
 * A process of its own with the two peers of the speaker that is measured: one feeds, one receives. One clock for both.
 *
 *   peers.js '{"remote":"10.99.0.1", …}'    then a line on stdin for each thing to do: 'feed', 'withdraw'
 *
 * Everything said is a JSON line: {"ready":true}, {"result":…} or {"error":…}.
 */
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { parseAddress } from '../../wire/address.ts';
import { BarePeer } from './bare-peer.ts';
import { announcements, type Feed, withdrawals } from './feed.ts';
import { isUpdate, Tally } from './tally.ts';

export interface PeersOptions {
  readonly remote: string;
  readonly port: number;
  readonly feeder: { readonly local: string; readonly asn: number };
  readonly receiver: { readonly local: string; readonly asn: number };
  readonly holdTime: number;
  readonly feed: Feed;
  /** Milliseconds between the sessions' coming up and being ready: speakers tell themselves all sorts of things then. */
  readonly settle: number;
  /** Seconds that telling all, or withdrawing all, may take. */
  readonly patience: number;
}

export type Order = 'feed' | 'withdraw';

export interface Passed {
  /** From the first byte that the feeder wrote to the last prefix that the receiver was told of. */
  readonly seconds: number;
  /** UPDATEs that the receiver got. */
  readonly messages: number;
  /** Longest time that one of the sessions was silent meanwhile, milliseconds. */
  readonly longestSilence: number;
}

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
const fail = (error: Error): never => {
  print({ error: error.message });
  process.exit(1);
};

const options = JSON.parse(process.argv[2]) as PeersOptions;
const { feed, feeder, receiver, remote, port, holdTime } = options;
const tally = new Tally();
let wanted = -1;
let onWanted: () => void = () => {};

const bytes: Readonly<Record<Order, Uint8Array>> = {
  feed: announcements(feed, feeder.asn, parseAddress(feeder.local).words[0]),
  withdraw: withdrawals(feed),
};
const peers = await Promise.all([
  BarePeer.open({ ...feeder, remote, port, holdTime, onMessage: () => {} }, fail),
  BarePeer.open({ ...receiver, remote, port, holdTime, onMessage }, fail),
]).catch(fail);

function onMessage(message: Uint8Array): void {
  if (!isUpdate(message)) return;
  tally.update(message);
  if (tally.announced === wanted) onWanted();
}

async function pass(order: Order): Promise<Passed> {
  const before = tally.messages;
  for (const peer of peers) peer.longestGap = 0;
  const told = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      const what = `${tally.announced} of ${feed.routes} routes are there`;
      reject(new Error(`'${order}' is not over after ${options.patience} s: ${what}`));
    }, options.patience * 1000);
    onWanted = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  wanted = order === 'feed' ? feed.routes : 0;
  const began = performance.now();
  await Promise.all([peers[0].feed(bytes[order]), told]);
  const seconds = (performance.now() - began) / 1000;
  wanted = -1;
  const longestSilence = Math.max(...peers.map((peer) => peer.gap()));
  return { seconds, messages: tally.messages - before, longestSilence };
}

createInterface({ input: process.stdin }).on('line', (line) => {
  pass(line as Order).then((result) => print({ result }), fail);
});
await new Promise((resolve) => setTimeout(resolve, options.settle));
print({ ready: true });
