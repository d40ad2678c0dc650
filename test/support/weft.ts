/** The program `weft` as users run it: processes of the compiled sources, in a namespace or not. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compiled } from './compiled.ts';

export interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Command and arguments that run what follows them, such as ['nsenter', '--net=…']. */
  readonly within?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Arguments of Node itself. */
  readonly node?: readonly string[];
}

/** A process and what it has written so far. */
export interface Running {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** When it has ended and all it wrote is read. */
  readonly ended: Promise<Result>;
}

export function begin(args: readonly string[], options: RunOptions = {}): Running {
  const { within = [], env, cwd, node = [] } = options;
  const [command, ...rest] = [
    ...within,
    process.execPath,
    ...node,
    join(compiled(), 'control/cli.js'),
    ...args,
  ];
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd,
    env: { ...process.env, WEFT_SOCKET: '', ...env },
  });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  }
  const ended = new Promise<Result>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, ...written }));
  });
  return { child, stdout: () => written.stdout, stderr: () => written.stderr, ended };
}

export const weft = (args: readonly string[], options?: RunOptions): Promise<Result> =>
  begin(args, options).ended;

/** Lines of a log, or of anything that is JSON lines. */
export const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

export interface Daemon extends Running {
  readonly socket: string;
  /** Messages of its log so far. */
  messages(): string[];
  /** Runs a command against it. */
  weft(...args: string[]): Promise<Result>;
  /** The same with --json; fails unless there is one JSON document and nothing else. */
  json<T>(...args: string[]): Promise<T>;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Result & { readonly milliseconds: number }>;
}

export interface DaemonOptions extends RunOptions {
  /** For configuration, state and socket. */
  readonly folder: string;
  /** Of the configuration, in place of the defaults. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export const configFile = (folder: string): string => join(folder, 'weft.yaml');
export const socketFile = (folder: string): string => join(folder, 'run/weft.sock');

/** @param config sections in place of the defaults */
export function writeConfig(folder: string, config: Readonly<Record<string, unknown>> = {}): string {
  const whole = {
    node: { name: 'node-a', address: ['192.168.77.1'] },
    pods: { cidrs: ['10.244.1.0/24', 'fd00:244:1::/64'] },
    state: join(folder, 'state'),
    api: { socket: socketFile(folder) },
    ...config,
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(configFile(folder), JSON.stringify(whole)); // JSON is YAML.
  return configFile(folder);
}

/** Resolves when it forwards. */
export async function startDaemon({ folder, config, ...options }: DaemonOptions): Promise<Daemon> {
  const file = writeConfig(folder, config);
  const running = begin(['node', '--config', file], options);
  const { child, stdout, stderr, ended } = running;
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    ended.then(() => reject(new Error(`weft node has ended: ${stderr()}${stdout()}`)), reject);
  });
  const socket = socketFile(folder);
  const daemon: Daemon = {
    ...running,
    socket,
    messages: () => jsonLines(stderr()).map(({ msg }) => String(msg)),
    weft: (...args) => weft(args, { env: { WEFT_SOCKET: socket } }),
    async json<T>(...args: string[]) {
      const result = await daemon.weft(...args, '--json');
      if (result.status !== 0 || result.stderr !== '')
        throw new Error(`weft ${args.join(' ')}: ${result.stderr}`);
      return JSON.parse(result.stdout) as T;
    },
    async stop(signal = 'SIGTERM') {
      const began = performance.now();
      child.kill(signal);
      return { ...(await ended), milliseconds: performance.now() - began };
    },
  };
  return daemon;
}
