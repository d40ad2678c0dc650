/**
 * What changes in a network namespace, as the kernel tells it: links, addresses, routes, rules, neighbours, nexthops.
 * Never blocks; the descriptor goes into an epoll set or `watchReadable`.
 */
import { check, lastError } from '../errors.ts';
import { attachFilter, type BpfInstruction } from '../filter.ts';
import { Errno, errno, libc, O_NONBLOCK } from '../libc.ts';
import { MessageFlag } from '../mmsg.ts';
import { inNamespace } from '../netns.ts';
import { SocketLevel } from '../socket-options.ts';
import { type InterfaceAddress, readAddress } from './addresses.ts';
import { type Link, readLink } from './link.ts';
import { decodeMessages, type Message, NLMSG_HEADER_SIZE } from './message.ts';
import { type Neighbour, readNeighbour } from './neighbours.ts';
import { type Nexthop, readNexthop } from './nexthops.ts';
import { type Route, readRoute } from './route.ts';
import { type Rule, readRule } from './rules.ts';
import { openNetlinkSocket } from './socket.ts';
import { Rtm } from './types.ts';

const AF_NETLINK = 16;
const NETLINK_ADD_MEMBERSHIP = 1;
const READ_SIZE = 65536;

/** RTNLGRP_* of each subject. */
const GROUPS = {
  link: [1],
  address: [5, 9],
  route: [7, 11],
  rule: [8, 19],
  neighbour: [3],
  nexthop: [32],
} as const;

export type Subject = keyof typeof GROUPS;

interface Change<S extends Subject, V> {
  readonly subject: S;
  /** 'new' also when something that exists has changed. */
  readonly change: 'new' | 'deleted';
  readonly value: V;
}

export type Notification =
  | Change<'link', Link>
  | Change<'address', InterfaceAddress>
  | Change<'route', Route>
  | Change<'rule', Rule>
  | Change<'neighbour', Neighbour>
  | Change<'nexthop', Nexthop>
  /** Some were lost: what was learned from them before has to be listed anew. */
  | { readonly subject: 'overrun' };

export interface Notifications {
  /** Readable when there is something to drain. */
  readonly fd: number;
  /** What has happened since the last time, in order. */
  drain(): Notification[];
  close(): void;
}

export interface NotificationOptions {
  /** Path or descriptor; default that of this thread. */
  readonly namespace?: string | number;
  /**
   * Routes of this protocol (RTPROT_*) are kept back by the kernel: who installs many would have to read of each, and lose
   * what others do among them.
   */
  readonly exceptRoutesOf?: number;
}

/** Subscribes. */
export function openNotifications(
  subjects: readonly Subject[],
  { namespace, exceptRoutesOf }: NotificationOptions = {},
): Notifications {
  const open = () => subscribe(subjects, exceptRoutesOf);
  const fd = namespace === undefined ? open() : inNamespace(namespace, open);
  const buffer = new Uint8Array(READ_SIZE);
  return { fd, drain: () => drain(fd, buffer), close: () => void libc.close(fd) };
}

function subscribe(subjects: readonly Subject[], exceptRoutesOf?: number): number {
  const fd = openNetlinkSocket(O_NONBLOCK);
  const doing = `subscribing to changes of ${subjects.join(', ')}`;
  try {
    if (exceptRoutesOf !== undefined) attachFilter(fd, withoutRoutesOf(exceptRoutesOf));
    // Without a bind the kernel gives the socket no port, and no notifications.
    const sockaddr = new Uint8Array(12);
    sockaddr[0] = AF_NETLINK;
    check(libc.bind(fd, sockaddr, sockaddr.length), 'bind', doing);
    for (const group of subjects.flatMap((subject) => GROUPS[subject])) {
      const value = Uint8Array.of(group, 0, 0, 0);
      const set = libc.setsockopt(fd, SocketLevel.netlink, NETLINK_ADD_MEMBERSHIP, value, value.length);
      check(set, 'setsockopt', doing, { EINVAL: 'this kernel has no notifications of that kind' });
    }
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return fd;
}

/** A datagram of these groups has one message: struct nlmsghdr with its type at 4, and behind it struct rtmsg, protocol at 5. */
function withoutRoutesOf(protocol: number): BpfInstruction[] {
  const [LD_H, LD_B, JEQ, RET] = [0x28, 0x30, 0x15, 0x06];
  const op = (code: number, k: number, jt = 0, jf = 0): BpfInstruction => ({ code, jt, jf, k });
  // A half-word is loaded as of the network's byte order, the kernel writes its own.
  const type = (value: number) => ((value & 0xff) << 8) | (value >> 8);
  return [
    op(LD_H, 4),
    op(JEQ, type(Rtm.newRoute), 1),
    op(JEQ, type(Rtm.delRoute), 0, 2),
    op(LD_B, NLMSG_HEADER_SIZE + 5),
    op(JEQ, protocol, 1),
    op(RET, 0xffffffff),
    op(RET, 0),
  ];
}

function drain(fd: number, buffer: Uint8Array): Notification[] {
  const notifications: Notification[] = [];
  for (;;) {
    const length = libc.recv(fd, buffer, buffer.length, MessageFlag.truncated);
    if (length > buffer.length) {
      notifications.push({ subject: 'overrun' });
    } else if (length >= 0) {
      for (const message of decodeMessages(buffer.subarray(0, length))) {
        const notification = readNotification(message);
        if (notification) notifications.push(notification);
      }
    } else if (errno() === Errno.ENOBUFS) {
      notifications.push({ subject: 'overrun' });
    } else if (errno() === Errno.EAGAIN) {
      return notifications;
    } else if (errno() !== Errno.EINTR) {
      throw lastError('recv', 'reading netlink notifications');
    }
  }
}

function readNotification(message: Message): Notification | undefined {
  // NEW is 0 and DEL is 1 in the last two bits of every type.
  const change = (message.type & 1) === 0 ? 'new' : 'deleted';
  const link = readLink(message);
  if (link) return { subject: 'link', change, value: link };
  const address = readAddress(message);
  if (address) return { subject: 'address', change, value: address };
  const route = readRoute(message);
  if (route) return { subject: 'route', change, value: route };
  const rule = readRule(message);
  if (rule) return { subject: 'rule', change, value: rule };
  const neighbour = readNeighbour(message);
  if (neighbour) return { subject: 'neighbour', change, value: neighbour };
  const nexthop = readNexthop(message);
  return nexthop && { subject: 'nexthop', change, value: nexthop };
}
