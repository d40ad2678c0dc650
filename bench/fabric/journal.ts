/**
 * What has been measured so far, a JSON line each, written at once: a run that ends early goes on where it was. The first
 * line says what run it is; one of another version, machine or plan is not continued.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WeftError } from '../../control/errors.ts';
import type { Figures } from './metrics.ts';

export interface Header {
  readonly begun: string;
  /** What has to be the same for a run to be continued. */
  readonly plan: Readonly<Record<string, string | number>>;
}

export interface Measurement {
  readonly row: string;
  readonly contestant: string;
  readonly round: number;
  readonly figures?: Figures;
  /** Why there are none. */
  readonly failure?: string;
  /** Processor time of others meanwhile, as a share of the machine. */
  readonly foreign: number;
  /** Attempts that were not believed because others disturbed them. */
  readonly rejected: number;
}

/** Half of what the reference carries, by setting. */
interface HalfLoad {
  readonly setting: string;
  readonly halfLoad: number;
}

const ENDING = '.jsonl';

export class Journal {
  readonly file: string;
  readonly header: Header;
  readonly #measurements: Measurement[] = [];
  readonly #halfLoads = new Map<string, number>();

  private constructor(file: string, header: Header) {
    this.file = file;
    this.header = header;
  }

  static begin(folder: string, header: Header): Journal {
    const file = join(folder, `${header.begun.replaceAll(/[:.]/g, '-')}${ENDING}`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(header)}\n`, { flag: 'wx' });
    return new Journal(file, header);
  }

  /** Reads one that is to be continued. @throws WeftError when it is of another plan, or no journal */
  static resume(file: string, plan: Header['plan']): Journal {
    const journal = Journal.read(file);
    const different = difference(journal.header.plan, plan);
    if (different !== undefined) {
      throw new WeftError(
        'usage',
        `${file} cannot be continued: ${different}; ask for the same, or begin anew without --resume`,
      );
    }
    truncateSync(file, wholeLines(readFileSync(file)));
    return journal;
  }

  static read(file: string): Journal {
    const [first, ...lines] = readLines(file);
    if (!isHeader(first)) throw new WeftError('usage', `${file} is not a journal of weft bench`);
    const journal = new Journal(file, first);
    for (const line of lines) {
      if (isHalfLoad(line)) journal.#halfLoads.set(line.setting, line.halfLoad);
      else journal.#measurements.push(line as Measurement);
    }
    return journal;
  }

  /** The newest in a folder that is of this plan; the newest of all where none is; undefined where there is none. */
  static latest(folder: string, plan: Header['plan']): string | undefined {
    try {
      const names = readdirSync(folder).filter((name) => name.endsWith(ENDING));
      const files = names.sort().map((name) => join(folder, name));
      return files.findLast((file) => isOf(file, plan)) ?? files.at(-1);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  get measurements(): readonly Measurement[] {
    return this.#measurements;
  }

  has(row: string, contestant: string, round: number): boolean {
    return this.#measurements.some(
      (one) => one.row === row && one.contestant === contestant && one.round === round,
    );
  }

  halfLoad(setting: string): number | undefined {
    return this.#halfLoads.get(setting);
  }

  add(measurement: Measurement): void {
    this.#measurements.push(measurement);
    this.#append(measurement);
  }

  addHalfLoad(setting: string, halfLoad: number): void {
    this.#halfLoads.set(setting, halfLoad);
    this.#append({ setting, halfLoad });
  }

  #append(line: object): void {
    appendFileSync(this.file, `${JSON.stringify(line)}\n`);
  }
}

/** What is not the same, in words. */
function difference(was: Header['plan'], is: Header['plan']): string | undefined {
  const key = [...Object.keys(is), ...Object.keys(was)].find((name) => was[name] !== is[name]);
  if (key === undefined) return undefined;
  return `${key} was ${was[key] ?? 'not given'} and is ${is[key] ?? 'not given'}`;
}

/** Whether a file is a journal of this plan. Others may be anything. */
function isOf(file: string, plan: Header['plan']): boolean {
  try {
    return difference(Journal.read(file).header.plan, plan) === undefined;
  } catch {
    return false;
  }
}

/** Bytes to the end of the last whole line. */
const wholeLines = (bytes: Buffer): number => bytes.lastIndexOf('\n') + 1;

/** What was being written when a run was killed is not a line, and not missed. */
function readLines(file: string): unknown[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  // Behind the last line end.
  lines.pop();
  return lines.map((line, n) => {
    try {
      return JSON.parse(line);
    } catch (cause) {
      throw new WeftError('usage', `${file}:${n + 1} is not JSON: ${(cause as Error).message}`, { cause });
    }
  });
}

const isHeader = (line: unknown): line is Header =>
  typeof line === 'object' && line !== null && 'begun' in line && 'plan' in line;

const isHalfLoad = (line: unknown): line is HalfLoad => (line as Partial<HalfLoad>).halfLoad !== undefined;
