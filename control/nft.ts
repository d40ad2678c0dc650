/**
 * Runs the program nft: one transaction a call, so that what it describes is there whole or not at all. Knows no table.
 */
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from './errors.ts';

const run = promisify(execFile);

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

/** Carries out a script. @throws NftError */
export async function applyNft(script: string, options: NftOptions): Promise<void> {
  const file = join(options.folder, `nat-${process.pid}.nft`);
  await writeFile(file, script, { mode: 0o600 });
  try {
    await execute(['-f', file], options);
  } finally {
    await rm(file, { force: true });
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
    return (await run(program, args, { env, maxBuffer: Number.POSITIVE_INFINITY })).stdout;
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT';
    const { stderr } = error as { stderr?: string };
    const reason = stderr?.trim().split('\n')[0] || String(error);
    throw new NftError(missing ? `there is no program ${program}` : reason, missing, { cause: error });
  }
}
