// IP in IP: the inner packet follows the outer IPv4 header directly, as protocol 4 (RFC 2003) when it is IPv4 and as
// protocol 41 (RFC 4213 section 3.5) when it is IPv6. The kernel writes and strips nothing on a raw socket but what
// is said here: it writes the outer header when sending, and leaves it in place when receiving.

import * as ipv4 from '../wire/ipv4.ts';

/** Weft itself writes nothing before the inner packet. */
export const HEADER_LENGTH = 0;

/** Bytes that the outer header adds on the underlay. */
export const OVERHEAD = ipv4.MIN_LENGTH;

export const Protocol = { ipv4: 4, ipv6: 41 } as const;

/** Offset of the inner packet in a received one of `length` bytes at `at`, or -1 when it is cut short. */
export const innerOffset = (view: DataView, at: number, length: number): number => {
  if (length < ipv4.MIN_LENGTH) return -1;
  const header = ipv4.headerLength(view, at);
  return header < ipv4.MIN_LENGTH || header >= length ? -1 : at + header;
};

/** TOS of the outer header, 8 bits. */
export const outerTos = ipv4.tos;
