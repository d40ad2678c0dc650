/**
 * Raw ICMPv6 on one link: what arrives with its source and hop limit, and what is sent to all nodes of the link. The kernel
 * computes checksums. What is in the messages is the caller's.
 */
import { check, lastError } from './errors.ts';
import { Errno, errno, libc, pin } from './libc.ts';
import {
  controlLength,
  controlSpace,
  findControl,
  IOVEC_SIZE,
  MessageFlag,
  setControlLength,
  setIovec,
  setMsghdr,
} from './mmsg.ts';
import { decodeSockaddr, encodeSockaddr, SOCKADDR_SIZE } from './sockaddr.ts';
import { rawSocket, setOption } from './socket.ts';
import { Ipv6Option, SocketLevel } from './socket-options.ts';

const IPPROTO_ICMPV6 = 58;
/** ff02::1 */
const ALL_NODES = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const HOP_LIMIT = 255;
const DATA_MAX = 2048;

// One arena a thread, whose address the kernel gets: msghdr, iovec, name, control messages, data.
const IOVEC = 64;
const NAME = IOVEC + IOVEC_SIZE;
const CONTROL = NAME + 32;
const CONTROL_MAX = controlSpace(4);
const DATA = CONTROL + CONTROL_MAX;
const arena = new Uint8Array(DATA + DATA_MAX);
const view = new DataView(arena.buffer);
const BASE = pin(arena);

export interface Icmp6Message {
  readonly source: Uint8Array;
  /** 255: from this very link (RFC 4861 section 6.1). */
  readonly hopLimit: number;
  readonly bytes: Uint8Array;
}

/** Returns the descriptor, non-blocking. */
export function icmp6Socket(device: string): number {
  const fd = rawSocket({ family: 6, protocol: IPPROTO_ICMPV6, device, receiveTtl: true });
  setOption(fd, SocketLevel.ipv6, Ipv6Option.multicastHops, HOP_LIMIT);
  return fd;
}

/** @param index of the interface */
export function sendToAllNodes(fd: number, index: number, bytes: Uint8Array): void {
  const nameLength = encodeSockaddr(arena, NAME, ALL_NODES, 0, index);
  arena.set(bytes, DATA);
  setIovec(view, IOVEC, BASE + DATA, bytes.length);
  setMsghdr(view, 0, BASE + NAME, nameLength, BASE + IOVEC, 1, 0, 0);
  check(libc.sendmsg(fd, BASE, MessageFlag.noSignal), 'sendmsg', 'sending ICMPv6 to all nodes of the link', {
    EADDRNOTAVAIL: 'the interface has no link-local address (yet)',
  });
}

/** The next message; undefined: none is waiting. */
export function receiveIcmp6(fd: number): Icmp6Message | undefined {
  setIovec(view, IOVEC, BASE + DATA, DATA_MAX);
  setMsghdr(view, 0, BASE + NAME, SOCKADDR_SIZE, BASE + IOVEC, 1, BASE + CONTROL, CONTROL_MAX);
  setControlLength(view, 0, CONTROL_MAX);
  const length = libc.recvmsg(fd, BASE, 0);
  if (length < 0) {
    const number = errno();
    if (number === Errno.EAGAIN || number === Errno.EINTR) return undefined;
    throw lastError('recvmsg', 'receiving ICMPv6');
  }
  const source = decodeSockaddr(arena, NAME)?.address ?? new Uint8Array(16);
  const at = findControl(view, CONTROL, controlLength(view, 0), SocketLevel.ipv6, Ipv6Option.hopLimit);
  return { source, hopLimit: at < 0 ? 0 : view.getInt32(at, true), bytes: arena.slice(DATA, DATA + length) };
}
