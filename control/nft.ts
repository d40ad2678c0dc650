/**
 * Runs the program nft: one transaction a call, so that what it describes is there whole or not at all. Knows no table.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from './errors.ts';
import { PORTION, pause } from './portions.ts';

const run = promisify(execFile);
/** A table of 300,000 ranges takes three seconds of a processor, which packets and sessions are not to wait for. */
const NICE = 10;

export interface NftOptions {
  /** Where the file for nft is written for as long as it is read (nft cannot read what Node gives it as stdin). */
  readonly folder: string;
  /** Default 'nft', in PATH or where administrators' programs are. */
  readonly program?: string;
}

export class NftError extends Error {
  override readonly name = 'NftError';
  /** There is no such program. */
  readonly missing: boolean;

  constructor(message: string, missing: boolean, options?: ErrorOptions) {
    super(message, options);
    this.missing = missing;
  }
}

/** What tells scripts apart that are too long to be kept; worked out some at a time. */
export async function digestOf(script: Iterable<string>): Promise<string> {
  const hash = createHash('sha256');
  for (const text of inTexts(script)) {
    hash.update(text);
    await pause();
  }
  return hash.digest('base64');
}

/** Carries out a script, which is written some of it at a time: there may be megabytes. @throws NftError */
export async function applyNft(script: Iterable<string>, options: NftOptions): Promise<void> {
  const file = join(options.folder, `nat-${process.pid}.nft`);
  try {
    await writeFile(file, inTexts(script), { mode: 0o600 });
    await execute(['-f', file], options);
  } finally {
    await rm(file, { force: true });
  }
}

function* inTexts(pieces: Iterable<string>): Generator<string> {
  let some: string[] = [];
  for (const piece of pieces) {
    if (some.push(piece) < PORTION) continue;
    yield some.join('');
    some = [];
  }
  yield some.join('');
}

/** What `nft -j` answers; undefined when there is no such thing. @throws NftError when it cannot be asked */
export async function askNft(question: readonly string[], options: NftOptions): Promise<unknown> {
  try {
    return JSON.parse(await execute(['-j', ...question], options));
  } catch (error) {
    if (error instanceof NftError && error.message.includes('No such file or directory')) return undefined;
    throw error;
  }
}

async function execute(args: readonly string[], { program = 'nft' }: NftOptions): Promise<string> {
  try {
    const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` };
    const running = run(program, args, { env, maxBuffer: Number.POSITIVE_INFINITY });
    const { pid } = running.child;
    if (pid !== undefined) giveWay(pid);
    return (await running).stdout;
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT';
    const { stderr } = error as { stderr?: string };
    const reason = stderr?.trim().split('\n')[0] || String(error);
    throw new NftError(missing ? `there is no program ${program}` : reason, missing, { cause: error });
  }
}

/** A courtesy: where it is forbidden, nft runs like anyone. */
function giveWay(pid: number): void {
  try {
    setPriority(pid, NICE);
  } catch {}
}
