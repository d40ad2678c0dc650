/**
 * A file as the lock of something: an open file description lock (fcntl(2), F_OFD_SETLK) on the whole of it. The kernel
 * drops it when the descriptor is closed or the process ends, however it ends, so there is no stale lock to clear. The
 * file itself stays.
 */
import { closeSync, openSync } from 'node:fs';
import { lastError } from './errors.ts';
import { addressOf, Errno, errno, libc } from './libc.ts';

const F_OFD_SETLK = 37;
const F_OFD_SETLKW = 38;
const F_WRLCK = 1;
// struct flock: l_type and l_whence (16 bits each), l_start, l_len and l_pid at 8, 16 and 24; all zero is the whole file.
const STRUCT_FLOCK_SIZE = 32;

/**
 * The locked file, made when missing; whoever closes it unlocks it.
 * @returns undefined when another has it @throws when the file cannot be opened or locked at all
 */
export const tryLock = (path: string): number | undefined => lock(path, F_OFD_SETLK);

/** Does something while nobody else does anything under this lock; waits, blocking, until it is free. */
export function locked<T>(path: string, work: () => T): T {
  const fd = lock(path, F_OFD_SETLKW);
  try {
    return work();
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function lock(path: string, command: number): number | undefined {
  const fd = openSync(path, 'a+', 0o600);
  const request = Buffer.alloc(STRUCT_FLOCK_SIZE);
  request.writeInt16LE(F_WRLCK, 0);
  while (libc.fcntl(fd, command, addressOf(request)) < 0) {
    if (errno() === Errno.EINTR) continue;
    const taken = errno() === Errno.EAGAIN || errno() === Errno.EACCES;
    const cause = lastError('fcntl', `locking ${path}`);
    closeSync(fd);
    if (!taken) throw cause;
    return undefined;
  }
  return fd;
}
