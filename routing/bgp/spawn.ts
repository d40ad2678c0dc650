/**
 * The speaker as the node has it: a thread of its own, so that a million routes delay neither commands nor the node, and
 * that a node at work delays no keepalive. The only `new Worker` of the speaker.
 */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { Bgp, BgpEvents, DownloadQuery, RouteQuery, RouteView, StartBgp } from './bgp.ts';
import type { Calls, FromThread, ThreadSetup, ToThread } from './protocol.ts';

/** How long a thread may take to say goodbye to its peers, milliseconds. */
const STOP_PATIENCE = 3000;
/** Of the youngest objects, three semi-spaces: a feed of a million routes takes as long with 16 as with 64 (measured). */
const YOUNG_MB = 24;

export const startBgp: StartBgp = (settings, events, options) => {
  const setup: ThreadSetup = { settings, options };
  // Of threads that begin from now on, as a flag of Node it would have to be given by whoever starts it.
  setFlagsFromString('--expose-gc');
  const worker = new Worker(new URL('./thread.js', import.meta.url), {
    workerData: setup,
    name: 'weft-bgp',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  return new Remote(worker, events);
};

/** Of a Worker what is needed. */
export interface Thread {
  postMessage(message: ToThread): void;
  on(event: 'message', listener: (message: FromThread) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  terminate(): Promise<unknown>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Remote implements Bgp {
  readonly #thread: Thread;
  readonly #events: BgpEvents;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #lastId = 0;
  #stopping = false;
  /** Why it has ended, when it was not asked to. */
  #failure: Error | undefined;

  constructor(thread: Thread, events: BgpEvents) {
    this.#thread = thread;
    this.#events = events;
    thread.on('message', (message) => this.#onMessage(message));
    thread.on('error', (error) => this.#fail(new Error(`BGP: ${error.message}`, { cause: error })));
    this.#ended = new Promise((resolve) => {
      thread.on('exit', (code) => {
        this.#fail(new Error(`BGP: its thread has ended with status ${code}`));
        resolve();
      });
    });
  }

  apply(...args: Parameters<Bgp['apply']>) {
    return this.#call('apply', args);
  }
  peers() {
    return this.#call('peers', []);
  }
  collectors() {
    return this.#call('collectors', []);
  }
  explain(...args: Parameters<Bgp['explain']>) {
    return this.#call('explain', args);
  }
  clear(...args: Parameters<Bgp['clear']>) {
    return this.#call('clear', args);
  }
  shutdown(...args: Parameters<Bgp['shutdown']>) {
    return this.#call('shutdown', args);
  }
  enable(...args: Parameters<Bgp['enable']>) {
    return this.#call('enable', args);
  }
  originate(...[routes]: Parameters<Bgp['originate']>) {
    this.#thread.postMessage({ kind: 'originate', routes });
  }
  nextHops(...[resolved]: Parameters<Bgp['nextHops']>) {
    this.#thread.postMessage({ kind: 'nextHops', resolved });
  }
  peerLost(peer: string, why: string) {
    this.#thread.postMessage({ kind: 'peerLost', peer, why });
  }

  async *routes(query: RouteQuery): AsyncGenerator<readonly RouteView[]> {
    const id = ++this.#lastId;
    let isOver = false;
    try {
      let page = await this.#ask<readonly RouteView[] | undefined>(id, { kind: 'read', id, query });
      while (page !== undefined) {
        if (page.length > 0) yield page;
        page = await this.#ask(id, { kind: 'read', id });
      }
      isOver = true;
    } finally {
      if (!isOver) this.#thread.postMessage({ kind: 'end', id });
    }
  }

  async *download(query: DownloadQuery): AsyncGenerator<Uint8Array> {
    const id = ++this.#lastId;
    let isOver = false;
    try {
      let bytes = await this.#ask<Uint8Array | undefined>(id, { kind: 'pull', id, query });
      while (bytes !== undefined) {
        yield bytes;
        bytes = await this.#ask(id, { kind: 'pull', id });
      }
      isOver = true;
    } finally {
      if (!isOver) this.#thread.postMessage({ kind: 'end', id });
    }
  }

  async stop({ restart }: { readonly restart: boolean }) {
    this.#stopping = true;
    this.#thread.postMessage({ kind: 'stop', restart });
    const timer = setTimeout(() => void this.#thread.terminate(), STOP_PATIENCE);
    await this.#ended;
    clearTimeout(timer);
  }

  #call<Name extends keyof Calls>(
    name: Name,
    args: Parameters<Calls[Name]>,
  ): Promise<ReturnType<Calls[Name]>> {
    const id = ++this.#lastId;
    return this.#ask(id, { kind: 'call', id, name, args } as ToThread);
  }

  #ask<Value>(id: number, message: ToThread): Promise<Value> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#thread.postMessage(message);
    });
  }

  #onMessage(message: FromThread): void {
    switch (message.kind) {
      case 'answer':
        this.#settle(message.id)?.resolve(message.value);
        break;
      case 'page':
        this.#settle(message.id)?.resolve(message.routes);
        break;
      case 'chunk':
        this.#settle(message.id)?.resolve(message.bytes);
        break;
      case 'refusal':
        this.#settle(message.id)?.reject(new Error(message.message));
        break;
      case 'routes':
        void this.#take(message.batch);
        break;
      case 'event':
        if (this.#stopping && message.name !== 'onLog') break;
        (this.#events[message.name] as (...args: readonly unknown[]) => void)(...message.args);
    }
  }

  async #take(batch: Parameters<BgpEvents['onRoutes']>[0]): Promise<void> {
    if (this.#stopping) return;
    await this.#events.onRoutes(batch);
    // The next batch comes at once, and messages of a port come before everything else that waits, such as commands.
    setImmediate(() => this.#thread.postMessage({ kind: 'taken' }));
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  /** The first one counts: 'exit' follows 'error'. */
  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    if (!this.#stopping) this.#events.onFailure(error);
  }
}
