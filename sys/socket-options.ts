/**
 * Numbers of socket options and control messages, which Linux has alike on x86_64 and arm64
 * (include/uapi/asm-generic/socket.h, linux/in.h, linux/in6.h, linux/udp.h). A control message carries the number of
 * its option unless said otherwise.
 */

export const SocketLevel = { ip: 0, socket: 1, tcp: 6, udp: 17, ipv6: 41, netlink: 270 } as const;

/** Level `socket`. */
export const SocketOption = {
  reuseAddress: 2,
  error: 4,
  sendBuffer: 7,
  receiveBuffer: 8,
  /** Send UDP over IPv4 without checksum. */
  noChecksum: 11,
  reusePort: 15,
  receiveTimeout: 20,
  bindToDevice: 25,
  attachFilter: 26,
  detachFilter: 27,
  mark: 36,
  sendBufferForce: 32,
  receiveBufferForce: 33,
  /** Control message: how many datagrams this socket has lost so far for want of buffer (u32). */
  receiveOverflow: 40,
  busyPoll: 46,
  incomingCpu: 49,
  attachReusePortProgram: 51,
} as const;

/** Level `ip`. */
export const IpOption = {
  /** Also the control message, to send (int) and received (one byte). */
  tos: 1,
  /** Also the control message of `receiveTtl` (int). */
  ttl: 2,
  headerIncluded: 3,
  packetInfo: 8,
  receiveError: 11,
  mtuDiscover: 10,
  receiveTtl: 12,
  /** Its control message is `tos`. */
  receiveTos: 13,
  /** Path MTU of a connected socket. */
  mtu: 14,
  freeBind: 15,
  minimumTtl: 21,
} as const;

/** Level `ipv6`. */
export const Ipv6Option = {
  unicastHops: 16,
  multicastHops: 18,
  mtuDiscover: 23,
  mtu: 24,
  receiveError: 25,
  v6Only: 26,
  receivePacketInfo: 49,
  packetInfo: 50,
  /** Its control message is `hopLimit` (int). */
  receiveHopLimit: 51,
  hopLimit: 52,
  headerIncluded: 36,
  /** Its control message is `tclass`. */
  receiveTclass: 66,
  /** Also the control message, to send and received (int). */
  tclass: 67,
  minimumHopLimit: 73,
} as const;

/** Level `tcp`. */
export const TcpOption = {
  /** A key for one address (RFC 2385), and the same for all addresses of a prefix. */
  md5Signature: 14,
  md5SignatureExtended: 32,
} as const;

/** Level `udp`. */
export const UdpOption = {
  /** Control message to send: size of each datagram (u16). At most 64 of them and 65,507 bytes a send. */
  segment: 103,
  /** Control message received: size of each datagram but the last (int). */
  gro: 104,
  noChecksum6Send: 101,
  noChecksum6Receive: 102,
} as const;

/** Values of `mtuDiscover`, for IPv4 and IPv6. */
export const MtuDiscover = {
  /** Fragment when needed. */
  dont: 0,
  want: 1,
  /** DF set; more than the path's known MTU fails with EMSGSIZE. */
  do: 2,
  /** DF set; only the interface's MTU counts, whatever ICMP said. */
  probe: 3,
  /** IPv4: DF clear, ignore what ICMP said. */
  interface: 4,
  omit: 5,
} as const;
