/**
 * What the tests of sys need around them: network namespaces of their own, iproute2 as the independent reader, and the
 * error that a call ends in.
 */
import { execFileSync } from 'node:child_process';
import { threadId } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import { SysError } from '../../sys/errors.ts';
import { pin } from '../../sys/libc.ts';

let made = 0;

/** A new network namespace with its loopback up, deleted when the test ends, or by the next run (lab/run.ts). Returns its path. */
export function makeNamespace(): string {
  const name = `weft${process.pid}.1-${threadId}-${made++}`;
  execFileSync('ip', ['netns', 'add', name]);
  onTestFinished(() => void execFileSync('ip', ['netns', 'delete', name]));
  execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  return `/run/netns/${name}`;
}

/** A name of this process for an interface in the test's own namespace: at most 15 bytes. */
export function interfaceName(): string {
  return `wt${process.pid.toString(36)}n${made++}`;
}

function nameOf(namespace: string): string {
  return namespace.slice('/run/netns/'.length);
}

/** Runs `ip` in the namespace. */
export function ip(namespace: string, ...args: readonly string[]): string {
  return execFileSync('ip', ['-n', nameOf(namespace), ...args], { encoding: 'utf8' });
}

// biome-ignore lint/suspicious/noExplicitAny: iproute2's JSON has no types
export type Json = any;

/** What `ip -j -d …` shows of the namespace. */
export function ipJson(namespace: string, ...args: readonly string[]): Json[] {
  const output = ip(namespace, '-j', '-d', ...args);
  return output.trim() === '' ? [] : JSON.parse(output);
}

/** The SysError that `run` throws; fails when it throws another or none. */
export function sysErrorOf(run: () => unknown): SysError {
  try {
    run();
  } catch (error) {
    if (error instanceof SysError) return error;
    throw error;
  }
  throw new Error('expected a SysError, but nothing was thrown');
}

/** '10.0.0.1' or a full-length IPv6 address to bytes. */
export function bytes(address: string): Uint8Array {
  if (!address.includes(':')) return Uint8Array.from(address.split('.').map(Number));
  const [head, tail] = address.split('::');
  const groups = (text: string | undefined) =>
    text ? text.split(':').map((group) => Number.parseInt(group, 16)) : [];
  const before = groups(head);
  const after = groups(tail);
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >>> 8, group & 0xff]));
}

/** Memory whose address the kernel may be given: a WebAssembly.Memory of fixed size, as the engine's. */
export function makeMemory(size: number): {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly base: number;
} {
  const pages = Math.ceil(size / 65536);
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const memory = new Uint8Array(buffer);
  return { bytes: memory, view: new DataView(buffer), base: pin(memory) };
}
