/**
 * Runs the program nft: one transaction a call, so that what it describes is there whole or not at all. Knows no table.
 */
import { execFile } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from './errors.ts';
import { PORTION } from './portions.ts';

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

/**
 * Carries out a script, unless its digest is the given one. It is written some of it at a time: there may be megabytes.
 *
 * @returns its digest
 * @throws NftError
 */
export async function applyNft(
  script: Iterable<string>,
  options: NftOptions,
  applied?: string,
): Promise<string> {
  const file = join(options.folder, `nat-${process.pid}.nft`);
  const hash = createHash('sha256');
  try {
    await writeFile(file, hashed(inTexts(script), hash), { mode: 0o600 });
    const digest = hash.digest('base64');
    if (digest !== applied) await execute(['-f', file], options);
    return digest;
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

function* hashed(texts: Iterable<string>, hash: Hash): Generator<string> {
  for (const text of texts) {
    hash.update(text);
    yield text;
  }
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
    if (pid !== undefined) setPriority(pid, NICE);
    return (await running).stdout;
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT';
    const { stderr } = error as { stderr?: string };
    const reason = stderr?.trim().split('\n')[0] || String(error);
    throw new NftError(missing ? `there is no program ${program}` : reason, missing, { cause: error });
  }
}
