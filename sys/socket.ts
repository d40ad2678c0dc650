/**
 * UDP and raw sockets of the underlay, and their options. Opens and configures; sending and receiving is
 * `libc.sendmmsg` and `recvmmsg` over memory laid out with mmsg.ts.
 */
import { check, type Remedies } from './errors.ts';
import { libc, O_CLOEXEC, O_NONBLOCK } from './libc.ts';
import {
  AF_INET,
  AF_INET6,
  addressText,
  decodeSockaddr,
  encodeSockaddr,
  SOCKADDR_SIZE,
  type SocketAddress,
} from './sockaddr.ts';
import { IpOption, Ipv6Option, SocketLevel, SocketOption, UdpOption } from './socket-options.ts';

const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const IPPROTO_UDP = 17;

export interface SocketOptions {
  readonly family: 4 | 6;
  /** Default true. */
  readonly nonBlocking?: boolean;
  /** Local address, 4 or 16 bytes. Default: any. */
  readonly address?: Uint8Array;
  /** Interface index of a link-local `address`. */
  readonly scope?: number;
  /** Bytes of payload wanted (the kernel books about twice of it); see `setBuffer`. */
  readonly receiveBuffer?: number;
  readonly sendBuffer?: number;
  /** Name of the one interface to use (SO_BINDTODEVICE). */
  readonly device?: string;
  /** Receive TTL/hop limit of what is sent, 1 to 255. */
  readonly ttl?: number;
  /** Type of service or traffic class of what is sent. */
  readonly tos?: number;
  /** `MtuDiscover`: what to do about DF and the path MTU. */
  readonly mtuDiscover?: number;
  /** Deliver the TOS or traffic class as control message (IP_TOS / IPV6_TCLASS). */
  readonly receiveTos?: boolean;
  /** Deliver the TTL or hop limit as control message (IP_TTL / IPV6_HOPLIMIT). */
  readonly receiveTtl?: boolean;
}

export interface UdpSocketOptions extends SocketOptions {
  /** Default 0: the kernel chooses one, see `localAddress`. */
  readonly port?: number;
  /** Several sockets share address and port, and what arrives. */
  readonly reusePort?: boolean;
  readonly reuseAddress?: boolean;
  /** IPv6 only, no mapped IPv4. Default true. */
  readonly v6Only?: boolean;
  /** Join datagrams of a flow on arrival; their size comes as control message (UDP_GRO). */
  readonly gro?: boolean;
}

export interface RawSocketOptions extends SocketOptions {
  /** IP protocol number: 4 for IPIP, 41 for IPv6-in-IPv4. Receives with the IPv4 header, without for IPv6. */
  readonly protocol: number;
}

const CREATE_REMEDIES: Remedies = {
  EPERM: 'needs CAP_NET_RAW; run as root',
  EACCES: 'needs CAP_NET_RAW; run as root',
  EAFNOSUPPORT: 'this kernel has no such address family (is IPv6 disabled, ipv6.disable=1?)',
  EMFILE: 'raise the limit of open files (ulimit -n, LimitNOFILE=)',
};

/** A UDP socket in this thread's network namespace, bound to `address` and `port`. Returns its descriptor. */
export function udpSocket(options: UdpSocketOptions): number {
  const { family, port = 0, v6Only = true } = options;
  const address = options.address ?? new Uint8Array(family === 4 ? 4 : 16);
  const what = `a UDP socket on ${endpoint(address, port)}`;
  const fd = open(family, SOCK_DGRAM, 0, what, options);
  try {
    if (family === 6) setOption(fd, SocketLevel.ipv6, Ipv6Option.v6Only, v6Only ? 1 : 0);
    if (options.reusePort) setOption(fd, SocketLevel.socket, SocketOption.reusePort, 1);
    if (options.reuseAddress) setOption(fd, SocketLevel.socket, SocketOption.reuseAddress, 1);
    if (options.gro) setOption(fd, SocketLevel.udp, UdpOption.gro, 1);
    configure(fd, options);
    bind(fd, address, port, options.scope ?? 0, what);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return fd;
}

/** A raw socket in this thread's network namespace. Returns its descriptor. */
export function rawSocket(options: RawSocketOptions): number {
  const { family, protocol, address } = options;
  const what = `a raw IPv${family} socket of protocol ${protocol}${address ? ` on ${addressText(address)}` : ''}`;
  const fd = open(family, SOCK_RAW, protocol, what, options);
  try {
    configure(fd, options);
    if (address) bind(fd, address, 0, options.scope ?? 0, what);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return fd;
}

function open(family: 4 | 6, type: number, protocol: number, what: string, options: SocketOptions): number {
  const flags = type | O_CLOEXEC | ((options.nonBlocking ?? true) ? O_NONBLOCK : 0);
  const number = family === 4 ? AF_INET : AF_INET6;
  return check(libc.socket(number, flags, protocol), 'socket', `opening ${what}`, CREATE_REMEDIES);
}

function configure(fd: number, options: SocketOptions): void {
  const v4 = options.family === 4;
  const level = v4 ? SocketLevel.ip : SocketLevel.ipv6;
  if (options.device !== undefined) bindToDevice(fd, options.device);
  if (options.receiveBuffer !== undefined) setBuffer(fd, 'receive', options.receiveBuffer);
  if (options.sendBuffer !== undefined) setBuffer(fd, 'send', options.sendBuffer);
  if (options.ttl !== undefined)
    setOption(fd, level, v4 ? IpOption.ttl : Ipv6Option.unicastHops, options.ttl);
  if (options.tos !== undefined) setOption(fd, level, v4 ? IpOption.tos : Ipv6Option.tclass, options.tos);
  if (options.mtuDiscover !== undefined) {
    setOption(fd, level, v4 ? IpOption.mtuDiscover : Ipv6Option.mtuDiscover, options.mtuDiscover);
  }
  if (options.receiveTos) setOption(fd, level, v4 ? IpOption.receiveTos : Ipv6Option.receiveTclass, 1);
  if (options.receiveTtl) setOption(fd, level, v4 ? IpOption.receiveTtl : Ipv6Option.receiveHopLimit, 1);
}

function bind(fd: number, address: Uint8Array, port: number, scope: number, what: string): void {
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  const length = encodeSockaddr(sockaddr, 0, address, port, scope);
  check(libc.bind(fd, sockaddr, length), 'bind', `opening ${what}`, {
    EADDRINUSE: `another socket has ${endpoint(address, port)}; see which: ss -lunp 'sport = :${port}'`,
    EADDRNOTAVAIL: `${addressText(address)} is not an address of this node; see them: ip address`,
    EACCES: 'a port below net.ipv4.ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE; run as root',
    EPERM: 'a security module or BPF program forbids it',
    EINVAL: 'a link-local address needs `scope`, the index of its interface',
  });
}

/** '10.0.0.1:4789', '[fd00::1]:4789'. */
function endpoint(address: Uint8Array, port: number): string {
  return address.length === 4 ? `${addressText(address)}:${port}` : `[${addressText(address)}]:${port}`;
}

/** Sets an option whose value is an int. `level` and `name` are in socket-options.ts. */
export function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  check(libc.setsockopt(fd, level, name, bytes, 4), 'setsockopt', optionText('setting', fd, level, name), {
    EPERM: 'needs CAP_NET_ADMIN or CAP_NET_RAW; run as root',
  });
}

/** Reads an option whose value is an int. */
export function getOption(fd: number, level: number, name: number): number {
  const bytes = new Uint8Array(4);
  const length = new Uint8Array(Uint32Array.of(4).buffer);
  check(
    libc.getsockopt(fd, level, name, bytes, length),
    'getsockopt',
    optionText('reading', fd, level, name),
  );
  return new DataView(bytes.buffer).getInt32(0, true);
}

function optionText(verb: string, fd: number, level: number, name: number): string {
  return `${verb} option ${name} of level ${level} on descriptor ${fd}`;
}

/**
 * Sets a socket buffer to `bytes`, beyond net.core.rmem_max / wmem_max when privileged (CAP_NET_ADMIN), else up to
 * it. Returns what the kernel granted, which is about twice of what was asked, as it counts its own overhead.
 */
export function setBuffer(fd: number, which: 'receive' | 'send', bytes: number): number {
  const { receiveBuffer, receiveBufferForce, sendBuffer, sendBufferForce } = SocketOption;
  const [plain, force] =
    which === 'receive' ? [receiveBuffer, receiveBufferForce] : [sendBuffer, sendBufferForce];
  const value = new Uint8Array(Int32Array.of(bytes).buffer);
  if (libc.setsockopt(fd, SocketLevel.socket, force, value, 4) < 0) {
    setOption(fd, SocketLevel.socket, plain, bytes);
  }
  return getOption(fd, SocketLevel.socket, plain);
}

/** Restricts a socket to one interface. */
export function bindToDevice(fd: number, device: string): void {
  const name = new TextEncoder().encode(`${device}\0`);
  check(
    libc.setsockopt(fd, SocketLevel.socket, SocketOption.bindToDevice, name, name.length),
    'setsockopt',
    `binding descriptor ${fd} to the interface ${device}`,
    {
      ENODEV: 'there is no such interface in this network namespace',
      EPERM: 'needs CAP_NET_RAW; run as root',
    },
  );
}

/** The address and port that a socket is bound to. */
export function localAddress(fd: number): SocketAddress {
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  const length = new Uint8Array(Uint32Array.of(SOCKADDR_SIZE).buffer);
  const doing = `reading the local address of descriptor ${fd}`;
  check(libc.getsockname(fd, sockaddr, length), 'getsockname', doing);
  const address = decodeSockaddr(sockaddr, 0);
  if (!address) throw new Error(`${doing}: it is not an IPv4 or IPv6 socket`);
  return address;
}

/** Which of UDP_SEGMENT (kernel 4.18) and UDP_GRO (kernel 5.0) this kernel has. A send may still fail with EIO on devices without checksum offload. */
export function probeUdpOffload(): { readonly segment: boolean; readonly gro: boolean } {
  const fd = check(
    libc.socket(AF_INET, SOCK_DGRAM | O_CLOEXEC, IPPROTO_UDP),
    'socket',
    'probing UDP offloads',
  );
  try {
    const takes = (name: number, value: number) =>
      libc.setsockopt(fd, SocketLevel.udp, name, new Uint8Array(Int32Array.of(value).buffer), 4) === 0;
    return { segment: takes(UdpOption.segment, 1400), gro: takes(UdpOption.gro, 1) };
  } finally {
    libc.close(fd);
  }
}
