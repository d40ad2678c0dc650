/**
 * Passing open descriptors between processes over a unix socket (SCM_RIGHTS, man 7 unix). Received ones are
 * close-on-exec and belong to the receiver.
 */
import { check } from './errors.ts';
import { libc, O_CLOEXEC, pin } from './libc.ts';
import {
  CMSGHDR_SIZE,
  controlLength,
  controlSpace,
  findControl,
  getU64,
  IOVEC_SIZE,
  MessageFlag,
  messageFlags,
  setControlHeader,
  setControlLength,
  setIovec,
  setMsghdr,
} from './mmsg.ts';
import { SocketLevel } from './socket-options.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SCM_RIGHTS = 1;
/** SCM_MAX_FD: the most that one message carries. */
const DESCRIPTORS_MAX = 253;
const DATA_MAX = 65536;

// One arena a thread, whose address the kernel gets: msghdr, iovec, control messages, data.
const IOVEC = 64;
const CONTROL = IOVEC + IOVEC_SIZE;
const CONTROL_MAX = controlSpace(DESCRIPTORS_MAX * 4);
const DATA = CONTROL + CONTROL_MAX;
const arena = new Uint8Array(DATA + DATA_MAX);
const view = new DataView(arena.buffer);
const BASE = pin(arena);

export interface ReceivedDescriptors {
  readonly data: Uint8Array;
  readonly descriptors: readonly number[];
}

/** Two connected unix sockets that keep message boundaries, blocking. */
export function socketPair(): readonly [number, number] {
  const pair = new Uint8Array(8);
  check(
    libc.socketpair(AF_UNIX, SOCK_SEQPACKET | O_CLOEXEC, 0, pair),
    'socketpair',
    'opening a pair of unix sockets',
  );
  const pairView = new DataView(pair.buffer);
  return [pairView.getInt32(0, true), pairView.getInt32(4, true)];
}

/** Sends `data` (1 to 65,536 bytes) and duplicates of `descriptors` (at most 253). The sender's own stay open. */
export function sendDescriptors(socket: number, data: Uint8Array, descriptors: readonly number[]): void {
  if (data.length === 0 || data.length > DATA_MAX || descriptors.length > DESCRIPTORS_MAX) {
    throw new RangeError(
      `a message has 1 to ${DATA_MAX} bytes and at most ${DESCRIPTORS_MAX} descriptors, ` +
        `not ${data.length} and ${descriptors.length}`,
    );
  }
  arena.set(data, DATA);
  const length = descriptors.length * 4;
  const used = length === 0 ? 0 : controlSpace(length);
  const start = setControlHeader(view, CONTROL, SocketLevel.socket, SCM_RIGHTS, length);
  descriptors.forEach((fd, i) => {
    view.setInt32(start + i * 4, fd, true);
  });
  prepare(data.length, used);
  const doing = `sending ${descriptors.length} descriptors over unix socket ${socket}`;
  check(libc.sendmsg(socket, BASE, MessageFlag.noSignal), 'sendmsg', doing, {
    EBADF: 'one of them is not open',
    EPIPE: 'the other end is closed',
  });
}

/** Receives one message. Empty data: the other end is closed. */
export function receiveDescriptors(socket: number): ReceivedDescriptors {
  prepare(DATA_MAX, CONTROL_MAX);
  const doing = `receiving descriptors over unix socket ${socket}`;
  const length = check(libc.recvmsg(socket, BASE, MessageFlag.closeOnExec), 'recvmsg', doing);
  const descriptors: number[] = [];
  const start = findControl(view, CONTROL, controlLength(view, 0), SocketLevel.socket, SCM_RIGHTS);
  if (start >= 0) {
    const end = start - CMSGHDR_SIZE + getU64(view, start - CMSGHDR_SIZE);
    for (let at = start; at < end; at += 4) descriptors.push(view.getInt32(at, true));
  }
  if ((messageFlags(view, 0) & MessageFlag.controlTruncated) !== 0) {
    for (const fd of descriptors) libc.close(fd);
    throw new Error(`${doing}: some did not arrive; raise the limit of open files (ulimit -n, LimitNOFILE=)`);
  }
  return { data: arena.slice(DATA, DATA + length), descriptors };
}

function prepare(dataLength: number, controlBytes: number): void {
  setIovec(view, IOVEC, BASE + DATA, dataLength);
  setMsghdr(view, 0, 0, 0, BASE + IOVEC, 1, controlBytes === 0 ? 0 : BASE + CONTROL, controlBytes);
  setControlLength(view, 0, controlBytes);
}
