// TCP and UDP checksums as offloading leaves them: final, or "partial" (the field holds the pseudo-header's sum and
// the rest is for the hardware that, between virtual interfaces, never comes). Verifies, completes and recognises.

import { foldChecksum } from '../../wire/checksum.ts';
import { pseudoSum4 } from '../../wire/ipv4.ts';
import { pseudoSum6 } from '../../wire/ipv6.ts';
import type { PacketMemory } from '../memory.ts';

const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;
const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;
const ONES = 0xffff;

/** Bytes from the transport header to its checksum, or -1 for protocols that have no such field. */
export const checksumField = (protocol: number): number =>
  protocol === TCP ? TCP_CHECKSUM : protocol === UDP ? UDP_CHECKSUM : protocol === ICMPV6 ? 2 : -1;

/** Little-endian word sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1). */
export const pseudoSum = (
  memory: PacketMemory,
  family: number,
  ip: number,
  protocol: number,
  transportLength: number,
): number =>
  family === 4
    ? pseudoSum4(memory.view, ip, protocol, transportLength)
    : pseudoSum6(memory.view, ip, protocol, transportLength);

/** True when the transport checksum of the packet at `ip` is right. UDP without a checksum is the caller's case. */
export const verifyTransport = (
  memory: PacketMemory,
  family: number,
  ip: number,
  headerLength: number,
  length: number,
  protocol: number,
): boolean => {
  const transport = length - headerLength;
  const pseudo = pseudoSum(memory, family, ip, protocol, transport);
  return foldChecksum(pseudo + memory.sum(ip + headerLength, transport)) === ONES;
};

/**
 * True when the checksum field holds the pseudo-header's sum. That may by chance be the right checksum too (one packet
 * of 65,536): completing it stores the same value again, so such a packet is as good as one whose checksum is open.
 */
export const isPartial = (
  memory: PacketMemory,
  family: number,
  ip: number,
  headerLength: number,
  length: number,
  protocol: number,
): boolean => {
  const field = memory.view.getUint16(ip + headerLength + checksumField(protocol), true);
  return field === foldChecksum(pseudoSum(memory, family, ip, protocol, length - headerLength));
};

/**
 * Computes the checksum over `length` bytes at `start`, whose field at `start + field` holds the pseudo-header's sum,
 * and stores it.
 */
export const completeChecksum = (
  memory: PacketMemory,
  start: number,
  length: number,
  field: number,
): void => {
  storeTransportChecksum(memory, start + field, field, memory.sum(start, length));
};

/** Stores the complement of `sum` at `at`; zero as all ones where that says "none": in UDP (RFC 768), `field` tells. */
export const storeTransportChecksum = (
  { view }: PacketMemory,
  at: number,
  field: number,
  sum: number,
): void => {
  const checksum = ~foldChecksum(sum) & ONES;
  view.setUint16(at, checksum === 0 && field === UDP_CHECKSUM ? ONES : checksum, true);
};
