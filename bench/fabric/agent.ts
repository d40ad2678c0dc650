/** The load's processes in a pod, and how they are told what to do. Each does one thing at a time. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';
import type { LoadName, Loads } from '../load/main.ts';

const LOAD = fileURLToPath(new URL('../load/main.js', import.meta.url));
/** Longer than anything that an agent is told to do. */
const PATIENCE_MS = 90_000;

/** As it goes over the wire: an address is text. */
type Options<N extends LoadName> = Omit<Parameters<Loads[N]>[0], 'to'> & { readonly to?: string };
type ResultOf<N extends LoadName> = ReturnType<Loads[N]>;

interface Said {
  readonly ready?: true;
  readonly result?: unknown;
  readonly error?: string;
}

export class Agent {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #told = '';
  #stderr = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout as Readable })[Symbol.asyncIterator]();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
  }

  static async start(run: Run, namespace: Namespace, role: string, options?: object): Promise<Agent> {
    const child = namespace.start(process.execPath, [LOAD, role, JSON.stringify(options ?? null)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    run.defer(() => child.kill('SIGKILL'));
    const agent = new Agent(child);
    agent.#told = role;
    await agent.#hear('ready');
    return agent;
  }

  /** Tells it to begin; `ready` resolves when the other end may, `result` at the end. */
  begin<N extends LoadName>(load: N, options: Options<N>): Promise<ResultOf<N>> {
    this.#told = load;
    this.#child.stdin?.write(`${JSON.stringify({ load, options })}\n`);
    return this.#hear('result') as Promise<ResultOf<N>>;
  }

  /** The same for what says that it is ready first. Resolves then, with a function that waits for the result. */
  async receive<N extends LoadName>(load: N, options: Options<N>): Promise<() => Promise<ResultOf<N>>> {
    this.#told = load;
    this.#child.stdin?.write(`${JSON.stringify({ load, options })}\n`);
    await this.#hear('ready');
    return () => this.#hear('result') as Promise<ResultOf<N>>;
  }

  readonly stop = (): void => void this.#child.kill('SIGKILL');

  async #hear(what: 'ready' | 'result'): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#child.kill('SIGKILL');
        reject(new Error(`the load '${this.#told}' said nothing for ${PATIENCE_MS / 1000} s`));
      }, PATIENCE_MS);
    });
    try {
      const { value, done } = await Promise.race([this.#lines.next(), timeout]);
      if (done) throw new Error(`the load '${this.#told}' ended: ${this.#stderr.trim()}`);
      const said = JSON.parse(value) as Said;
      if (said.error !== undefined) throw new Error(`the load '${this.#told}': ${said.error}`);
      if (!(what in said))
        throw new Error(`the load '${this.#told}' said ${value} where ${what} was expected`);
      return said[what];
    } finally {
      clearTimeout(timer);
    }
  }
}
