/**
 * Waiting for a descriptor in Node's own event loop, for threads that run one (control). Packet threads use epoll.
 */
import koffi from 'koffi';

export interface Watch {
  /** Stops watching; to be called before the descriptor is closed. */
  close(): void;
}

/** Calls `onReadable` whenever `fd` is readable, until closed. It keeps the process alive unless `keepAlive` is false. */
export function watchReadable(fd: number, onReadable: () => void, keepAlive = true): Watch {
  let closed = false;
  const handle = koffi.node.poll(fd, { readable: true }, () => {
    // koffi calls from outside of Node's callback scope, where promises do not run and exceptions get lost. The check
    // phase, where setImmediate runs, follows at once.
    setImmediate(() => {
      if (!closed) onReadable();
    });
  });
  if (!keepAlive) handle.unref();
  return {
    close() {
      closed = true;
      handle.stop();
      handle.close();
    },
  };
}
