/**
 * Network namespaces for tests, named after the process so that runs side by side do not meet, and as lab/run.ts names its
 * own so that it sweeps what a test has left that was killed.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { libc } from '../../sys/libc.ts';
import { openNamespace } from '../../sys/netns.ts';

let count = 0;

export interface TestNamespace {
  readonly name: string;
  readonly path: string;
  /** Runs a command inside and returns what it prints. */
  run(command: string, ...args: string[]): string;
  delete(): void;
}

export function makeNamespace(): TestNamespace {
  const name = `weft${process.pid}.0-${count++}`;
  ip('netns', 'add', name);
  const path = `/run/netns/${name}`;
  return {
    name,
    path,
    run: (command, ...args) =>
      execFileSync('nsenter', [`--net=${path}`, command, ...args], { encoding: 'utf8', stdio: 'pipe' }),
    delete() {
      try {
        ip('netns', 'del', name);
      } catch {
        rmSync(path, { force: true }); // Deleted by the test, or half so.
      }
    },
  };
}

export function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });
}

/** Waits for a condition with a bound; never longer than it takes. */
export async function until(condition: () => boolean, what: string, milliseconds = 5000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${milliseconds} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Moves this thread, and with it what it spawns, into the namespace until the returned function is called: for code
 * that acts upon the namespace it is started in, as the daemon does.
 */
export function enterNamespace(path: string): () => void {
  const home = openNamespace('/proc/thread-self/ns/net');
  const there = openNamespace(path);
  if (libc.setns(there, 0) < 0) throw new Error(`cannot enter ${path}`);
  libc.close(there);
  return () => {
    if (libc.setns(home, 0) < 0) throw new Error('cannot come back');
    libc.close(home);
  };
}
