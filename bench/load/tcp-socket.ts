/** TCP sockets of the load, opened on the system calls themselves like everything else here. Never reads or writes. */
import { check } from '../../sys/errors.ts';
import { libc, O_CLOEXEC, O_NONBLOCK } from '../../sys/libc.ts';
import { AF_INET, AF_INET6, encodeSockaddr, SOCKADDR_SIZE } from '../../sys/sockaddr.ts';
import { setOption } from '../../sys/socket.ts';
import { SocketLevel, SocketOption } from '../../sys/socket-options.ts';
import { type Address, addressToBytes } from '../../wire/address.ts';

const SOCK_STREAM = 1;
const BACKLOG = 128;

function open(family: 4 | 6): number {
  const kind = family === 4 ? AF_INET : AF_INET6;
  return check(libc.socket(kind, SOCK_STREAM | O_CLOEXEC, 0), 'socket', 'opening a TCP socket');
}

/** A listening socket on every address, blocking. */
export function tcpListen(family: 4 | 6, port: number): number {
  const fd = open(family);
  setOption(fd, SocketLevel.socket, SocketOption.reuseAddress, 1);
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  const length = encodeSockaddr(sockaddr, 0, new Uint8Array(family === 4 ? 4 : 16), port);
  check(libc.bind(fd, sockaddr, length), 'bind', `binding a TCP socket to port ${port}`);
  check(libc.listen(fd, BACKLOG), 'listen', `listening on TCP port ${port}`);
  return fd;
}

/** A connected socket, blocking. */
export function tcpConnect(to: Address, port: number): number {
  const fd = open(to.family);
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  const length = encodeSockaddr(sockaddr, 0, addressToBytes(to), port);
  check(libc.connect(fd, sockaddr, length), 'connect', `connecting to TCP port ${port}`);
  return fd;
}

/** Calls that would wait say EAGAIN instead. */
export function withoutWaiting(fd: number): void {
  const F_SETFL = 4;
  check(libc.fcntl(fd, F_SETFL, O_NONBLOCK), 'fcntl', 'making a TCP socket non-blocking');
}

/** How long a blocking receive, an accept among them, waits at most. */
export function receiveTimeout(fd: number, milliseconds: number): void {
  const { socket } = SocketLevel;
  const seconds = Math.floor(milliseconds / 1000);
  const wait = new BigInt64Array([BigInt(seconds), BigInt((milliseconds % 1000) * 1000)]); // struct timeval
  libc.setsockopt(fd, socket, SocketOption.receiveTimeout, new Uint8Array(wait.buffer), wait.byteLength);
}
