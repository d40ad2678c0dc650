/**
 * The value of the Tunnel Encapsulation attribute (RFC 9012): how the sender wants to be reached. A sub-TLV that is not
 * known, or not as it should be, is kept as bytes and passed on, as section 13 wants it; a TLV that does not fit its
 * frame makes the attribute malformed.
 *
 *    TLV      | tunnel type (2) | length (2) | sub-TLVs …
 *    sub-TLV  | type (1) | length (1; 2 for types from 128) | value …
 */
import { type Address, addressFromBytes, addressToBytes } from '../../../wire/address.ts';
import type { Mac } from '../../../wire/mac.ts';
import { Reader, type Writer } from './bytes.ts';
import { Malformed } from './errors.ts';
import { Afi } from './family.ts';

export const TunnelType = { ipInIp: 7, vxlan: 8 } as const;

export const SubTlvType = { encapsulation: 1, egressEndpoint: 6 } as const;

export type SubTlv =
  /** Section 3.1; null: the endpoint is the route's next hop. */
  | { readonly kind: 'egressEndpoint'; readonly address: Address | null }
  /** Section 3.2.1: VNI, and the inner destination MAC. */
  | { readonly kind: 'vxlan'; readonly vni?: number; readonly mac?: Mac }
  | { readonly kind: 'unknown'; readonly type: number; readonly value: Uint8Array };

export interface Tunnel {
  readonly type: number;
  readonly subTlvs: readonly SubTlv[];
}

const LONG_LENGTH = 128;
const VXLAN_BYTES = 12;
const HAS_VNI = 0x80;
const HAS_MAC = 0x40;

export const readTunnels = (reader: Reader): readonly Tunnel[] | Malformed => {
  const tunnels: Tunnel[] = [];
  while (reader.left > 0) {
    const type = reader.u16();
    const value = reader.take(reader.u16());
    if (reader.overrun) return new Malformed('a tunnel is longer than the attribute');
    const subTlvs = readSubTlvs(type, value);
    if (subTlvs instanceof Malformed) return subTlvs;
    tunnels.push({ type, subTlvs });
  }
  return tunnels;
};

const readSubTlvs = (tunnelType: number, bytes: Uint8Array): SubTlv[] | Malformed => {
  const reader = new Reader(bytes);
  const all: SubTlv[] = [];
  while (reader.left > 0) {
    const type = reader.u8();
    const value = reader.take(type < LONG_LENGTH ? reader.u8() : reader.u16());
    if (reader.overrun) return new Malformed(`sub-TLV ${type} is longer than its tunnel`);
    all.push(
      (type === SubTlvType.egressEndpoint && readEndpoint(value)) ||
        (type === SubTlvType.encapsulation && tunnelType === TunnelType.vxlan && readVxlan(value)) || {
          kind: 'unknown',
          type,
          value: value.slice(),
        },
    );
  }
  return all;
};

const readEndpoint = (value: Uint8Array): SubTlv | undefined => {
  const reader = new Reader(value);
  reader.u32(); // Reserved.
  const afi = reader.u16();
  const address = reader.rest();
  if (reader.overrun) return undefined;
  if (afi === 0 && address.length === 0) return { kind: 'egressEndpoint', address: null };
  const fits = (afi === Afi.ipv4 && address.length === 4) || (afi === Afi.ipv6 && address.length === 16);
  return fits ? { kind: 'egressEndpoint', address: addressFromBytes(address) } : undefined;
};

const readVxlan = (value: Uint8Array): SubTlv | undefined => {
  if (value.length !== VXLAN_BYTES) return undefined;
  const reader = new Reader(value);
  const word = reader.u32();
  const mac = reader.u48() as Mac;
  const flags = word >>> 24;
  return {
    kind: 'vxlan',
    ...((flags & HAS_VNI) !== 0 && { vni: word & 0xffffff }),
    ...((flags & HAS_MAC) !== 0 && { mac }),
  };
};

/** @throws RangeError for a value that its length field cannot count */
export const writeTunnels = (writer: Writer, tunnels: readonly Tunnel[]): void => {
  for (const { type, subTlvs } of tunnels) {
    writer.u16(type).counted16(() => {
      for (const subTlv of subTlvs) writeSubTlv(writer, subTlv);
    });
  }
};

const writeSubTlv = (writer: Writer, subTlv: SubTlv): void => {
  switch (subTlv.kind) {
    case 'egressEndpoint': {
      const { address } = subTlv;
      writer.u8(SubTlvType.egressEndpoint).counted8(() => {
        writer.u32(0);
        if (address === null) writer.u16(0);
        else writer.u16(address.family === 4 ? Afi.ipv4 : Afi.ipv6).bytes(addressToBytes(address));
      });
      break;
    }
    case 'vxlan': {
      const flags = (subTlv.vni === undefined ? 0 : HAS_VNI) | (subTlv.mac === undefined ? 0 : HAS_MAC);
      writer.u8(SubTlvType.encapsulation).u8(VXLAN_BYTES);
      writer.u32(((flags << 24) | (subTlv.vni ?? 0)) >>> 0);
      writer.u48(subTlv.mac ?? 0).u16(0);
      break;
    }
    case 'unknown': {
      const { type, value } = subTlv;
      if (type < LONG_LENGTH && value.length > 255) {
        throw new RangeError(`sub-TLV ${type} has ${value.length} bytes, 255 at most fit`);
      }
      writer.u8(type);
      if (type < LONG_LENGTH) writer.u8(value.length);
      else writer.u16(value.length);
      writer.bytes(value);
    }
  }
};
