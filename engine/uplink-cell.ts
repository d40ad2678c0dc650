// What stands before a super-packet that leaves by the uplink: where its headers are, for who will cut it, and the headers
// that a UDP socket would have put in front.
//
//   │ virtio (24) │ Ethernet (14) │ IPv4 (20) │ UDP (8) │ VXLAN, inner Ethernet (22) │   inner packet

import * as vxlan from '../encap/vxlan.ts';
import { foldChecksum } from '../wire/checksum.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { Mac } from '../wire/mac.ts';
import * as udp from '../wire/udp.ts';
import * as vnet from '../wire/vnet.ts';

const ETHERNET = vnet.TUNNEL_LENGTH;
const IP = ETHERNET + ethernet.LENGTH;
const UDP = IP + ipv4.MIN_LENGTH;
/** Where the VXLAN header is. */
export const VXLAN = UDP + udp.LENGTH;
/** Bytes before the inner packet. */
export const LENGTH = VXLAN + vxlan.HEADER_LENGTH;
/** Of them, those that the outer IPv4 header counts. */
export const OVERHEAD = LENGTH - IP;

const PROTOCOL_UDP = 17;
/** One is taken where the kernel forwards from the uplink: the underlay sees 64, as from the sockets. */
const TTL = 65;

/** What is the same in every packet. @param mac of the uplink, which takes what is addressed to it */
export const prepare = (view: DataView, at: number, mac: Mac): void =>
  ethernet.write(view, at + ETHERNET, mac, mac, ethernet.EtherType.ipv4);

/**
 * IPv4 and UDP around `inner` bytes, VXLAN apart. The UDP checksum field holds the pseudo-header's sum: it is completed for
 * each piece by who cuts, and where there is none, the other end's kernel does not join what arrives.
 */
export const writeOuter = (
  view: DataView,
  at: number,
  inner: number,
  tos: number,
  identification: number,
  from: number,
  to: number,
  fromPort: number,
  toPort: number,
): void => {
  const ip = at + IP;
  const bytes = inner + OVERHEAD;
  const datagram = bytes - ipv4.MIN_LENGTH;
  ipv4.write(view, ip, bytes, tos, TTL, PROTOCOL_UDP, from, to);
  ipv4.setIdentification(view, ip, identification);
  ipv4.updateHeaderChecksum(view, ip);
  udp.write(view, at + UDP, fromPort, toPort, datagram);
  const sum = foldChecksum(ipv4.pseudoSum4(view, ip, PROTOCOL_UDP, datagram));
  view.setUint16(at + UDP + udp.CHECKSUM, sum, true);
};

/**
 * How to cut: into segments of `segment` bytes of payload, each with the `headers` bytes of inner headers, of which the
 * transport header begins after `transport` and has its checksum at `field`.
 */
export const writeOffload = (
  view: DataView,
  at: number,
  gso: number,
  headers: number,
  segment: number,
  transport: number,
  field: number,
): void => {
  const inner = LENGTH - ETHERNET;
  const flags = vnet.Flag.needsChecksum | vnet.Flag.tunnelChecksum;
  vnet.write(view, at, flags, gso | vnet.Gso.tunnel4, inner + headers, segment, inner + transport, field);
  vnet.writeTunnel(view, at, UDP - ETHERNET, inner);
};
