/**
 * The encoding of netlink (RFC 3549 section 2.2, linux/netlink.h): messages and their attributes, from and to bytes.
 * Pure: knows no socket and no meaning of any attribute. Host byte order, which is little-endian here.
 *
 *    0                   1                   2                   3
 *   |                          length (with header)                 |
 *   |             type              |            flags              |
 *   |                           sequence                            |
 *   |                            port                               |
 *   then a fixed structure, then attributes: u16 length with header, u16 type, value, padded to 4
 */
import type { Remedies } from '../errors.ts';

export const NLMSG_HEADER_SIZE = 16;
const ATTRIBUTE_HEADER_SIZE = 4;
/** Without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER, which some answers carry and no request of ours needs. */
const NLA_TYPE_MASK = 0x3fff;

/** Flags of a message; those from 0x100 on mean one thing to GET and another to NEW requests. */
export const NlmFlag = {
  request: 0x001,
  multi: 0x002,
  acknowledge: 0x004,
  dumpInterrupted: 0x010,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const;

/** Something to be done, which the kernel acknowledges. Built by links.ts, routes.ts …, run by socket.ts. */
export interface Request {
  /** RTM_*. */
  readonly type: number;
  /** NlmFlag beyond those that socket.ts adds (request, acknowledge). */
  readonly flags: number;
  readonly payload: Uint8Array;
  /** For messages to people: 'adding the address 10.0.0.1/24 to interface 3'. */
  readonly doing: string;
  readonly remedies?: Remedies | undefined;
}

/** Something to be read: one message back. */
export interface Query<T> extends Request {
  readonly answer: 'one';
  readonly read: (message: Message) => T | undefined;
}

/** Something to be listed: messages come back until the kernel says that it is done. */
export interface Dump<T> extends Request {
  readonly answer: 'many';
  /** Undefined: not one of those asked for. */
  readonly read: (message: Message) => T | undefined;
  /** An errno that means that there is nothing to list. */
  readonly emptyOn?: number;
}

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** What follows the header; a view of the buffer that was decoded. */
  readonly payload: Uint8Array;
}

/** Values by attribute type (flags masked off); of a type that repeats, the last one. Views of the buffer. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

// --- writing

/** Joins parts; undefined ones are left out. */
export function concat(...parts: readonly (Uint8Array | undefined)[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part?.length ?? 0;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    if (!part) continue;
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** One attribute, padded to 4 bytes. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const length = ATTRIBUTE_HEADER_SIZE + value.length;
  if (length > 0xffff) throw new RangeError(`netlink attribute ${type}: ${value.length} bytes are too long`);
  const bytes = new Uint8Array((length + 3) & ~3);
  bytes[0] = length;
  bytes[1] = length >>> 8;
  bytes[2] = type;
  bytes[3] = type >>> 8;
  bytes.set(value, ATTRIBUTE_HEADER_SIZE);
  return bytes;
}

/** The attribute, or nothing when there is no value. */
export function optional<V>(
  type: number,
  value: V | undefined,
  encode: (value: V) => Uint8Array,
): Uint8Array | undefined {
  return value === undefined ? undefined : attribute(type, encode(value));
}

/** An attribute made of attributes. */
export function nested(type: number, ...attributes: readonly (Uint8Array | undefined)[]): Uint8Array {
  return attribute(type, concat(...attributes));
}

export function u8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8);
}

/** Network byte order, for ports. */
export function u16be(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

/** Also for i32. */
export function u32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

export function bool(value: boolean): Uint8Array {
  return u8(value ? 1 : 0);
}

/** With the terminating zero. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}

/** For attributes whose value is bytes already. */
export function raw(value: Uint8Array): Uint8Array {
  return value;
}

/** A whole message, padded to 4 bytes. */
export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  payload: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(messageSize(payload));
  writeMessage(bytes, 0, type, flags, sequence, payload);
  return bytes;
}

/** Bytes that a message takes, padding included. */
export function messageSize(payload: Uint8Array): number {
  return (NLMSG_HEADER_SIZE + payload.length + 3) & ~3;
}

/** Over what is there from `at` on. @returns where the next one begins */
export function writeMessage(
  bytes: Uint8Array,
  at: number,
  type: number,
  flags: number,
  sequence: number,
  payload: Uint8Array,
): number {
  const length = NLMSG_HEADER_SIZE + payload.length;
  bytes.fill(0, at, at + NLMSG_HEADER_SIZE);
  bytes[at] = length;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length >>> 16;
  bytes[at + 4] = type;
  bytes[at + 5] = type >>> 8;
  bytes[at + 6] = flags;
  bytes[at + 7] = flags >>> 8;
  bytes[at + 8] = sequence;
  bytes[at + 9] = sequence >>> 8;
  bytes[at + 10] = sequence >>> 16;
  bytes[at + 11] = sequence >>> 24;
  bytes.set(payload, at + NLMSG_HEADER_SIZE);
  const end = at + messageSize(payload);
  bytes.fill(0, at + length, end);
  return end;
}

// --- reading

/** The messages of one datagram. Stops at the first whose length does not fit. */
export function decodeMessages(bytes: Uint8Array): Message[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const messages: Message[] = [];
  for (let at = 0; at + NLMSG_HEADER_SIZE <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length < NLMSG_HEADER_SIZE || at + length > bytes.length) break;
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: bytes.subarray(at + NLMSG_HEADER_SIZE, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

/** The attributes that begin at `offset`. Stops at the first whose length does not fit. */
export function decodeAttributes(bytes: Uint8Array, offset = 0): Attributes {
  const attributes = new Map<number, Uint8Array>();
  for (let at = offset; at + ATTRIBUTE_HEADER_SIZE <= bytes.length; ) {
    const length = readU16(bytes, at);
    if (length < ATTRIBUTE_HEADER_SIZE || at + length > bytes.length) break;
    attributes.set(
      readU16(bytes, at + 2) & NLA_TYPE_MASK,
      bytes.subarray(at + ATTRIBUTE_HEADER_SIZE, at + length),
    );
    at += (length + 3) & ~3;
  }
  return attributes;
}

export function readU16(bytes: Uint8Array, offset = 0): number {
  return bytes[offset] | (bytes[offset + 1] << 8);
}

export function readU16be(bytes: Uint8Array, offset = 0): number {
  return (bytes[offset] << 8) | bytes[offset + 1];
}

export function readI32(bytes: Uint8Array, offset = 0): number {
  return bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24);
}

export function readU32(bytes: Uint8Array, offset = 0): number {
  return readI32(bytes, offset) >>> 0;
}

/** Exact below 2^53. */
export function readU64(bytes: Uint8Array, offset = 0): number {
  return readU32(bytes, offset) + readU32(bytes, offset + 4) * 4294967296;
}

/** Up to the terminating zero. */
export function readText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** The value of an attribute, undefined when there is none. */
export function getU32(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value && readU32(value);
}

export function getText(attributes: Attributes, type: number): string | undefined {
  const value = attributes.get(type);
  return value && readText(value);
}

/** A copy. */
export function getBytes(attributes: Attributes, type: number): Uint8Array | undefined {
  return attributes.get(type)?.slice();
}

export function getNested(attributes: Attributes, type: number): Attributes {
  const value = attributes.get(type);
  return value ? decodeAttributes(value) : NONE;
}

const NONE: Attributes = new Map();
