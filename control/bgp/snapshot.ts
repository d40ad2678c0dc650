/**
 * What a node had learned when it stopped for a restart, or some seconds before it was killed, in a file: the next daemon
 * forwards by it from its first moment on, and can tell its peers so (RFC 4724, forwarding state preserved). Believed once,
 * on the same boot of the machine, and not longer than they wait.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LearnedPath, LearnedRoute, LearnedRoutes } from '../../routing/learned.ts';
import { bootId } from '../boot-id.ts';
import { codeOf } from '../errors.ts';

const VERSION = 2;

interface Snapshot {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly bootId: string;
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
  const groups = [...numbers.keys()];
  const snapshot: Snapshot = { version: VERSION, at: Date.now(), bootId: bootId(), groups, routes };
  const file = fileIn(state);
  writeFileSync(`${file}.new`, JSON.stringify(snapshot, bytesAsText), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** @param seconds how old it may be @returns undefined when there is none, or one that peers do not wait for any more */
export function readSnapshot(state: string, seconds: number): readonly LearnedRoute[] | undefined {
  try {
    const snapshot = JSON.parse(readFileSync(fileIn(state), 'utf8'), textAsBytes) as Snapshot;
    const { version, at, groups, routes } = snapshot;
    const age = Date.now() - at;
    if (version !== VERSION || snapshot.bootId !== bootId()) return undefined;
    if (age < 0 || age > seconds * 1000) return undefined;
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

/** Routes that a record is kept of while they change: more take too long to write, and are written at a stop only. */
const MOST_KEPT = 10_000;
/** Between two records of routes that change, milliseconds: some milliseconds' work. */
const REST = 2000;

export interface SnapshotOptions {
  /** The node's folder. */
  readonly state: string;
  /** How long peers wait, seconds; 0: they do not. Asked for each time. */
  seconds(): number;
  readonly learned: LearnedRoutes;
  /** A record could not be written: told once, until one could. */
  onFailure(error: unknown): void;
}

/** Keeps the record near to what is so, for a daemon that is killed. */
export class SnapshotKeeper {
  readonly #options: SnapshotOptions;
  #isDue = true;
  /** Milliseconds of performance.now(). */
  #writtenAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  /** What is learned has changed. */
  changed(): void {
    this.#isDue = true;
  }

  /** To be called now and then, by whom nothing that was learned is believed without a peer who says it. */
  tick(now = performance.now()): void {
    const { state, learned, onFailure } = this.#options;
    const seconds = this.#options.seconds();
    const age = now - this.#writtenAt;
    // Also one that is right has to be young enough.
    if (age < REST || !(this.#isDue || age > (seconds * 1000) / 3)) return;
    this.#isDue = false;
    this.#writtenAt = now;
    try {
      if (seconds > 0 && learned.size > 0 && learned.size <= MOST_KEPT) writeSnapshot(state, learned);
      else removeSnapshot(state);
      this.#hasFailed = false;
    } catch (error) {
      this.#isDue = true;
      if (!this.#hasFailed) onFailure(error);
      this.#hasFailed = true;
    }
  }
}

const PREFIX = 'bytes:';

const bytesAsText = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? `${PREFIX}${Buffer.from(value).toString('hex')}` : value;

const textAsBytes = (_: string, value: unknown): unknown =>
  typeof value === 'string' && value.startsWith(PREFIX)
    ? Uint8Array.from(Buffer.from(value.slice(PREFIX.length), 'hex'))
    : value;
