/**
 * Routes as an MRT file has them (RFC 6396 section 4.3, TABLE_DUMP_V2; with path identifiers RFC 8050): values to bytes.
 *
 *    | seconds since 1970 (4) | type (2) | subtype (2) | length behind this (4) | … |
 */
import type { Address } from '../../../wire/address.ts';
import type { Prefix } from '../../../wire/prefix.ts';
import type { RouteAttributes } from '../../rib/route.ts';
import { AttributeType, type Coding, Flag } from '../codec/attributes.ts';
import { Writer } from '../codec/bytes.ts';
import { writeAddress, writeNlri } from '../codec/family.ts';
import { beginAttribute, endAttribute, writeAttributes } from '../codec/update.ts';

const TABLE_DUMP_V2 = 13;
const Subtype = { peerIndexTable: 1, rib4: 2, rib6: 4, rib4AddPath: 8, rib6AddPath: 10 } as const;
const PeerType = { ipv6: 1, as4: 2 } as const;

export interface MrtPeer {
  readonly routerId: Address;
  readonly address: Address;
  readonly asn: number;
}

export interface MrtRoute {
  /** In the table of peers. */
  readonly peer: number;
  /** Since when it is known, seconds since 1970. */
  readonly since: number;
  /** 0: none. */
  readonly pathId: number;
  readonly attributes: RouteAttributes;
}

/** Section 4.3.4: AS numbers have four octets whatever the peer speaks, and everything is written that is known. */
const CODING: Coding = {
  asBytes: 4,
  maxLength: 0xffff,
  addPath: { 4: false, 6: false },
  internal: true,
};
const MOST_BYTES = 0xffff;
const MOST_ENTRIES = 0xffff;

const written = new Writer();
const attributesOf = new Writer();

/** What is at the beginning of a file. @param at seconds since 1970 */
export const peerIndexTable = (
  at: number,
  routerId: Address,
  view: string,
  peers: readonly MrtPeer[],
): Uint8Array =>
  record(at, Subtype.peerIndexTable, (writer) => {
    writeAddress(writer, routerId);
    const name = new TextEncoder().encode(view);
    writer.u16(name.length).bytes(name).u16(peers.length);
    for (const { address, routerId: id, asn } of peers) {
      writer.u8(PeerType.as4 | (address.family === 6 ? PeerType.ipv6 : 0));
      writeAddress(writer, id);
      writeAddress(writer, address);
      writer.u32(asn);
    }
  });

/** A prefix with its routes. @param sequence of the record @returns undefined: none of them can be written */
export const ribEntry = (
  at: number,
  sequence: number,
  prefix: Prefix,
  routes: readonly MrtRoute[],
): Uint8Array | undefined => {
  const { family } = prefix.address;
  const addPath = routes.some(({ pathId }) => pathId !== 0);
  const subtype =
    family === 4
      ? addPath
        ? Subtype.rib4AddPath
        : Subtype.rib4
      : addPath
        ? Subtype.rib6AddPath
        : Subtype.rib6;
  let entries = 0;
  const bytes = record(at, subtype, (writer) => {
    writer.u32(sequence);
    writeNlri(writer, [{ prefix }], false);
    const count = writer.length;
    writer.u16(0);
    for (const { peer, since, pathId, attributes } of routes) {
      const encoded = encodeAttributes(attributes, family);
      // A path of two-octet numbers may be longer here than it was in its message.
      if (encoded.length > MOST_BYTES || entries === MOST_ENTRIES) continue;
      entries++;
      writer.u16(peer).u32(since);
      if (addPath) writer.u32(pathId);
      writer.u16(encoded.length).bytes(encoded);
    }
    writer.patch16(count, entries);
  });
  return entries === 0 ? undefined : bytes;
};

const record = (at: number, subtype: number, body: (writer: Writer) => void): Uint8Array => {
  const writer = written.reset().u32(at).u16(TABLE_DUMP_V2).u16(subtype).u32(0);
  const start = writer.length;
  body(writer);
  const length = writer.length - start;
  writer.patch16(start - 4, length >>> 16);
  writer.patch16(start - 2, length & 0xffff);
  return writer.finish();
};

/** Of MP_REACH_NLRI there is but the next hop: its family is the record's, its prefix stands before (section 4.3.4). */
const encodeAttributes = (attributes: RouteAttributes, family: 4 | 6): Uint8Array => {
  const { nextHop, linkLocal, ...rest } = attributes;
  const writer = attributesOf.reset();
  if (family === 4 && nextHop.family === 4) writeAttributes(writer, { ...rest, nextHop }, CODING);
  else {
    writeAttributes(writer, rest, CODING);
    const at = beginAttribute(writer, Flag.optional, AttributeType.mpReach);
    writer.counted8(() => {
      writeAddress(writer, nextHop);
      if (linkLocal !== undefined) writeAddress(writer, linkLocal);
    });
    endAttribute(writer, at);
  }
  return writer.finish();
};
