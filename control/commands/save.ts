/** What a daemon sends into a file: whole, or not there. */
import { once } from 'node:events';
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { codeOf, WeftError } from '../errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  EACCES: 'not permitted',
  ENOSPC: 'the file system is full',
  ECONNRESET: 'the daemon ended before all was there; see its log',
  ERR_STREAM_PREMATURE_CLOSE: 'the daemon ended before all was there; see its log',
};

/** Beside the file until all is there. @throws WeftError 'failed', with nothing left, when it did not come to its end */
export async function save(file: string, open: () => Promise<Readable>): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  const output = createWriteStream(temporary, { mode: 0o600 });
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  try {
    await once(output, 'open');
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
    await pipeline(await open(), output, { signal: interrupted.signal });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    if (error instanceof WeftError) throw error;
    const { message } = error as Error;
    const why = interrupted.signal.aborted ? 'interrupted' : (REASONS[codeOf(error) ?? ''] ?? message);
    throw new WeftError('failed', `cannot write ${file}: ${why}`, { cause: error });
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, interrupt);
  }
}
