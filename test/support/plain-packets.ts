// Packets for tests, written plainly and independently of engine/: headers by hand, checksums by the definition of RFC 1071.

import { addressToBytes, parseAddress } from '../../wire/address.ts';

const sum16 = (bytes: Uint8Array): number => {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536);
  return sum;
};

/** RFC 1071, in network order. */
export const checksum = (...parts: Uint8Array[]): number =>
  ~sum16(Uint8Array.from(Buffer.concat(parts))) & 0xffff;

export interface IpOptions {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly payload: Uint8Array;
  readonly ttl?: number;
  readonly tos?: number;
  readonly id?: number;
  /** Flags and fragment offset; default DF. */
  readonly fragment?: number;
}

export const ip = (options: IpOptions): Uint8Array => {
  const { source, destination, protocol, payload, ttl = 64, tos = 0, id = 0, fragment = 0x4000 } = options;
  const from = addressToBytes(parseAddress(source));
  const to = addressToBytes(parseAddress(destination));
  const packet = Buffer.alloc((from.length === 4 ? 20 : 40) + payload.length);
  if (from.length === 4) {
    packet[0] = 0x45;
    packet[1] = tos;
    packet.writeUInt16BE(packet.length, 2);
    packet.writeUInt16BE(id, 4);
    packet.writeUInt16BE(fragment, 6);
    packet[8] = ttl;
    packet[9] = protocol;
    packet.set(from, 12);
    packet.set(to, 16);
    packet.writeUInt16BE(checksum(packet.subarray(0, 20)), 10);
  } else {
    packet.writeUInt32BE((0x60000000 | (tos << 20)) >>> 0, 0);
    packet.writeUInt16BE(payload.length, 4);
    packet[6] = protocol;
    packet[7] = ttl;
    packet.set(from, 8);
    packet.set(to, 24);
  }
  packet.set(payload, from.length === 4 ? 20 : 40);
  return Uint8Array.from(packet);
};

const pseudo = (source: string, destination: string, protocol: number, length: number): Uint8Array => {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail[7] = protocol;
  return Uint8Array.from(
    Buffer.concat([addressToBytes(parseAddress(source)), addressToBytes(parseAddress(destination)), tail]),
  );
};

export type Endpoints = Pick<IpOptions, 'source' | 'destination'> &
  Partial<Omit<IpOptions, 'protocol' | 'payload'>>;

export const udp = (
  options: Endpoints,
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
  partial = false,
): Uint8Array => {
  const datagram = Buffer.alloc(8 + payload.length);
  datagram.writeUInt16BE(sourcePort, 0);
  datagram.writeUInt16BE(destinationPort, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  datagram.set(payload, 8);
  seal(datagram, 6, options, 17, partial);
  return ip({ ...options, protocol: 17, payload: datagram });
};

export interface TcpOptions {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence?: number;
  readonly acknowledgment?: number;
  readonly flags?: number;
  readonly window?: number;
  /** A multiple of 4 bytes. */
  readonly options?: Uint8Array;
  readonly payload?: Uint8Array;
}

export const tcp = (endpoints: Endpoints, options: TcpOptions, partial = false): Uint8Array => {
  const { options: extra = new Uint8Array(), payload = new Uint8Array() } = options;
  const segment = Buffer.alloc(20 + extra.length + payload.length);
  segment.writeUInt16BE(options.sourcePort, 0);
  segment.writeUInt16BE(options.destinationPort, 2);
  segment.writeUInt32BE((options.sequence ?? 1) >>> 0, 4);
  segment.writeUInt32BE((options.acknowledgment ?? 1) >>> 0, 8);
  segment[12] = ((20 + extra.length) / 4) << 4;
  segment[13] = options.flags ?? 0x10;
  segment.writeUInt16BE(options.window ?? 512, 14);
  segment.set(extra, 20);
  segment.set(payload, 20 + extra.length);
  seal(segment, 16, endpoints, 6, partial);
  return ip({ ...endpoints, protocol: 6, payload: segment });
};

export const icmpEcho = (endpoints: Endpoints, payload = new Uint8Array(56)): Uint8Array => {
  const v6 = endpoints.source.includes(':');
  const message = Buffer.alloc(8 + payload.length);
  message[0] = v6 ? 128 : 8;
  message.set(payload, 8);
  if (v6) seal(message, 2, endpoints, 58, false);
  else message.writeUInt16BE(checksum(message), 2);
  return ip({ ...endpoints, protocol: v6 ? 58 : 1, payload: message });
};

/** Final checksum, or the pseudo-header's sum when `partial`. */
const seal = (
  bytes: Buffer,
  field: number,
  { source, destination }: Endpoints,
  protocol: number,
  partial: boolean,
): void => {
  const header = pseudo(source, destination, protocol, bytes.length);
  bytes.writeUInt16BE(0, field);
  const value = partial ? sum16(header) : checksum(header, bytes);
  bytes.writeUInt16BE(!partial && value === 0 ? 0xffff : value, field);
};

/** Whether the transport checksum of an IP packet is right; true for protocols without one. */
export const transportIsSound = (packet: Uint8Array): boolean => {
  const v4 = packet[0] >> 4 === 4;
  const header = v4 ? (packet[0] & 15) * 4 : 40;
  const protocol = v4 ? packet[9] : packet[6];
  if (protocol !== 6 && protocol !== 17 && protocol !== 58) return true;
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(packet.length - header, 0);
  tail[7] = protocol;
  const addresses = v4 ? packet.slice(12, 20) : packet.slice(8, 40);
  return checksum(addresses, tail, packet.slice(header)) === 0;
};

/** A packet as it is read from or written to a TUN: behind a virtio header. */
export const onTun = (
  packet: Uint8Array,
  offload?: { readonly gso?: number; readonly size?: number; readonly start: number; readonly field: number },
): Uint8Array => {
  const header = Buffer.alloc(10);
  if (offload) {
    header[0] = 1;
    header[1] = offload.gso ?? 0;
    header.writeUInt16LE(offload.size ?? 0, 4);
    header.writeUInt16LE(offload.start, 6);
    header.writeUInt16LE(offload.field, 8);
  }
  return Uint8Array.from(Buffer.concat([header, packet]));
};

/** VXLAN and Ethernet before an inner packet. */
export const inVxlan = (
  inner: Uint8Array,
  vni: number,
  to: string,
  from = '02:00:00:00:00:99',
): Uint8Array => {
  const mac = (text: string): Buffer => Buffer.from(text.replaceAll(':', ''), 'hex');
  const header = Buffer.alloc(8);
  header[0] = 8;
  header.writeUInt32BE(vni * 256, 4);
  const type = Buffer.from(inner[0] >> 4 === 6 ? '86dd' : '0800', 'hex');
  return Uint8Array.from(Buffer.concat([header, mac(to), mac(from), type, inner]));
};

export const bytes = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 0xff);
