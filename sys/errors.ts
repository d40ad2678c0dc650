/**
 * How a failed system call becomes an error that a person can act upon. Never used on the hot path: there, callers
 * look at errno() themselves.
 */
import { errno, errnoName } from './libc.ts';

/** What to do about an error, by its name; the text continues the message after a semicolon. */
export type Remedies = Readonly<Record<string, string>>;

// What the names mean, for those that a user meets; in the words of strerror(3).
const MEANINGS: Readonly<Record<string, string>> = {
  EPERM: 'operation not permitted',
  ENOENT: 'no such file',
  ESRCH: 'no such entry',
  EIO: 'input/output error',
  ENXIO: 'no such device or address',
  E2BIG: 'too many',
  EBADF: 'bad file descriptor',
  EAGAIN: 'would block',
  ENOMEM: 'out of memory',
  EACCES: 'permission denied',
  EBUSY: 'device or resource busy',
  EEXIST: 'exists already',
  ENODEV: 'no such device',
  ENOTDIR: 'not a directory',
  EINVAL: 'invalid argument',
  ENFILE: 'too many open files in the system',
  EMFILE: 'too many open files',
  ENOTTY: 'not possible for this kind of file',
  ENOSPC: 'no space left',
  ERANGE: 'out of range',
  ENAMETOOLONG: 'name too long',
  EBADFD: 'descriptor in bad state',
  EMSGSIZE: 'message too long',
  ENOPROTOOPT: 'option not known to this kernel',
  EOPNOTSUPP: 'not supported',
  EAFNOSUPPORT: 'address family not supported',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'address not available',
  ENETDOWN: 'network is down',
  ENETUNREACH: 'network is unreachable',
  ENOBUFS: 'no buffer space',
  ETIMEDOUT: 'timed out',
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
};

/** A system call that failed. `code` is stable and what programs should look at. */
export class SysError extends Error {
  /** The call, e.g. 'bind' or 'TUNSETIFF' or 'RTM_NEWROUTE'. */
  readonly call: string;
  /** The errno's name, e.g. 'EADDRINUSE'. */
  readonly code: string;
  readonly errno: number;
  /** What was being done, e.g. 'binding a UDP socket to 10.0.0.1:4789'. */
  readonly doing: string;

  constructor(call: string, errno: number, doing: string, hint?: string) {
    const code = errnoName(errno);
    const meaning = MEANINGS[code];
    super(`${doing}: ${call} failed with ${code}${meaning ? ` (${meaning})` : ''}${hint ? `; ${hint}` : ''}`);
    this.name = 'SysError';
    this.call = call;
    this.code = code;
    this.errno = errno;
    this.doing = doing;
  }
}

/** The error of the call that has just failed on this thread. */
export function lastError(call: string, doing: string, remedies?: Remedies): SysError {
  const number = errno();
  return new SysError(call, number, doing, remedies?.[errnoName(number)]);
}

/** Returns what the call returned, or throws its error when that was negative. */
export function check(result: number, call: string, doing: string, remedies?: Remedies): number {
  if (result < 0) throw lastError(call, doing, remedies);
  return result;
}
