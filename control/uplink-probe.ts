/** A super-packet in VXLAN as workers write it into the uplink, small, to see what becomes of it. */
import * as vxlan from '../encap/vxlan.ts';
import * as cells from '../engine/uplink-cell.ts';
import { foldChecksum } from '../wire/checksum.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { Mac } from '../wire/mac.ts';
import * as tcp from '../wire/tcp.ts';
import * as vnet from '../wire/vnet.ts';

const SEGMENT = 100;
const SEGMENTS = 3;
const TTL = 64;
const PROTOCOL_TCP = 6;
const HEADERS = ipv4.MIN_LENGTH + tcp.MIN_LENGTH;
const INNER = HEADERS + SEGMENTS * SEGMENT;
/** RFC 863: to be thrown away, should anyone get it. */
const DISCARD = 9;

export interface ProbeOptions {
  /** Of the uplink. */
  readonly mac: Mac;
  readonly from: number;
  readonly to: number;
  readonly port: number;
  /** 32 bits that nobody else knows: pods can send to that address as well. */
  readonly token: number;
}

export function probePacket({ mac, from, to, port, token }: ProbeOptions): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(cells.LENGTH + INNER);
  const view = new DataView(bytes.buffer);
  const ip = cells.LENGTH;
  const at = ip + ipv4.MIN_LENGTH;
  cells.prepare(view, 0, mac);
  cells.writeOuter(view, 0, INNER, 0, 0, from, to, port, port);
  vxlan.writeTemplate(view, cells.VXLAN, 4, { vni: 0, destination: mac, source: mac });
  ipv4.write(view, ip, INNER, 0, TTL, PROTOCOL_TCP, from, to);
  tcp.write(view, at, DISCARD, DISCARD, token, 0, tcp.MIN_LENGTH, tcp.Flag.ack, 0);
  const sum = ipv4.pseudoSum4(view, ip, PROTOCOL_TCP, INNER - ipv4.MIN_LENGTH);
  view.setUint16(at + tcp.CHECKSUM, foldChecksum(sum), true);
  cells.writeOffload(view, 0, vnet.Gso.tcpv4, HEADERS, SEGMENT, ipv4.MIN_LENGTH, tcp.CHECKSUM);
  return bytes;
}

/** Whether `bytes`, read from the uplink, are that packet as the kernel forwards it: whole. */
export function isProbe(bytes: Uint8Array, sent: Uint8Array): boolean {
  if (bytes.length !== sent.length) return false;
  const [a, b] = [bytes, sent].map(({ buffer, byteOffset }) => new DataView(buffer, byteOffset));
  const gso = (view: DataView) => vnet.gsoType(view, 0) & ~vnet.Gso.ecn;
  return gso(a) === gso(b) && Buffer.compare(bytes.subarray(cells.VXLAN), sent.subarray(cells.VXLAN)) === 0;
}
