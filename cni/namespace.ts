/**
 * Whether a pod's namespace is still the one it was. A TUN queue that is opened inside a namespace keeps that namespace
 * alive (the kernel holds it for the open file), so its end does not show in the descriptor: it shows when neither its
 * path nor any process or mount leads there any more, and closing the queues then ends it.
 *
 * Queues are opened inside all the same: a TUN made in the node and moved costs 32 ms instead of 0.2 ms (the kernel
 * waits for its readers), and an existing one can be taken over only inside.
 */
import { closeSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { currentNamespaceId, heldNamespaceId, type NamespaceId, openNamespace } from '../sys/netns.ts';
import { AttachError, type Attachment } from './attachment.ts';

type Where = Pick<Attachment, 'netns' | 'namespace'>;

/** The namespace at the path, held open: close the descriptor. Throws AttachError when it is none, or the node's own. */
export function openPodNamespace(path: string): { readonly fd: number; readonly id: NamespaceId } {
  if (!path.startsWith('/')) {
    throw new AttachError(
      'namespace',
      `network namespace ${JSON.stringify(path)}: give its full path, e.g. /run/netns/pod1`,
    );
  }
  let fd: number;
  try {
    fd = openNamespace(path);
  } catch (error) {
    throw new AttachError('namespace', (error as Error).message, { cause: error });
  }
  try {
    const id = heldNamespaceId(fd);
    const own = currentNamespaceId();
    if (id.inode !== own.inode || id.dev !== own.dev) return { fd, id };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  throw new AttachError(
    'namespace',
    `${path} is the node's own network namespace; a pod needs one of its own`,
  );
}

/** Whether the path still leads to the namespace of then. */
export function enterable({ netns, namespace }: Where): boolean {
  try {
    const found = statSync(netns, { throwIfNoEntry: false });
    return found?.ino === namespace.inode && found.dev === namespace.dev;
  } catch {
    return false;
  }
}

/**
 * The namespace of then, whatever becomes of its path while it is worked on: close the descriptor. Undefined when the path
 * leads there no longer.
 */
export function holdNamespace({ netns, namespace }: Where): number | undefined {
  let fd: number;
  try {
    fd = openNamespace(netns);
  } catch {
    return undefined;
  }
  const { inode, dev } = heldNamespaceId(fd);
  if (inode === namespace.inode && dev === namespace.dev) return fd;
  closeSync(fd);
  return undefined;
}

/**
 * Whether anything but queues of ours leads to the namespace: a process, or a mount (`ip netns add` and container
 * runtimes keep namespaces by mounting them). Looks at every process, 5 µs each.
 */
export function isUsed({ inode }: NamespaceId): boolean {
  const name = `net:[${inode}]`;
  if (readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${name} `)) return true;
  return readdirSync('/proc').some(
    (entry) => /^\d+$/.test(entry) && linkOf(`/proc/${entry}/ns/net`) === name,
  );
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // The process has ended meanwhile, or is another user's.
  }
}
