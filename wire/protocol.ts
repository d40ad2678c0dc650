// Numbers of the protocols that Weft tells apart, in IPv4's Protocol and IPv6's Next Header field (IANA, RFC 5237).

export const Protocol = {
  icmp: 1,
  /** IPv4 in IP (RFC 2003). */
  ipv4: 4,
  tcp: 6,
  udp: 17,
  /** IPv6 in IP (RFC 4213 section 3). */
  ipv6: 41,
  icmp6: 58,
  /** Nothing behind this header (RFC 8200 section 4.7). */
  none: 59,
  sctp: 132,
} as const;
