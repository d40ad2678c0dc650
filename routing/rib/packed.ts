/**
 * Attributes of routes as bytes, to be kept: as they stand in a message between speakers of four-octet AS numbers, in the
 * order of their types, so that equal ones are the same bytes and can be sent as they are. Next hops that have no place
 * there are behind them, in what looks like an attribute.
 *
 *    | ORIGIN | AS_PATH | NEXT_HOP, of IPv4 | MED … | next hop of IPv6, link-local next hop (16 bytes each, if any) |
 */
import { addressFromBytes } from '../../wire/address.ts';
import {
  AttributeType,
  type Coding,
  codecs,
  Flag,
  type Key,
  keyOfType,
  type UnknownAttribute,
} from '../bgp/codec/attributes.ts';
import { Reader, type Writer } from '../bgp/codec/bytes.ts';
import { Malformed } from '../bgp/codec/errors.ts';
import { writeAddress } from '../bgp/codec/family.ts';
import { EXTENDED_MAX_LENGTH } from '../bgp/codec/message.ts';
import { beginAttribute, endAttribute, writeAttributes } from '../bgp/codec/update.ts';
import type { RouteAttributes } from './route.ts';

const CODING: Coding = {
  asBytes: 4,
  maxLength: EXTENDED_MAX_LENGTH,
  addPath: { 4: false, 6: false },
  internal: true,
};
const IPV6_BYTES = 16;

/** @returns how many of the bytes are what a message has */
export const writePacked = (writer: Writer, attributes: RouteAttributes): number => {
  const { nextHop, linkLocal } = attributes;
  if (nextHop.family === 4) writeAttributes(writer, attributes, CODING);
  else {
    const { nextHop: _, ...rest } = attributes;
    writeAttributes(writer, rest, CODING);
  }
  const sent = writer.length;
  if (nextHop.family === 4 && linkLocal === undefined) return sent;
  const at = beginAttribute(writer, Flag.optional, AttributeType.mpReach);
  if (nextHop.family === 6) writeAddress(writer, nextHop);
  if (linkLocal !== undefined) writeAddress(writer, linkLocal);
  endAttribute(writer, at);
  return sent;
};

/** What `writePacked` has written. */
export const readPacked = (bytes: Uint8Array, from: number, to: number): RouteAttributes => {
  const reader = new Reader(bytes, from, to);
  const attributes: Record<string, unknown> = {};
  const unknown: UnknownAttribute[] = [];
  while (reader.left > 0) {
    const flags = reader.u8();
    const type = reader.u8();
    const value = reader.part((flags & Flag.extendedLength) !== 0 ? reader.u16() : reader.u8());
    const key = keyOfType.get(type);
    if (key !== undefined) attributes[key] = valueAs(key, value);
    else if (type !== AttributeType.mpReach) unknown.push({ type, value: value.rest().slice() });
    else {
      if (attributes.nextHop === undefined) attributes.nextHop = addressFromBytes(value.take(IPV6_BYTES));
      if (value.left > 0) attributes.linkLocal = addressFromBytes(value.take(IPV6_BYTES));
    }
  }
  if (unknown.length > 0) attributes.unknown = unknown;
  return attributes as unknown as RouteAttributes;
};

/** A policy may have left a list with nothing in it, which no message has. */
const NOTHING: readonly never[] = [];

const valueAs = (key: Key, value: Reader): unknown => {
  if (value.left === 0 && key !== 'atomicAggregate') return NOTHING;
  const decoded = codecs[key].decode(value, CODING);
  if (decoded instanceof Malformed) throw new Error(`${key} was kept, and is malformed: ${decoded.why}`);
  return decoded;
};
