/**
 * Deletions that runtimes asked for while no daemon answered: a file each in a folder beside the daemon's socket, where
 * client and daemon both find it. The client writes and reports success, the daemon carries out and removes. A reboot may
 * take the folder with it (/run), as it takes every pod that could be meant.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Log } from './host.ts';
import type { Call } from './plugin/call.ts';

const ENTRY = '.json';

export function spoolFolder(socket: string): string {
  return `${socket}.spool`;
}

/** On disk when it returns. Whoever reads meanwhile sees the whole entry or none. */
export function spool(folder: string, call: Call): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // In the order in which they came, as far as the clock goes.
  const path = join(folder, `${String(Date.now()).padStart(15, '0')}-${randomUUID()}${ENTRY}`);
  const file = openSync(`${path}.new`, 'wx', 0o600);
  try {
    writeFileSync(file, JSON.stringify(call));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  const directory = openSync(folder, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** What failed is tried again after this many milliseconds, or by the next daemon. */
const RETRY = 10_000;

export class Spool {
  readonly #folder: string;
  readonly #carryOut: (call: Call) => Promise<boolean>;
  readonly #log: Log;
  /** The round under way, or the last. */
  #round: Promise<void> = Promise.resolve();
  /** One that has not begun, for all who ask meanwhile. */
  #next: Promise<void> | undefined;
  readonly #failed = new Map<string, number>();

  /** @param carryOut resolves with whether it is done */
  constructor(folder: string, carryOut: (call: Call) => Promise<boolean>, log: Log) {
    this.#folder = folder;
    this.#carryOut = carryOut;
    this.#log = log;
  }

  /** Resolves when what was there when it was called is carried out, oldest first; what fails stays. */
  drain(): Promise<void> {
    this.#next ??= this.#round.then(() => {
      this.#next = undefined;
      const round = this.#drain();
      this.#round = round.catch(() => {});
      return round;
    });
    return this.#next;
  }

  async #drain(): Promise<void> {
    for (const name of entriesOf(this.#folder)) {
      if (performance.now() < (this.#failed.get(name) ?? 0)) continue;
      this.#failed.delete(name);
      const path = join(this.#folder, name);
      const call = parseCall(readFileSync(path, 'utf8'));
      if (!call) this.#log.error({ path }, 'a spooled deletion does not read and is dropped');
      else if (!(await this.#carryOut(call))) {
        this.#failed.set(name, performance.now() + RETRY);
        continue;
      }
      unlinkSync(path);
    }
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(ENTRY))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function parseCall(text: string): Call | undefined {
  try {
    const call = JSON.parse(text) as Partial<Call>;
    return typeof call.stdin === 'string' && call.env?.CNI_COMMAND === 'DEL' ? (call as Call) : undefined;
  } catch {
    return undefined;
  }
}
