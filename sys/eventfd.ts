/**
 * eventfd(2): a descriptor that wakes a thread which waits in epoll or poll. Meant to be imported as a whole:
 * `import * as eventfd from '../sys/eventfd.ts'`. Counts are not carried: any number of signals is one wake-up.
 */
import { check } from './errors.ts';
import { Errno, errno, libc, O_CLOEXEC, O_NONBLOCK, pin } from './libc.ts';

// Two u64, of this thread: the one that is written, the one that is read into.
const ONE = pin(new Uint8Array(BigUint64Array.of(1n, 0n).buffer));
const COUNT = ONE + 8;

/** A new eventfd, non-blocking, not signalled. */
export function create(): number {
  return check(libc.eventfd(0, O_CLOEXEC | O_NONBLOCK), 'eventfd', 'creating an eventfd', {
    EMFILE: 'raise the limit of open files (ulimit -n, LimitNOFILE=)',
  });
}

/** Makes it readable, from any thread of the process. */
export function signal(fd: number): void {
  // EAGAIN: the counter is at its maximum, so the reader is signalled already.
  if (libc.write(fd, ONE, 8) < 0 && errno() !== Errno.EAGAIN) check(-1, 'write', `signalling eventfd ${fd}`);
}

/** Makes it unreadable again. True when it had been signalled since the last time. */
export function drain(fd: number): boolean {
  if (libc.read(fd, COUNT, 8) === 8) return true;
  if (errno() !== Errno.EAGAIN) check(-1, 'read', `draining eventfd ${fd}`);
  return false;
}
