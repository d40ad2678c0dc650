/**
 * Keeps a state folder to one process: an open file description lock (fcntl(2), F_OFD_SETLK) on `<folder>/lock`. The
 * kernel drops it when the process ends, however it ends, so there is no stale lock to clear. The file itself stays.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { lastError } from '../sys/errors.ts';
import { addressOf, Errno, errno, libc } from '../sys/libc.ts';

const F_OFD_SETLK = 37;
const F_WRLCK = 1;
// struct flock: l_type and l_whence (16 bits each), l_start, l_len and l_pid at 8, 16 and 24; all zero is the whole file.
const STRUCT_FLOCK_SIZE = 32;

export class FolderInUse extends Error {
  override readonly name = 'FolderInUse';
  readonly code = 'in-use';
}

/** Taken until the returned function is called, which may be repeated. Throws FolderInUse, naming the holder, when another process has the folder. */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'lock');
  const fd = openSync(path, 'a+', 0o600);
  const request = Buffer.alloc(STRUCT_FLOCK_SIZE);
  request.writeInt16LE(F_WRLCK, 0);
  if (libc.fcntl(fd, F_OFD_SETLK, addressOf(request)) < 0) {
    const taken = errno() === Errno.EAGAIN || errno() === Errno.EACCES;
    const cause = lastError('fcntl', `locking ${path}`);
    const holder = readFileSync(path, 'utf8').trim();
    closeSync(fd);
    if (!taken) throw cause;
    throw new FolderInUse(
      `${folder} is in use by another weft node (process ${holder || 'unknown'}); stop it, or give this one a 'state' of its own`,
      { cause },
    );
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  let held = true;
  return () => {
    if (held) closeSync(fd);
    held = false;
  };
}
