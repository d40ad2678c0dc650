/**
 * A durable map in one file: entries appended as lines, each with its checksum, on disk before `write` resolves. A journal
 * and not a file an entry, because a change then costs one synchronous write (0.13 ms here) instead of two fsyncs and a
 * rename (0.37 ms), changes that come together share it, and start-up reads one file. Rewritten when mostly history.
 *
 *     8 hex digits CRC-32 of the JSON, space, {"key":"…","value":{…}}   put
 *                                             {"key":"…"}               remove
 *
 * What a crash cuts short is the last line, which nobody was told of. Any other line that does not read is damage: the
 * file is kept aside under another name and what reads is used. Does not know what the values mean.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  write,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import type { Log } from './host.ts';

export interface Change {
  readonly key: string;
  /** Must survive JSON; left out: the key is removed. */
  readonly value?: object | undefined;
}

interface Pending {
  readonly changes: readonly Change[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A write is on disk when it returns: one trip to Node's threads instead of two with fdatasync. */
const APPEND = constants.O_WRONLY | constants.O_APPEND;
const SYNCED = APPEND | constants.O_DSYNC;

/** Lines beyond the live entries before the file is rewritten. */
const HISTORY = 4096;

const append = promisify(write);

export class Journal {
  readonly #path: string;
  readonly #values: Map<string, object>;
  /** Descriptors of the one file. */
  #files: { readonly synced: number; readonly plain: number } | undefined;
  /** Nobody knows what of the last write reached the file: the next one replaces it. */
  #damaged = false;
  #lines = 0;
  #pending: Pending[] = [];
  #flushing: Promise<void> | undefined;

  /** Reads the file, or starts an empty one. One process at a time: hold the lock of the folder. */
  constructor(path: string, log: Log) {
    this.#path = path;
    this.#values = readEntries(path, log);
  }

  get values(): ReadonlyMap<string, object> {
    return this.#values;
  }

  /** Resolves once all of it is on disk. The write begins at once when none is under way. */
  write(...changes: readonly Change[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ changes, resolve, reject });
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined;
      });
    });
  }

  /**
   * The same without waiting for the disk: it survives this process, however that ends, but perhaps not the machine. For what
   * is of no use once the machine has been booted anew.
   */
  async note(...changes: readonly Change[]): Promise<void> {
    if (!this.#appendable()) return this.write(...changes);
    const bytes = encode(changes);
    try {
      if (writeSync(this.#appendable()?.plain as number, bytes) < bytes.length) throw partly(this.#path);
    } catch (error) {
      this.#damaged = true;
      throw error;
    }
    this.#appended(changes);
  }

  async close(): Promise<void> {
    await this.#flushing;
    this.#closeFiles();
  }

  /** Undefined: the file has to be replaced. */
  #appendable(): { readonly synced: number; readonly plain: number } | undefined {
    return this.#damaged || this.#lines >= this.#values.size + HISTORY ? undefined : this.#files;
  }

  #appended(changes: readonly Change[]): void {
    this.#lines += changes.length;
    apply(this.#values, changes);
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0) {
      const group = this.#pending;
      this.#pending = [];
      try {
        await this.#append(group.flatMap(({ changes }) => changes));
        for (const { resolve } of group) resolve();
      } catch (error) {
        this.#damaged = true;
        this.#repair();
        for (const { reject } of group) reject(error);
      }
    }
  }

  async #append(changes: readonly Change[]): Promise<void> {
    const files = this.#appendable();
    if (!files) return this.#replace(changes);
    const bytes = encode(changes);
    const { bytesWritten } = await append(files.synced, bytes, 0, bytes.length, null);
    if (bytesWritten < bytes.length) throw partly(this.#path);
    this.#appended(changes);
  }

  #replace(changes: readonly Change[]): void {
    const values = new Map(this.#values);
    apply(values, changes);
    replaceFile(this.#path, encode([...values].map(([key, value]) => ({ key, value }))));
    this.#closeFiles();
    this.#files = { synced: openSync(this.#path, SYNCED), plain: openSync(this.#path, APPEND) };
    this.#damaged = false;
    this.#lines = values.size;
    apply(this.#values, changes);
  }

  /** What was noted behind a write that failed is part of a line that does not read. */
  #repair(): void {
    try {
      this.#replace([]);
    } catch {
      // The next write tries again.
    }
  }

  #closeFiles(): void {
    for (const file of Object.values(this.#files ?? {})) closeSync(file);
    this.#files = undefined;
  }
}

const encode = (changes: readonly Change[]): Buffer => Buffer.from(changes.map(formatLine).join(''));

/** What the kernel says by writing less, and in words only when asked again. */
const partly = (path: string): Error =>
  Object.assign(new Error(`${path}: ENOSPC: the disk took a part of a write only`), { code: 'ENOSPC' });

function apply(values: Map<string, object>, changes: readonly Change[]): void {
  for (const { key, value } of changes) {
    // Removed first, so that the order of the entries is the order in which they were last written.
    values.delete(key);
    if (value !== undefined) values.set(key, value);
  }
}

function formatLine(change: Change): string {
  const json = JSON.stringify(change);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

function parseLine(line: string): Change | undefined {
  const json = line.slice(9);
  if (line.slice(0, 9) !== `${crc32(json).toString(16).padStart(8, '0')} `) return undefined;
  return JSON.parse(json) as Change;
}

function readEntries(path: string, log: Log): Map<string, object> {
  const values = new Map<string, object>();
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return values;
    throw error;
  }
  const lines = text.split('\n');
  const cutShort = lines.pop();
  if (cutShort)
    log.info({ path, bytes: cutShort.length }, 'a write was cut short by a crash; it was never confirmed');
  const damaged = lines.filter((line) => {
    const change = parseLine(line);
    if (change) apply(values, [change]);
    return change === undefined;
  });
  if (damaged.length > 0) {
    const aside = `${path}.damaged-${Date.now()}`;
    copyFileSync(path, aside);
    log.error(
      { path, aside, lines: damaged.length, kept: values.size },
      'the journal is damaged: lines that do not read were left out, and the file kept aside',
    );
  }
  return values;
}

/** The file holds the old or the new text after a crash, never a part. */
function replaceFile(path: string, content: Buffer): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
