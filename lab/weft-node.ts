/**
 * A Weft node of a run: the real `weft node` in a namespace, started with a configuration, asked through its socket.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, openClient } from '../control/client.ts';
import type { AttachResult } from '../control/service.ts';
import type { Namespace } from './namespace.ts';
import type { Run } from './run.ts';

/** How long a node may take to forward. */
const START_PATIENCE_MS = 15_000;
/** Of stderr, what is kept for messages. */
const LOG_CHARACTERS = 256 * 1024;

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
  readonly #log: string[];

  private constructor(
    namespace: Namespace,
    socket: string,
    configFile: string,
    child: ChildProcess,
    log: string[],
  ) {
    this.namespace = namespace;
    this.socket = socket;
    this.client = openClient(socket);
    this.configFile = configFile;
    this.process = child;
    this.#log = log;
  }

  /** Resolves when the node forwards. @throws Error with its log when it ends instead */
  static async start(run: Run, namespace: Namespace, options: WeftNodeOptions): Promise<WeftNode> {
    const folder = join(run.folder, namespace.name);
    mkdirSync(folder, { recursive: true });
    const socket = join(folder, 'weft.sock');
    const config = { state: join(folder, 'state'), api: { socket }, ...options.config };
    const configFile = join(folder, 'weft.yaml');
    writeFileSync(configFile, JSON.stringify(config)); // JSON is YAML.
    const { nodeArguments = [], logLevel = 'info' } = options;
    const args = [...nodeArguments, weftProgram(), 'node', '--config', configFile, '--log-level', logLevel];
    const child = namespace.start(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const log: string[] = [];
    collect(child, log);
    await ready(child, log, namespace.name);
    const node = new WeftNode(namespace, socket, configFile, child, log);
    run.defer(() => node.stop('SIGKILL'));
    return node;
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** JSON lines of its log, the last of them. */
  get log(): string {
    return this.#log.join('');
  }

  /** Gives a namespace an interface in the fabric. */
  attach(pod: Namespace, id: string, ips: readonly string[] = [], ifname = 'eth0'): Promise<AttachResult> {
    return this.client.post<AttachResult>('attach', { id, ifname, netns: pod.path, ips });
  }

  /** Sends a signal and waits for the end. @returns the exit status, null when the signal ended it */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const { exitCode, signalCode } = this.process;
    if (exitCode !== null || signalCode !== null) return Promise.resolve(exitCode);
    return new Promise((resolve) => {
      this.process.once('exit', (code) => resolve(code));
      this.process.kill(signal);
    });
  }
}

function collect(child: ChildProcess, log: string[]): void {
  let kept = 0;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log.push(text);
    for (kept += text.length; kept > LOG_CHARACTERS; ) kept -= log.shift()?.length ?? kept;
  });
}

function ready(child: ChildProcess, log: readonly string[], name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) => reject(new Error(`the weft node in ${name} ${what}:\n${log.join('')}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`does not forward after ${START_PATIENCE_MS / 1000} s`);
    }, START_PATIENCE_MS);
    child.once('error', (error) => fail(`could not be started (${error.message})`));
    // 'close' and not 'exit': by then all that it wrote has been read.
    child.once('close', (code) => {
      clearTimeout(timer);
      fail(`ended with status ${code}`);
    });
    child.stdout?.setEncoding('utf8').once('data', (line: string) => {
      clearTimeout(timer);
      if (line.includes('"ready"')) resolve();
      else fail(`printed '${line.trim()}' instead of its ready line`);
    });
  });
}
