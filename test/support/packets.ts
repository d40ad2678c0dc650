/**
 * Packets for tests, as bytes, from values with defaults: `ipPacket({ source, destination }, udpDatagram({…}, payload))`.
 * Checksums are right; what is to be wrong, a test makes wrong afterwards.
 */
import { type Address, parseAddress } from '../../wire/address.ts';
import { checksumBytes, foldChecksum } from '../../wire/checksum.ts';
import * as ethernet from '../../wire/ethernet.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { type Mac, parseMac } from '../../wire/mac.ts';
import { Protocol } from '../../wire/protocol.ts';
import * as tcp from '../../wire/tcp.ts';
import * as udp from '../../wire/udp.ts';
import * as vxlan from '../../wire/vxlan.ts';

/** What an IP packet carries, its checksum field still 0. */
export interface Upper {
  readonly protocol: number;
  readonly bytes: Uint8Array;
  /** Where its checksum goes; absent: it has none. */
  readonly checksumAt?: number;
}

export const concat = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Bytes that differ from place to place, for payloads. */
export const pattern = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + seed, 0x9e3779b1) >>> 13) & 0xff);

export interface TcpFields {
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly sequence?: number;
  readonly acknowledgment?: number;
  /** Of tcp.Flag; ACK by default. */
  readonly flags?: number;
  readonly window?: number;
  /** A multiple of 4 bytes, 40 at most. */
  readonly options?: Uint8Array;
}

export function tcpSegment(fields: TcpFields = {}, payload: Uint8Array = new Uint8Array(0)): Upper {
  const options = fields.options ?? new Uint8Array(0);
  const headerBytes = tcp.MIN_LENGTH + options.length;
  const bytes = concat(new Uint8Array(tcp.MIN_LENGTH), options, payload);
  const { sourcePort = 40000, destinationPort = 80, sequence = 1, acknowledgment = 1 } = fields;
  const { flags = tcp.Flag.ack, window = 65535 } = fields;
  const view = viewOf(bytes);
  tcp.write(view, 0, sourcePort, destinationPort, sequence, acknowledgment, headerBytes, flags, window);
  return { protocol: Protocol.tcp, bytes, checksumAt: tcp.CHECKSUM };
}

export interface UdpFields {
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** False: the field stays 0, no checksum (RFC 768). */
  readonly checksum?: boolean;
}

export function udpDatagram(fields: UdpFields = {}, payload: Uint8Array = new Uint8Array(0)): Upper {
  const bytes = concat(new Uint8Array(udp.LENGTH), payload);
  const { sourcePort = 40000, destinationPort = 53, checksum = true } = fields;
  udp.write(viewOf(bytes), 0, sourcePort, destinationPort, bytes.length);
  return { protocol: Protocol.udp, bytes, ...(checksum ? { checksumAt: udp.CHECKSUM } : {}) };
}

/** ICMP or ICMPv6. @param rest the second word: identifier and sequence, MTU */
export function icmpMessage(
  protocol: typeof Protocol.icmp | typeof Protocol.icmp6,
  type: number,
  code: number,
  rest: number,
  payload: Uint8Array = new Uint8Array(0),
): Upper {
  const bytes = concat(new Uint8Array(icmp.LENGTH), payload);
  icmp.write(viewOf(bytes), 0, type, code, rest);
  return { protocol, bytes, checksumAt: 2 };
}

export interface IpFields {
  /** As text; both of one family. */
  readonly source?: string;
  readonly destination?: string;
  /** TTL or hop limit. */
  readonly ttl?: number;
  /** TOS or traffic class. */
  readonly tos?: number;
  /** IPv4 only. */
  readonly identification?: number;
  /** IPv4 only: flags and fragment offset as they stand in the header; 0x4000, don't fragment, by default. */
  readonly fragmentField?: number;
  /** IPv4 only: options, a multiple of 4 bytes, 40 at most. */
  readonly options?: Uint8Array;
  /** IPv6 only. */
  readonly flowLabel?: number;
  /** IPv6 only: extension headers, their Next Header fields filled in here. */
  readonly extensions?: readonly { readonly protocol: number; readonly bytes: Uint8Array }[];
}

export function ipPacket(fields: IpFields, carried: Upper): Uint8Array {
  const source = parseAddress(fields.source ?? '10.244.1.2');
  const destination = parseAddress(
    fields.destination ?? (source.family === 4 ? '10.244.2.2' : 'fd00:244:2::2'),
  );
  return source.family === 4
    ? packet4(fields, source, destination, carried)
    : packet6(fields, source, destination, carried);
}

function packet4(fields: IpFields, source: Address, destination: Address, carried: Upper): Uint8Array {
  const {
    ttl = 64,
    tos = 0,
    identification = 0,
    fragmentField = 0x4000,
    options = new Uint8Array(0),
  } = fields;
  const upperAt = ipv4.MIN_LENGTH + options.length;
  const packet = concat(new Uint8Array(ipv4.MIN_LENGTH), options, carried.bytes);
  const view = viewOf(packet);
  ipv4.write(view, 0, packet.length, tos, ttl, carried.protocol, source.words[0], destination.words[0]);
  view.setUint8(0, 0x40 | (upperAt >> 2));
  ipv4.setIdentification(view, 0, identification);
  ipv4.setFragmentField(view, 0, fragmentField);
  ipv4.updateHeaderChecksum(view, 0);
  const pseudo = ipv4.pseudoSum4(view, 0, carried.protocol, carried.bytes.length);
  finish(packet, upperAt, carried, carried.protocol === Protocol.icmp ? 0 : pseudo);
  return packet;
}

function packet6(fields: IpFields, source: Address, destination: Address, carried: Upper): Uint8Array {
  const { ttl = 64, tos = 0, flowLabel = 0, extensions = [] } = fields;
  const chain = [...extensions.map(({ protocol }) => protocol), carried.protocol];
  const headers = extensions.map(({ bytes }, i) => concat(Uint8Array.of(chain[i + 1]), bytes.subarray(1)));
  const packet = concat(new Uint8Array(ipv6.LENGTH), ...headers, carried.bytes);
  const view = viewOf(packet);
  ipv6.write(view, 0, packet.length - ipv6.LENGTH, tos, ttl, chain[0], source.words, destination.words);
  view.setUint32(0, view.getUint32(0) | flowLabel);
  const pseudo = ipv6.pseudoSum6(view, 0, carried.protocol, carried.bytes.length);
  finish(packet, packet.length - carried.bytes.length, carried, pseudo);
  return packet;
}

function finish(packet: Uint8Array, upperAt: number, { protocol, checksumAt }: Upper, pseudo: number): void {
  if (checksumAt === undefined) return;
  const sum = ~foldChecksum(pseudo + checksumBytes(packet, upperAt)) & 0xffff;
  viewOf(packet).setUint16(upperAt + checksumAt, sum === 0 && protocol === Protocol.udp ? 0xffff : sum, true);
}

export function etherFrame(
  packet: Uint8Array,
  destination: Mac = parseMac('02:00:00:00:00:02'),
  source: Mac = parseMac('02:00:00:00:00:01'),
): Uint8Array {
  const frame = concat(new Uint8Array(ethernet.LENGTH), packet);
  const { ipv4: four, ipv6: six } = ethernet.EtherType;
  ethernet.write(viewOf(frame), 0, destination, source, packet[0] >> 4 === 6 ? six : four);
  return frame;
}

/** The payload of a VXLAN datagram. */
export function vxlanPayload(vni: number, frame: Uint8Array): Uint8Array {
  const bytes = concat(new Uint8Array(vxlan.LENGTH), frame);
  vxlan.write(viewOf(bytes), 0, vni);
  return bytes;
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
