/**
 * Network namespaces: to name one, to hold one open, and to run a function inside one. Never creates or deletes them.
 * A namespace belongs to the thread (setns moves the calling thread only), so what runs inside must be synchronous.
 */
import { fstatSync } from 'node:fs';
import { check, lastError, SysError } from './errors.ts';
import { Errno, errno, libc, O_CLOEXEC, O_RDONLY } from './libc.ts';

const CLONE_NEWNET = 0x40000000;
const NS_GET_NSTYPE = 0xb703;
const THREAD_NAMESPACE = '/proc/thread-self/ns/net';

/** The identity of a namespace: two paths with equal identities are the same namespace. */
export interface NamespaceId {
  readonly dev: number;
  readonly inode: number;
}

/** Set once when this thread could not come back: nothing may be opened any more in what is the wrong namespace. */
let stranded: Error | undefined;

/** Opens the namespace at `path` (/run/netns/x, /proc/PID/ns/net): a descriptor that keeps it alive. Close it. */
export function openNamespace(path: string): number {
  const doing = `opening the network namespace ${path}`;
  const fd = check(libc.open(path, O_RDONLY | O_CLOEXEC, 0), 'open', doing, {
    ENOENT: 'it does not exist; `ip netns list` and `lsns -t net` show those that do',
    EACCES: 'needs CAP_SYS_PTRACE over that process, or read access to the path; run as root',
  });
  const type = libc.ioctlNumber(fd, NS_GET_NSTYPE, 0);
  if (type === CLONE_NEWNET) return fd;
  const cause = type < 0 ? errno() : Errno.EINVAL;
  libc.close(fd);
  throw new SysError(
    'NS_GET_NSTYPE',
    cause,
    doing,
    type < 0
      ? 'the path is not a namespace: it has been deleted (a plain file is left where it was mounted) or never was one'
      : 'the path is a namespace of another type than net',
  );
}

/** Throws the SysError of `openNamespace` when there is no network namespace at `path`. */
export function namespaceId(path: string): NamespaceId {
  const fd = openNamespace(path);
  try {
    return heldNamespaceId(fd);
  } finally {
    libc.close(fd);
  }
}

/** The namespace that this thread is in. */
export function currentNamespaceId(): NamespaceId {
  return namespaceId(THREAD_NAMESPACE);
}

/** Of a descriptor that `openNamespace` has returned. */
export function heldNamespaceId(fd: number): NamespaceId {
  const { dev, ino } = fstatSync(fd);
  return { dev, inode: ino };
}

/**
 * Runs `fn` with this thread in the namespace (a path, or a descriptor of `openNamespace`), and returns what it returns. The thread is back in its own
 * namespace afterwards, also when `fn` throws. Sockets, TUN queues and netlink sockets opened inside stay there.
 * 35 µs beyond `fn`. Should the way back fail, it throws an error that must end the process, and every later
 * call on this thread throws it again.
 */
export function inNamespace<T>(namespace: string | number, fn: () => T): T {
  if (stranded) throw stranded;
  const there = typeof namespace === 'number' ? namespace : openNamespace(namespace);
  const name = typeof namespace === 'number' ? `of descriptor ${namespace}` : namespace;
  try {
    const home = openNamespace(THREAD_NAMESPACE);
    try {
      check(libc.setns(there, CLONE_NEWNET), 'setns', `entering the network namespace ${name}`, {
        EPERM: 'needs CAP_SYS_ADMIN here and over that namespace; run as root',
      });
      let result: T;
      try {
        result = fn();
      } finally {
        if (libc.setns(home, CLONE_NEWNET) < 0) comeBackFailed(name);
      }
      if (result instanceof Promise) {
        throw new TypeError(
          'inNamespace: fn must be synchronous, its promise would run in another namespace',
        );
      }
      return result;
    } finally {
      libc.close(home);
    }
  } finally {
    if (typeof namespace === 'string') libc.close(there);
  }
}

function comeBackFailed(name: string): never {
  const cause = lastError('setns', `coming back from the network namespace ${name}`);
  stranded = new Error(
    `fatal: this thread is stuck in the network namespace ${name} and must not go on; end the process`,
    { cause },
  );
  throw stranded;
}
