/**
 * TCP sockets with what routing protocols want of them: MD5 signatures (RFC 2385), a least TTL (RFC 5082), a TTL and a
 * class of their own, an interface. Opens, accepts and configures; Node does the rest once it has the descriptor.
 */
import { check, lastError, type Remedies } from './errors.ts';
import { Errno, errno, libc, O_CLOEXEC, O_NONBLOCK } from './libc.ts';
import { AF_INET, AF_INET6, addressText, decodeSockaddr, encodeSockaddr, SOCKADDR_SIZE } from './sockaddr.ts';
import { bindToDevice, localAddress, setOption } from './socket.ts';
import { IpOption, Ipv6Option, SocketLevel, SocketOption, TcpOption } from './socket-options.ts';

const SOCK_STREAM = 1;
const BACKLOG = 128;

export interface TcpOptions {
  readonly family: 4 | 6;
  /** Own address, 4 or 16 bytes; default: any. */
  readonly address?: Uint8Array;
  /** Interface index of a link-local `address`. */
  readonly scope?: number;
  /** Default 0: the kernel chooses. */
  readonly port?: number;
  /** Name of the one interface to use. */
  readonly device?: string;
  /** TTL or hop limit of what is sent. */
  readonly ttl?: number;
  /** What arrives with less is dropped. */
  readonly minimumTtl?: number;
  /** Type of service, traffic class. */
  readonly tos?: number;
}

export interface AcceptedSocket {
  readonly fd: number;
  /** Both ends; `scope` is the index of the interface of link-local ones. */
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  readonly scope: number;
}

/** Not connected yet. Returns its descriptor, non-blocking. */
export function tcpSocket(options: TcpOptions): number {
  const { family, address, port = 0 } = options;
  const what = `a TCP socket${address ? ` on ${addressText(address)} port ${port}` : ''}`;
  const kind = family === 4 ? AF_INET : AF_INET6;
  const fd = check(libc.socket(kind, SOCK_STREAM | O_CLOEXEC | O_NONBLOCK, 0), 'socket', `opening ${what}`, {
    EAFNOSUPPORT: 'this kernel has no such address family (is IPv6 disabled, ipv6.disable=1?)',
  });
  try {
    if (family === 6) setOption(fd, SocketLevel.ipv6, Ipv6Option.v6Only, 1);
    setTcpOptions(fd, options);
    if (options.device !== undefined) bindToDevice(fd, options.device);
    if (address !== undefined) bind(fd, address, port, options.scope ?? 0, what);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return fd;
}

/** Returns its descriptor, non-blocking; `acceptTcp` when it is readable. */
export function tcpListener(options: TcpOptions & { readonly address: Uint8Array }): number {
  const { address, port = 0, scope = 0 } = options;
  const what = `a TCP socket to listen on ${addressText(address)} port ${port}`;
  const { address: _, ...unbound } = options;
  const fd = tcpSocket(unbound);
  try {
    setOption(fd, SocketLevel.socket, SocketOption.reuseAddress, 1);
    bind(fd, address, port, scope, what);
    check(libc.listen(fd, BACKLOG), 'listen', `opening ${what}`, BIND_REMEDIES);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return fd;
}

const BIND_REMEDIES: Remedies = {
  EADDRINUSE: 'another program has this port; see which: ss -ltnp',
  EADDRNOTAVAIL: 'it is not an address of this node; see them: ip address',
  EACCES: 'a port below net.ipv4.ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE; run as root',
  EINVAL: 'a link-local address needs `scope`, the index of its interface',
};

function bind(fd: number, address: Uint8Array, port: number, scope: number, what: string): void {
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  const length = encodeSockaddr(sockaddr, 0, address, port, scope);
  check(libc.bind(fd, sockaddr, length), 'bind', `opening ${what}`, BIND_REMEDIES);
}

/** The next connection, non-blocking; undefined: none is waiting. */
export function acceptTcp(listener: number): AcceptedSocket | undefined {
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  const length = new Uint8Array(Uint32Array.of(SOCKADDR_SIZE).buffer);
  const fd = libc.accept4(listener, sockaddr, length, O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const number = errno();
    // Nobody, or somebody who has gone again.
    if (number === Errno.EAGAIN || number === Errno.ECONNABORTED || number === Errno.EINTR) return undefined;
    throw lastError('accept4', 'accepting a TCP connection', {
      EMFILE: 'raise the limit of open files (ulimit -n, LimitNOFILE=)',
    });
  }
  const remote = decodeSockaddr(sockaddr, 0);
  if (remote === undefined) {
    libc.close(fd);
    throw new Error('accepting a TCP connection: it is neither IPv4 nor IPv6');
  }
  return { fd, local: localAddress(fd).address, remote: remote.address, scope: remote.scope };
}

/** TTLs and class, of one that is open. */
export function setTcpOptions(
  fd: number,
  { family, ttl, minimumTtl, tos }: Pick<TcpOptions, 'family' | 'ttl' | 'minimumTtl' | 'tos'>,
): void {
  const v4 = family === 4;
  const level = v4 ? SocketLevel.ip : SocketLevel.ipv6;
  if (ttl !== undefined) setOption(fd, level, v4 ? IpOption.ttl : Ipv6Option.unicastHops, ttl);
  if (minimumTtl !== undefined) {
    setOption(fd, level, v4 ? IpOption.minimumTtl : Ipv6Option.minimumHopLimit, minimumTtl);
  }
  if (tos !== undefined) setOption(fd, level, v4 ? IpOption.tos : Ipv6Option.tclass, tos);
}

//  struct tcp_md5sig   0 sockaddr (128)   128 u8 flags   129 u8 prefix length   130 u16 key length   132 i32 interface
//                    136 key (80)
const MD5SIG_SIZE = 216;
const FLAGS = 128;
const PREFIX_LENGTH = 129;
const KEY_LENGTH = 130;
const KEY = 136;
const WITH_PREFIX = 1;
export const MD5_KEY_MAX = 80;

/**
 * With which key segments to and from a peer, or to and from all of a prefix, are signed (RFC 2385). Before connecting,
 * and on a listener before the peer connects: what does not bear the right signature is dropped silently.
 *
 * @param key 1 to 80 bytes; empty: none any more
 */
export function setMd5Key(
  fd: number,
  address: Uint8Array,
  key: Uint8Array,
  { prefixLength, scope = 0 }: { readonly prefixLength?: number; readonly scope?: number } = {},
): void {
  if (key.length > MD5_KEY_MAX) {
    throw new RangeError(`a TCP MD5 key has 1 to ${MD5_KEY_MAX} bytes, not ${key.length}`);
  }
  const bytes = new Uint8Array(MD5SIG_SIZE);
  encodeSockaddr(bytes, 0, address, 0, scope);
  if (prefixLength !== undefined) {
    bytes[FLAGS] = WITH_PREFIX;
    bytes[PREFIX_LENGTH] = prefixLength;
  }
  new DataView(bytes.buffer).setUint16(KEY_LENGTH, key.length, true);
  bytes.set(key, KEY);
  const option = prefixLength === undefined ? TcpOption.md5Signature : TcpOption.md5SignatureExtended;
  const result = libc.setsockopt(fd, SocketLevel.tcp, option, bytes, bytes.length);
  if (result < 0 && key.length === 0 && errno() === Errno.ENOENT) return;
  const of = prefixLength === undefined ? addressText(address) : `${addressText(address)}/${prefixLength}`;
  check(result, 'setsockopt', `setting the TCP MD5 key for ${of}`, {
    ENOPROTOOPT: 'this kernel has no TCP MD5 signatures (CONFIG_TCP_MD5SIG)',
    EPERM: 'the kernel is in FIPS mode, or needs CAP_NET_ADMIN',
  });
}
