/**
 * One end of the load as a process of its own, so that it can be in a pod's namespace. `main.js agent` does what it is told
 * line by line on stdin, one thing at a time, and stays for the next: what a compiler has learnt is not lost between two
 * measurements. `main.js echo|transactions JSON` serves until it is killed. Everything said is a JSON line: {"ready":true}
 * when the other end may start, {"result":…} or {"error":…} when it is done.
 */
import { createInterface } from 'node:readline';
import { parseAddress } from '../../wire/address.ts';
import { echo, measureRoundTrips } from './round-trip.ts';
import { receiveStreams, sendStreams } from './tcp-stream.ts';
import { makeTransactions, serveTransactions } from './transactions.ts';
import { receiveUdp } from './udp-receive.ts';
import { sendUdp } from './udp-send.ts';

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
const ready = (): void => print({ ready: true });

/** What an agent can be told to do. */
const loads = {
  'udp-send': sendUdp,
  'udp-receive': (options: Parameters<typeof receiveUdp>[0]) => receiveUdp(options, ready),
  'round-trip': measureRoundTrips,
  'tcp-send': sendStreams,
  'tcp-receive': (options: Parameters<typeof receiveStreams>[0]) => receiveStreams(options, ready),
  transactions: makeTransactions,
} as const;

export type Loads = typeof loads;
export type LoadName = keyof Loads;

interface Order {
  readonly load: LoadName;
  readonly options: unknown;
}

const withAddress = (key: string, value: unknown): unknown =>
  key === 'to' ? parseAddress(value as string) : value;

function obey(line: string): void {
  try {
    const { load, options } = JSON.parse(line, withAddress) as Order;
    print({ result: (loads[load] as (options: unknown) => unknown)(options) });
  } catch (error) {
    print({ error: (error as Error).message });
  }
}

interface ServeOptions {
  readonly family: 4 | 6;
  readonly port: number;
}

const [, , role, text] = process.argv;
if (role === 'agent') {
  ready();
  createInterface({ input: process.stdin }).on('line', obey);
} else {
  const { family, port } = JSON.parse(text) as ServeOptions;
  if (role === 'echo') echo(family, port, ready);
  else serveTransactions(family, port, ready);
}
