/**
 * What a node had learned when it stopped for a restart, in a file: the next daemon forwards by it from its first moment on,
 * and can tell its peers so (RFC 4724, forwarding state preserved). Believed once, and not longer than they wait.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LearnedPath, LearnedRoute, LearnedRoutes } from '../../routing/learned.ts';
import { codeOf } from '../errors.ts';

const VERSION = 1;

interface Snapshot {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly groups: readonly (readonly LearnedPath[])[];
  /** Prefix and number of its group. */
  readonly routes: readonly (readonly [LearnedRoute['prefix'], number])[];
}

const fileIn = (state: string): string => join(state, 'learned-routes.json');

export function writeSnapshot(state: string, learned: LearnedRoutes): void {
  const numbers = new Map<readonly LearnedPath[], number>();
  const routes = [...learned.all()].map(({ prefix, paths }) => {
    const number = numbers.get(paths) ?? numbers.size;
    numbers.set(paths, number);
    return [prefix, number] as const;
  });
  const snapshot: Snapshot = { version: VERSION, at: Date.now(), groups: [...numbers.keys()], routes };
  const file = fileIn(state);
  writeFileSync(`${file}.new`, JSON.stringify(snapshot, bytesAsText), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** @param seconds how old it may be @returns undefined when there is none, or one that peers do not wait for any more */
export function readSnapshot(state: string, seconds: number): readonly LearnedRoute[] | undefined {
  try {
    const { version, at, groups, routes } = JSON.parse(
      readFileSync(fileIn(state), 'utf8'),
      textAsBytes,
    ) as Snapshot;
    const age = Date.now() - at;
    if (version !== VERSION || age < 0 || age > seconds * 1000) return undefined;
    return routes.map(([prefix, group]) => ({ prefix, paths: groups[group] }));
  } catch {
    return undefined; // None, or one cut off: peers tell everything again.
  }
}

export function removeSnapshot(state: string): void {
  try {
    rmSync(fileIn(state));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

const PREFIX = 'bytes:';

const bytesAsText = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? `${PREFIX}${Buffer.from(value).toString('hex')}` : value;

const textAsBytes = (_: string, value: unknown): unknown =>
  typeof value === 'string' && value.startsWith(PREFIX)
    ? Uint8Array.from(Buffer.from(value.slice(PREFIX.length), 'hex'))
    : value;
