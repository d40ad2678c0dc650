/**
 * One measurement: a speaker alone in its namespace, the two peers in one process beside it, everything told on and then
 * withdrawn. Contestants take turns, the order reversed from round to round.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { link } from '../../lab/link.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { Run } from '../../lab/run.ts';
import type { WeftNode } from '../../lab/weft-node.ts';
import { cpuSeconds, residentBytes } from '../fabric/process-usage.ts';
import { type ContestantName, contestants, FEEDER, RECEIVER, SPEAKER, type Speaker } from './contestants.ts';
import type { Order, Passed, PeersOptions } from './peers.ts';
import type { Figures, Row } from './rows.ts';

const PEERS = fileURLToPath(new URL('./peers.js', import.meta.url));
const PORT = 179;
/** Milliseconds: until sessions have calmed down; until memory is looked at; between two questions to the API. */
const SETTLE = 2000;
const REST = 2000;
const ASK = 10;

export interface Measurement {
  readonly row: string;
  readonly contestant: ContestantName;
  readonly round: number;
  readonly figures?: Figures;
  readonly failure?: string;
}

export async function measure(row: Row, contestant: ContestantName, round: number): Promise<Measurement> {
  const described = { row: row.id, contestant, round };
  const run = new Run();
  try {
    return { ...described, figures: await figuresOf(run, row, contestant) };
  } catch (error) {
    return { ...described, failure: (error as Error).message };
  } finally {
    await run.close();
  }
}

async function figuresOf(run: Run, { feed, patience }: Row, name: ContestantName): Promise<Figures> {
  const { holdTime, start } = contestants[name];
  const [inside, outside] = [run.namespace('speaker'), run.namespace('peers')];
  link(
    { namespace: inside, name: 'eth0', addresses: [`${SPEAKER.address}/24`] },
    { namespace: outside, name: 'eth0', addresses: [`${FEEDER.local}/24`, `${RECEIVER.local}/24`] },
  );
  const speaker = await start(run, inside);
  const peers = await Peers.start(run, outside, {
    ...{ remote: SPEAKER.address, port: PORT, feeder: FEEDER, receiver: RECEIVER },
    ...{ holdTime, feed, settle: SETTLE, patience },
  });
  // What is measured is the node at work, not how long a client takes to load.
  await speaker.node?.client.get('status');
  const [memory, cpu] = usage(speaker);
  const watch = speaker.node && new Watch(speaker.node, feed.routes);
  const told = await peers.pass('feed');
  const used = usage(speaker)[1] - cpu;
  const fib = await watch?.all();
  await sleep(REST);
  const bytes = usage(speaker)[0] - memory;
  const withdrawn = await peers.pass('withdraw');
  const answer = watch?.stop();
  return {
    tell: told.seconds,
    ...(fib !== undefined && { fib }),
    withdraw: withdrawn.seconds,
    cpu: used,
    memory: bytes / feed.routes,
    ...(speaker.node && { silence: Math.max(told.longestSilence, withdrawn.longestSilence) / 1000 }),
    ...(answer !== undefined && { answer }),
  };
}

/** Resident bytes, seconds on processors. */
const usage = (speaker: Speaker): [memory: number, cpu: number] => {
  const pids = speaker.pids();
  if (pids.length === 0) throw new Error('the speaker has ended');
  const sum = (of: (pid: number) => number) => pids.reduce((all, pid) => all + of(pid), 0);
  return [sum(residentBytes), sum(cpuSeconds)];
};

/** Asks a node how many routes it uses, over and over, and how long that takes it. */
class Watch {
  readonly #node: WeftNode;
  readonly #began = performance.now();
  readonly #done: Promise<number>;
  #slowest = 0;
  #stopped = false;
  #failed: Error | undefined;

  constructor(node: WeftNode, routes: number) {
    this.#node = node;
    this.#done = new Promise((resolve) => void this.#ask(routes, resolve));
  }

  /** Seconds from the beginning until the node uses them all. */
  all(): Promise<number> {
    return this.#done;
  }

  /** @returns milliseconds of the slowest answer */
  stop(): number {
    this.#stopped = true;
    if (this.#failed) throw this.#failed;
    return this.#slowest;
  }

  async #ask(routes: number, onAll: (seconds: number) => void): Promise<void> {
    try {
      while (!this.#stopped) {
        const asked = performance.now();
        const status = await this.#node.client.get<{ routes: number }>('status');
        const now = performance.now();
        this.#slowest = Math.max(this.#slowest, now - asked);
        if (status.routes >= routes) onAll((now - this.#began) / 1000);
        await sleep(ASK);
      }
    } catch (error) {
      this.#failed = error as Error;
      onAll(Number.NaN);
    }
  }
}

/** The process with the feeder and the receiver. */
class Peers {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #said = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout as Readable })[Symbol.asyncIterator]();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  static async start(run: Run, namespace: Namespace, options: PeersOptions): Promise<Peers> {
    const args = [PEERS, JSON.stringify(options)];
    const child = namespace.start(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    run.defer(() => child.kill('SIGKILL'));
    const peers = new Peers(child);
    await peers.#hear('ready');
    return peers;
  }

  pass(order: Order): Promise<Passed> {
    this.#child.stdin?.write(`${order}\n`);
    return this.#hear('result') as Promise<Passed>;
  }

  async #hear(what: 'ready' | 'result'): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the peers ended: ${this.#said.trim()}`);
    const said = JSON.parse(value) as Record<string, unknown>;
    if (said.error !== undefined) throw new Error(String(said.error));
    return said[what];
  }
}
