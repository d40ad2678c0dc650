/**
 * A netlink socket: sends requests and waits for their acknowledgements, reads lists. Everything is synchronous,
 * for the kernel has answered when send returns; a request costs tens of microseconds. It acts upon the network namespace
 * in which it was opened, whatever thread uses it later.
 */
import { write } from 'node:fs';
import { promisify } from 'node:util';
import { check, lastError, SysError } from '../errors.ts';
import { Errno, errno, libc, O_CLOEXEC } from '../libc.ts';
import { MessageFlag } from '../mmsg.ts';
import { inNamespace } from '../netns.ts';
import { setBuffer } from '../socket.ts';
import { SocketLevel, SocketOption } from '../socket-options.ts';
import {
  type Dump,
  decodeAttributes,
  decodeMessages,
  type Message,
  messageSize,
  NLMSG_HEADER_SIZE,
  NlmFlag,
  type Query,
  type Request,
  readI32,
  readText,
  writeMessage,
} from './message.ts';
import { messageName } from './types.ts';

const writeFile = promisify(write);

const AF_NETLINK = 16;
const SOCK_RAW = 3;
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
/** Of an acknowledgement: the request is not repeated in it / attributes follow. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/** Room for the errors of one batch and to spare: each books about 1 KiB. */
const RECEIVE_BUFFER = 1 << 20;
const BATCH_MESSAGES = 512;
const BATCH_BYTES = 32768;
/** The kernel fills datagrams of a list up to 32 KiB, and sends longer ones only for one object that is longer. */
const READ_SIZE = 65536;
/** The kernel answers before send returns; this only keeps a bug of ours from hanging the process. */
const ANSWER_SECONDS = 5;
/** A list that changes while it is read has to be read again. */
const DUMP_ATTEMPTS = 10;

/** Opens a netlink socket, in the given namespace (path or descriptor) or else in that of this thread. */
export function openRtnetlink(namespace?: string | number): Rtnetlink {
  return openNetlink(NETLINK_ROUTE, namespace);
}

/** The same for another netlink family (NETLINK_*). */
export function openNetlink(protocol: number, namespace?: string | number): Rtnetlink {
  const open = () => new Rtnetlink(protocol);
  return namespace === undefined ? open() : inNamespace(namespace, open);
}

export class Rtnetlink {
  readonly #fd: number;
  #sequence = 0;
  readonly #buffer = new Uint8Array(READ_SIZE);
  readonly #datagram = new Uint8Array(BATCH_BYTES);

  constructor(protocol: number) {
    this.#fd = openNetlinkSocket(0, protocol);
    const timeout = new Uint8Array(BigInt64Array.of(BigInt(ANSWER_SECONDS), 0n).buffer);
    try {
      check(
        libc.setsockopt(this.#fd, SocketLevel.socket, SocketOption.receiveTimeout, timeout, timeout.length),
        'setsockopt',
        'limiting the wait of a netlink socket',
      );
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    libc.close(this.#fd);
  }

  /** Runs the requests in order, and throws the first error. Those after a failed one are run all the same. */
  run(...requests: readonly Request[]): void {
    const failed = this.settle(requests).find((outcome) => outcome !== undefined);
    if (failed) throw failed;
  }

  /** Runs the requests in order, as many in one system call as go; returns the error of each, undefined for none. */
  settle(requests: readonly Request[]): (SysError | undefined)[] {
    const outcomes: (SysError | undefined)[] = [];
    while (outcomes.length < requests.length) {
      const batch = nextBatch(requests, outcomes.length);
      outcomes.push(...this.#answers(batch, this.#send(batch, NlmFlag.acknowledge)));
    }
    return outcomes;
  }

  /**
   * Runs a request that the kernel takes its time for (removing a link: 25 ms) without holding up this thread. Nothing else
   * may be asked of this socket meanwhile.
   */
  async runInBackground(request: Request): Promise<void> {
    const [error] = await this.settleInBackground([request]);
    if (error) throw error;
  }

  /** `settle` in the same way: many routes of a large table take the kernel a third of a second now and then. */
  async settleInBackground(requests: readonly Request[]): Promise<(SysError | undefined)[]> {
    const outcomes: (SysError | undefined)[] = [];
    while (outcomes.length < requests.length) {
      const batch = nextBatch(requests, outcomes.length);
      outcomes.push(...this.#answers(batch, await this.#sendInBackground(batch, NlmFlag.acknowledge)));
    }
    return outcomes;
  }

  /** `find` in the same way: what asks the kernel waits for what it is doing. */
  async findInBackground<T>(query: Query<T>): Promise<T | undefined> {
    const sequence = await this.#sendInBackground([query], 0);
    return orAbsent(() => this.#answer(query, sequence));
  }

  /** The one object asked for; throws when there is none (ENODEV for links, ENOENT, ESRCH, ENETUNREACH for routes …). */
  get<T>(query: Query<T>): T {
    return this.#answer(query, this.#send([query], 0));
  }

  #answer<T>(query: Query<T>, sequence: number): T {
    for (;;) {
      for (const message of this.#receive(query)) {
        if (message.sequence !== sequence) continue;
        const error = readError(message, query);
        if (error) throw error;
        const value = query.read(message);
        if (value !== undefined) return value;
      }
    }
  }

  /** The one object asked for, undefined when the kernel says that there is none. */
  find<T>(query: Query<T>): T | undefined {
    return orAbsent(() => this.get(query));
  }

  /** All objects asked for, as they were at one time: read again when they changed meanwhile. */
  list<T>(dump: Dump<T>): T[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const values: T[] = [];
      const portions = this.#portions(dump);
      let portion = portions.next();
      for (; !portion.done; portion = portions.next()) values.push(...portion.value);
      if (portion.value) return values;
    }
    throw changing(dump);
  }

  /**
   * The same for more than memory is to hold, and without holding up this thread: hands on what comes, some hundred objects at
   * a time, others having their turn in between. Nothing else may be asked of this socket meanwhile, nor after it threw.
   *
   * @param begin called before the first, and again where everything begins anew
   */
  async visit<T>(dump: Dump<T>, begin: () => void, each: (value: T) => void): Promise<void> {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      begin();
      const portions = this.#portions(dump);
      let portion = portions.next();
      for (; !portion.done; portion = portions.next()) {
        for (const value of portion.value) each(value);
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (portion.value) return;
    }
    throw changing(dump);
  }

  /** What one datagram of the kernel brought at a time. @returns whether all are of one time */
  *#portions<T>(dump: Dump<T>): Generator<T[], boolean> {
    let consistent = true;
    const sequence = this.#send([dump], NlmFlag.dump);
    for (;;) {
      const values: T[] = [];
      for (const message of this.#receive(dump)) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & NlmFlag.dumpInterrupted) !== 0) consistent = false;
        const error = readError(message, dump);
        if (error && error.errno === dump.emptyOn) return true;
        if (error) throw error;
        if (message.type === NLMSG_DONE) {
          yield values;
          return consistent;
        }
        const value = dump.read(message);
        if (value !== undefined) values.push(value);
      }
      yield values;
    }
  }

  /** The kernel answers in order: what failed, and the last one in any case. @param last sequence number */
  #answers(batch: readonly Request[], last: number): (SysError | undefined)[] {
    const first = last - batch.length + 1;
    const outcomes = new Array<SysError | undefined>(batch.length).fill(undefined);
    for (;;) {
      for (const message of this.#receive(batch[batch.length - 1])) {
        const index = message.sequence - first;
        if (message.type !== NLMSG_ERROR || index < 0 || index >= batch.length) continue;
        outcomes[index] = readError(message, batch[index]);
        if (message.sequence === last) return outcomes;
      }
    }
  }

  async #sendInBackground(requests: readonly Request[], flags: number): Promise<number> {
    const datagram = this.#encode(requests, flags);
    const sequence = this.#sequence;
    // To write(2) a netlink socket is a file like any other, and Node writes files in threads of its own.
    await writeFile(this.#fd, datagram, 0, datagram.length, null);
    return sequence;
  }

  /** Returns the sequence number of the last. */
  #send(requests: readonly Request[], flags: number): number {
    const datagram = this.#encode(requests, flags);
    check(libc.send(this.#fd, datagram, datagram.length, 0), 'send', requests[0].doing);
    return this.#sequence;
  }

  /**
   * The requests with consecutive sequence numbers, valid until the next call.
   * @param flags of the last one: the kernel is done with the others before it
   */
  #encode(requests: readonly Request[], flags: number): Uint8Array {
    // Sequence numbers are u32 in the header; ours wrap long before, at a batch boundary.
    if (this.#sequence > 0x7fff0000) this.#sequence = 0;
    const bytes = requests.reduce((sum, { payload }) => sum + messageSize(payload), 0);
    const datagram = bytes <= BATCH_BYTES ? this.#datagram.subarray(0, bytes) : new Uint8Array(bytes);
    const last = requests.length - 1;
    let end = 0;
    for (let i = 0; i <= last; i++) {
      const { type, flags: own, payload } = requests[i];
      const all = own | NlmFlag.request | (i === last ? flags : 0);
      end = writeMessage(datagram, end, type, all, ++this.#sequence, payload);
    }
    return datagram;
  }

  /** The messages of one datagram, valid until the next call. */
  #receive(request: Request): Message[] {
    for (;;) {
      const length = libc.recv(this.#fd, this.#buffer, READ_SIZE, MessageFlag.truncated);
      if (length >= 0) {
        if (length > READ_SIZE)
          throw new Error(`${request.doing}: the kernel's answer of ${length} bytes is too long`);
        return decodeMessages(this.#buffer.subarray(0, length));
      }
      if (errno() === Errno.EINTR) continue;
      throw lastError('recv', request.doing, {
        ENOBUFS: 'answers were lost and it is not known what was done; read the state again',
        EAGAIN: `the kernel did not answer within ${ANSWER_SECONDS} s`,
      });
    }
  }
}

function changing({ doing }: Dump<unknown>): Error {
  return new Error(`${doing}: it changed during each of ${DUMP_ATTEMPTS} attempts; try again later`);
}

/** As many from one on as go in one system call. */
function nextBatch(requests: readonly Request[], from: number): readonly Request[] {
  let bytes = 0;
  let end = from;
  for (; end < requests.length && end - from < BATCH_MESSAGES; end++) {
    bytes += messageSize(requests[end].payload);
    if (bytes > BATCH_BYTES && end > from) break;
  }
  return requests.slice(from, end);
}

/** What the kernel says of a link, nexthop, rule or route that is not there. */
const ABSENT: readonly number[] = [Errno.ENODEV, Errno.ENOENT, Errno.ESRCH, Errno.ENETUNREACH];

function orAbsent<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch (error) {
    if (error instanceof SysError && ABSENT.includes(error.errno)) return undefined;
    throw error;
  }
}

/**
 * A socket with the options that all of ours have: errors explained, not repeating the request, lists filtered by the kernel.
 * `flags` are of socket(2), e.g. O_NONBLOCK.
 */
export function openNetlinkSocket(flags: number, protocol: number = NETLINK_ROUTE): number {
  const fd = check(
    libc.socket(AF_NETLINK, SOCK_RAW | O_CLOEXEC | flags, protocol),
    'socket',
    'opening a netlink socket',
  );
  setBuffer(fd, 'receive', RECEIVE_BUFFER);
  const on = Uint8Array.of(1, 0, 0, 0);
  // Kernels before 4.20 lack the last one: lists are then longer than asked for, which their readers sort out.
  for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
    libc.setsockopt(fd, SocketLevel.netlink, option, on, on.length);
  }
  return fd;
}

/** The error in an acknowledgement or at the end of a list; undefined when there is none. */
function readError(message: Message, request: Request): SysError | undefined {
  if (message.type === NLMSG_NOOP || (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE))
    return undefined;
  if (message.payload.length < 4) return undefined;
  const number = -readI32(message.payload);
  if (number <= 0) return undefined;
  const name = messageName(request.type);
  const plain = new SysError(name, number, request.doing);
  const explanation = extendedText(message);
  const remedy =
    request.remedies?.[plain.code] ??
    (number === Errno.EPERM ? 'needs CAP_NET_ADMIN in this network namespace; run as root' : undefined);
  const hint = [explanation && `the kernel says "${explanation}"`, remedy].filter(Boolean).join('; ');
  return hint ? new SysError(name, number, request.doing, hint) : plain;
}

/** NLMSGERR_ATTR_MSG: what the kernel itself says about the error. */
function extendedText(message: Message): string | undefined {
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return undefined;
  let offset = 4;
  if (message.type === NLMSG_ERROR) {
    offset += (message.flags & NLM_F_CAPPED) !== 0 ? NLMSG_HEADER_SIZE : readI32(message.payload, 4);
  }
  const value = decodeAttributes(message.payload, offset).get(NLMSGERR_ATTR_MSG);
  return value && readText(value);
}
