/**
 * A run of something that needs network namespaces (the lab, a test, a benchmark): gives names that no other run has, and
 * takes everything away at its end, also when it fails or is interrupted. What a run that was killed has left is found by
 * its name, which carries the process that made it, and swept by the next run.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Namespace } from './namespace.ts';

const NETNS_FOLDER = '/run/netns';
/** Namespaces and temporary folders of a run: 'weft', its process, '-', and what it is. */
const OWNED = /^weft(\d+)-/;

export class Run {
  /** Of every namespace and folder of this run. */
  readonly prefix: string;
  /** For configurations, state and sockets; goes with the run. */
  readonly folder: string;
  readonly #undo: (() => unknown)[] = [];
  readonly #onExit = (): void => remove(this.prefix);
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    remove(this.prefix);
    process.removeListener(signal, this.#onSignal);
    process.kill(process.pid, signal);
  };

  /** @param owner the process whose end ends the run; nobody else's run may carry its number */
  constructor(owner = process.pid) {
    this.prefix = `weft${owner}-`;
    sweep();
    this.folder = mkdtempSync(join(tmpdir(), this.prefix));
    process.once('exit', this.#onExit);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, this.#onSignal);
  }

  /** A new namespace with its loopback up. */
  namespace(name: string): Namespace {
    return Namespace.create(`${this.prefix}${name}`);
  }

  /** Done at the end, last first, before namespaces and folder go. */
  defer(step: () => unknown): void {
    this.#undo.unshift(step);
  }

  /** Takes away what the run has made. Safe to call twice. */
  async close(): Promise<void> {
    for (const step of this.#undo.splice(0)) {
      try {
        await step();
      } catch (error) {
        console.error(`cleaning up: ${(error as Error).message}`);
      }
    }
    remove(this.prefix);
    process.removeListener('exit', this.#onExit);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.removeListener(signal, this.#onSignal);
  }
}

/** Removes what runs of processes that are gone have left. @returns the prefixes of those runs */
export function sweep(): string[] {
  const dead = new Set<string>();
  for (const name of [...list(NETNS_FOLDER), ...list(tmpdir())]) {
    const owner = OWNED.exec(name);
    if (owner && !isAlive(Number(owner[1]))) dead.add(owner[0]);
  }
  for (const prefix of dead) remove(prefix);
  return [...dead];
}

/** Ends the processes in the namespaces of a run, then removes the namespaces and its folders. */
function remove(prefix: string): void {
  for (const name of list(NETNS_FOLDER)) {
    if (name.startsWith(prefix)) removeNamespace(name);
  }
  for (const name of list(tmpdir())) {
    if (name.startsWith(prefix)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function removeNamespace(name: string): void {
  try {
    const pids = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8', stdio: 'pipe' });
    for (const pid of pids.split('\n').filter(Boolean).map(Number)) {
      if (pid !== process.pid) kill(pid);
    }
    execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' });
  } catch {
    rmSync(join(NETNS_FOLDER, name), { force: true }); // The name of one that is gone, or half so.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
