// VXLAN (RFC 7348): an Ethernet frame behind 8 bytes of header in a UDP datagram. The outer IP and UDP headers are
// the kernel's; Weft writes and reads from the VXLAN header to the inner Ethernet header.
//
//   0                   1                   2                   3
//   |R|R|R|R|I|R|R|R|            Reserved                           |
//   |                VXLAN Network Identifier (VNI) |   Reserved    |
//   | inner Ethernet: destination, source, type                     |

import * as ethernet from '../wire/ethernet.ts';
import type { Mac } from '../wire/mac.ts';
import * as vxlan from '../wire/vxlan.ts';

/** Bytes from the VXLAN header to the inner packet. */
export const HEADER_LENGTH = vxlan.LENGTH + ethernet.LENGTH;

/** Bytes that VXLAN adds to an inner packet on the underlay, by family of the outer header. */
export const overhead = (outerFamily: 4 | 6): number => (outerFamily === 4 ? 20 : 40) + 8 + HEADER_LENGTH;

/** Why a datagram is not taken; `none` is. */
export const Fault = { none: 0, truncated: 1, flags: 2, etherType: 3 } as const;

/** Writes the HEADER_LENGTH bytes that go before every inner packet of `innerFamily` to one tunnel end point. */
export const writeTemplate = (
  view: DataView,
  at: number,
  innerFamily: 4 | 6,
  header: { readonly vni: number; readonly destination: Mac; readonly source: Mac },
): void => {
  vxlan.write(view, at, header.vni);
  const type = innerFamily === 4 ? ethernet.EtherType.ipv4 : ethernet.EtherType.ipv6;
  ethernet.write(view, at + vxlan.LENGTH, header.destination, header.source, type);
};

/**
 * Checks a datagram of `length` bytes at `at` as RFC 7348 section 5 says: the I flag set; reserved bits are ignored
 * on receipt. The inner packet begins HEADER_LENGTH bytes on. VNI and MAC are the caller's to judge.
 */
export const inspect = (view: DataView, at: number, length: number): number => {
  if (length < HEADER_LENGTH) return Fault.truncated;
  if (!vxlan.hasVni(view, at)) return Fault.flags;
  const type = ethernet.type(view, at + vxlan.LENGTH);
  return type === ethernet.EtherType.ipv4 || type === ethernet.EtherType.ipv6 ? Fault.none : Fault.etherType;
};

/** VNI, 24 bits. */
export const vni = vxlan.vni;

/** Whether the inner frame is addressed to the MAC of these halves. */
export const isFor = (view: DataView, at: number, macHigh: number, macLow: number): boolean =>
  ethernet.isTo(view, at + vxlan.LENGTH, macHigh, macLow);
