/**
 * A BGP daemon of somebody else's, as the tests see it: told in one notation what to be, asked in one notation what it
 * has. One module a daemon writes its configuration, starts it in a namespace, asks it and ends it by its process.
 */
import { type ChildProcess, execFile, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Namespace } from '../../lab/namespace.ts';
import type { Family } from '../../routing/bgp/codec/family.ts';
import type { OwnRoute, Route } from './route.ts';

const execute = promisify(execFile);

/** One session, as the daemon has to see it. */
export interface SessionConfig {
  /** A word that is one in every daemon's language. */
  readonly name: string;
  /** The daemon's end and ours. */
  readonly local: string;
  readonly remote: string;
  /** Ours. */
  readonly remoteAsn: number;
  /** The daemon's AS in this session, where it is not its own (RFC 7705). */
  readonly localAsn?: number;
  readonly families: readonly Family[];
  readonly password?: string;
  readonly ttlSecurity?: boolean;
  readonly gracefulRestart?: boolean;
  /** Both ways, all paths. */
  readonly addPath?: boolean;
  /** We are a client of the daemon as route reflector. */
  readonly client?: boolean;
  readonly extendedNextHop?: boolean;
  /** Speaks like those from before RFC 6793. */
  readonly twoOctet?: boolean;
  /** The daemon's (RFC 9234). */
  readonly role?: 'provider' | 'customer';
  readonly bfd?: boolean;
  /** Interface of a session between link-local addresses. */
  readonly interface?: string;
}

export interface DaemonConfig {
  readonly asn: number;
  readonly routerId: string;
  readonly sessions: readonly SessionConfig[];
  readonly routes: readonly OwnRoute[];
  /** Equal paths share traffic, up to so many. */
  readonly maxPaths?: number;
  /** As route reflector. */
  readonly clusterId?: string;
}

export interface SessionStatus {
  readonly established: boolean;
  /** All that it says of errors of this session, in its own words. */
  readonly errors: string;
}

export interface Daemon {
  /** Resolves when it listens, or has begun to connect. @param restarting it ran here a moment ago (RFC 4724) */
  start(config: DaemonConfig, restarting?: boolean): Promise<void>;
  /** In an orderly way. */
  stop(): Promise<void>;
  /** As if the machine had lost it. */
  kill(): Promise<void>;
  status(session: SessionConfig): Promise<SessionStatus>;
  /** Routes to a prefix that came by the session, as it keeps them. */
  received(session: SessionConfig, prefix: string): Promise<Route[]>;
  /** In the place of what it made before. */
  announce(routes: readonly OwnRoute[]): Promise<void>;
  /** Asks for everything again (RFC 2918). */
  refresh(session: SessionConfig): Promise<void>;
  /** Ends the session and begins anew. */
  reset(session: SessionConfig): Promise<void>;
  /** Ends the session; with words, where it has a way to say some. */
  shutdown(session: SessionConfig, text: string): Promise<void>;
  /** Next hops among which it shares the traffic to a prefix. */
  sharedBy(prefix: string): Promise<string[]>;
  /** What to look at after a failure. */
  log(): string;
}

/** Where a daemon lives. */
export interface Place {
  readonly namespace: Namespace;
  /** Empty, its own. */
  readonly folder: string;
}

/** A program in the foreground with its words in a file. */
export class Program {
  readonly #child: ChildProcess;
  readonly #file: string;

  constructor(
    { namespace, folder }: Place,
    command: string,
    args: readonly string[],
    options: SpawnOptions = {},
  ) {
    this.#file = join(folder, 'log');
    const log = openSync(this.#file, 'a');
    this.#child = namespace.start(command, args, { ...options, stdio: ['ignore', log, log] });
    closeSync(log);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async end(signal: 'SIGTERM' | 'SIGKILL', patience = 5000): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), patience);
    await ended;
    clearTimeout(timer);
  }
}

export const textOf = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** What a command prints. @throws Error with what it says, on either stream */
export async function ask(command: string, args: readonly string[]): Promise<string> {
  try {
    return (await execute(command, args, { timeout: 20_000, maxBuffer: 16 << 20 })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string };
    throw new Error(`${message}\n${stdout}${stderr}`);
  }
}

/** Tries until it does not throw. @throws what it threw last */
export async function eventually<T>(
  attempt: () => Promise<T> | T,
  milliseconds = 20_000,
  pause = 25,
): Promise<T> {
  const end = performance.now() + milliseconds;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** Somebody has the BGP port. */
export async function listening(namespace: Namespace, address = ''): Promise<void> {
  await eventually(async () => {
    const sockets = await namespace.runLater('ss', ['-Hltn', 'sport = :179']);
    if (!sockets.includes(`${address}:179`)) throw new Error(`nobody listens on port 179: ${sockets}`);
  });
}
