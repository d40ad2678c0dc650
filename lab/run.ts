/**
 * A run of something that needs network namespaces (the lab, a test, a benchmark): gives names that no other run has, and
 * takes everything away at its end, also when it fails or is interrupted. What a run that was killed has left is found by
 * its name, which carries the process that made it, and swept by the next run. A lab has a name of its own instead, and may
 * stay when the process that built it ends.
 */
import { mkdirSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labFolder, labPrefix, removeAbandoned } from './labs.ts';
import { Namespace } from './namespace.ts';
import { processOf, record, recorded } from './processes.ts';
import { list, NETNS_FOLDER, PROCESS_FILE, removeAll } from './remains.ts';

/** Namespaces and temporary folders of a run: 'weft', its process, which of its runs when not the first, and what it is. */
const OWNED = /^weft(\d+)(?:\.\d+)?-/;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How many runs this process has begun. */
let begun = 0;

export class Run {
  /** Of every namespace of this run. */
  readonly prefix: string;
  /** For configurations, state and sockets; goes with the run. */
  readonly folder: string;
  /** Whether it may stay when this process ends: what it starts must then not depend on this process. */
  readonly mayStay: boolean;
  readonly #undo: (() => unknown)[] = [];
  readonly #remove = (): void => removeAll(this.prefix, [this.folder]);
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.#remove();
    this.#unwatch();
    process.kill(process.pid, signal);
  };

  /** @param lab name of the lab that it is; the caller has claimed it (labs.ts) */
  constructor(lab?: string) {
    this.mayStay = lab !== undefined;
    if (lab === undefined) {
      sweep();
      this.prefix = `weft${process.pid}${begun++ === 0 ? '' : `.${begun}`}-`;
      this.folder = mkdtempSync(join(tmpdir(), this.prefix));
      record(join(this.folder, PROCESS_FILE), process.pid);
    } else {
      this.prefix = labPrefix(lab);
      this.folder = labFolder(lab);
    }
    process.once('exit', this.#remove);
    for (const signal of SIGNALS) process.once(signal, this.#onSignal);
  }

  /** A new namespace with its loopback up. */
  namespace(name: string): Namespace {
    return Namespace.create(`${this.prefix}${name}`);
  }

  /** Where what belongs to one of its namespaces is kept. */
  folderOf(namespace: Namespace): string {
    const folder = join(this.folder, namespace.name);
    mkdirSync(folder, { recursive: true });
    return folder;
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
    this.#remove();
    this.#unwatch();
  }

  /** Leaves everything as it is, and to others to take away. */
  leave(): void {
    this.#undo.length = 0;
    this.#unwatch();
  }

  #unwatch(): void {
    process.removeListener('exit', this.#remove);
    for (const signal of SIGNALS) process.removeListener(signal, this.#onSignal);
  }
}

/** Removes what runs of processes that are gone have left. @returns the prefixes of those runs */
export function sweep(): string[] {
  const dead = new Set<string>();
  const folders = list(tmpdir());
  for (const name of [...folders, ...list(NETNS_FOLDER)]) {
    const [prefix, pid] = OWNED.exec(name) ?? [];
    if (prefix !== undefined && !lives(prefix, Number(pid), folders)) dead.add(prefix);
  }
  for (const prefix of dead) removeAll(prefix, foldersOf(prefix, folders));
  return [...dead, ...removeAbandoned()];
}

/** Whether its process is there. One that is but has not yet written when it started gets the benefit of the doubt. */
function lives(prefix: string, pid: number, folders: readonly string[]): boolean {
  const now = processOf(pid);
  if (!now) return false;
  const owners = foldersOf(prefix, folders).map((folder) => recorded(join(folder, PROCESS_FILE)));
  return owners.every((owner) => owner === undefined || owner.start === now.start);
}

/** Anyone may make a folder in /tmp: only what this user has made is believed, and removed. */
const foldersOf = (prefix: string, names: readonly string[]): string[] =>
  names
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(tmpdir(), name))
    .filter((folder) => statSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.());
