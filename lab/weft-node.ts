/**
 * A Weft node of a run: the real `weft node` in a namespace, started with a configuration, asked through its socket. Where
 * the run may stay, so does the node: it is in no process group of ours and writes to files.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Client, openClient } from '../control/client.ts';
import { WeftError } from '../control/errors.ts';
import type { AttachResult } from '../control/service.ts';
import type { Namespace } from './namespace.ts';
import { record } from './processes.ts';
import { PROCESS_FILE } from './remains.ts';
import type { Run } from './run.ts';

/** How long a node may take to forward. */
const START_PATIENCE_MS = 15_000;
/** Of the log of a node that does not start, what is said. */
const LOG_CHARACTERS = 4096;

export interface WeftNodeOptions {
  /** As in the configuration file; state and api are set here unless given. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Arguments of Node itself, such as --cpu-prof. */
  readonly nodeArguments?: readonly string[];
  readonly logLevel?: string;
}

/** The installation that this file is part of. */
export const weftProgram = (): string => join(packageFolder(), 'bin', 'weft');

function packageFolder(): string {
  // Compiled, this is dist/lab; as a source, lab.
  const here = fileURLToPath(new URL('..', import.meta.url));
  return here.endsWith('/dist/') ? join(here, '..') : here;
}

export class WeftNode {
  readonly namespace: Namespace;
  readonly client: Client;
  readonly socket: string;
  /** Of the configuration, which may be rewritten before a reload. */
  readonly configFile: string;
  readonly process: ChildProcess;
  readonly #logFile: string;

  private constructor(namespace: Namespace, folder: NodeFolder, child: ChildProcess) {
    this.namespace = namespace;
    this.socket = folder.socket;
    this.client = openClient(folder.socket);
    this.configFile = folder.config;
    this.process = child;
    this.#logFile = folder.log;
  }

  /** Resolves when the node forwards. @throws Error with its log when it ends instead */
  static async start(run: Run, namespace: Namespace, options: WeftNodeOptions): Promise<WeftNode> {
    const folder = nodeFolder(run.folderOf(namespace));
    const { nodeArguments = [], logLevel = 'info' } = options;
    const config = { state: folder.state, api: { socket: folder.socket }, ...options.config };
    writeFileSync(folder.config, JSON.stringify(config)); // JSON is YAML.
    const args = [
      ...nodeArguments,
      ...[weftProgram(), 'node', '--config', folder.config, '--log-level', logLevel],
    ];
    const log = openSync(folder.log, 'a');
    const child = namespace.start(process.execPath, args, {
      stdio: ['ignore', 'pipe', log],
      detached: run.mayStay,
    });
    closeSync(log);
    run.defer(() => stop(child, 'SIGKILL'));
    if (child.pid !== undefined) record(folder.process, child.pid);
    await ready(child, folder.log, namespace.name);
    if (run.mayStay) child.unref();
    return new WeftNode(namespace, folder, child);
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** JSON lines of its log. */
  get log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Gives a namespace an interface in the fabric. */
  attach(pod: Namespace, id: string, ips: readonly string[] = [], ifname = 'eth0'): Promise<AttachResult> {
    return this.client.post<AttachResult>('attach', { id, ifname, netns: pod.path, ips });
  }

  /** Sends a signal and waits for the end. @returns the exit status, null when the signal ended it */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    return stop(this.process, signal);
  }
}

interface NodeFolder {
  readonly config: string;
  readonly state: string;
  readonly socket: string;
  readonly log: string;
  /** Which process it is. */
  readonly process: string;
}

const nodeFolder = (folder: string): NodeFolder => ({
  config: join(folder, 'weft.yaml'),
  state: join(folder, 'state'),
  socket: join(folder, 'weft.sock'),
  log: join(folder, 'weft.log'),
  process: join(folder, PROCESS_FILE),
});

function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const { exitCode, signalCode } = child;
  if (exitCode !== null || signalCode !== null || child.pid === undefined) return Promise.resolve(exitCode);
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.kill(signal);
  });
}

/** Resolves with the ready line, which is all that a node writes to stdout. */
async function ready(child: ChildProcess, logFile: string, name: string): Promise<void> {
  const stopWaiting = new AbortController();
  const { signal } = stopWaiting;
  const timer = setTimeout(() => child.kill('SIGKILL'), START_PATIENCE_MS);
  try {
    const line = await Promise.race([
      once(child.stdout as Readable, 'data', { signal }).then(([data]) => String(data)),
      once(child, 'exit', { signal }).then(([code, by]) => Promise.reject(new Error(endText(code, by)))),
    ]);
    if (!line.includes('"ready"')) throw new Error(`printed '${line.trim()}' instead of its ready line`);
  } catch (error) {
    const log = existsSync(logFile) ? readFileSync(logFile, 'utf8').slice(-LOG_CHARACTERS) : '';
    throw new WeftError('failed', `the weft node in ${name} ${(error as Error).message}: ${log}`);
  } finally {
    clearTimeout(timer);
    stopWaiting.abort();
    child.stdout?.destroy();
  }
}

const endText = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal === 'SIGKILL'
    ? `was killed, or does not forward after ${START_PATIENCE_MS / 1000} s`
    : `ended with status ${code ?? signal} before it forwarded`;
