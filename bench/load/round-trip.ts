/**
 * Round trips of small UDP datagrams: one side answers each, the other asks, waits, and asks again. Both block in the
 * system call, as a simple server and its client would.
 */
import { check } from '../../sys/errors.ts';
import { addressOf, libc } from '../../sys/libc.ts';
import { setIovec, setMsghdr, setNameLength } from '../../sys/mmsg.ts';
import { encodeSockaddr, SOCKADDR_SIZE } from '../../sys/sockaddr.ts';
import { udpSocket } from '../../sys/socket.ts';
import { SocketLevel, SocketOption } from '../../sys/socket-options.ts';
import { type Address, addressToBytes } from '../../wire/address.ts';
import { Histogram } from './histogram.ts';

const SIZE = 64;

/** Answers for ever; the process is ended from outside. */
export function echo(family: 4 | 6, port: number, ready: () => void): never {
  const fd = udpSocket({ family, port, nonBlocking: false });
  const u8 = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer);
  const view = new DataView(u8.buffer);
  const base = addressOf(u8);
  const [message, iovec, name, payload] = [0, 64, 128, 256];
  setIovec(view, iovec, base + payload, 2048);
  setMsghdr(view, message, base + name, SOCKADDR_SIZE, base + iovec, 1, 0, 0);
  ready();
  for (;;) {
    setNameLength(view, message, SOCKADDR_SIZE);
    setIovec(view, iovec, base + payload, 2048);
    const got = libc.recvmsg(fd, base + message, 0);
    if (got < 0) continue;
    setIovec(view, iovec, base + payload, got);
    libc.sendmsg(fd, base + message, 0);
  }
}

export interface RoundTripOptions {
  readonly to: Address;
  readonly port: number;
  readonly seconds: number;
}

export interface RoundTrips {
  readonly count: number;
  readonly lost: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export function measureRoundTrips({ to, port, seconds }: RoundTripOptions): RoundTrips {
  const fd = udpSocket({ family: to.family, nonBlocking: false });
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  const length = encodeSockaddr(sockaddr, 0, addressToBytes(to), port);
  check(libc.connect(fd, sockaddr, length), 'connect', 'connecting to the echo');
  const wait = new Uint8Array(new BigInt64Array([0n, 200_000n]).buffer); // struct timeval
  libc.setsockopt(fd, SocketLevel.socket, SocketOption.receiveTimeout, wait, wait.length);
  const question = new Uint8Array(SIZE);
  const asked = new DataView(question.buffer);
  const answer = new Uint8Array(2048);
  const answered = new DataView(answer.buffer);
  const times = new Histogram();
  let lost = 0;
  let number = 0;
  const end = performance.now() + seconds * 1000;
  for (let before = performance.now(); before < end; ) {
    asked.setFloat64(0, ++number);
    libc.send(fd, question, SIZE, 0);
    let got: number;
    // What was given up may still come, and is no answer to what was asked since.
    do got = libc.recv(fd, answer, answer.length, 0);
    while (got > 0 && answered.getFloat64(0) !== number);
    const after = performance.now();
    if (got > 0) times.add((after - before) * 1000);
    else lost++;
    before = after;
  }
  libc.close(fd);
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => times.quantile(share));
  return { count: times.count, lost, p50, p99, p999 };
}
