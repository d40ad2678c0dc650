/**
 * BGP messages to and from bytes: the header (RFC 4271 section 4.1), KEEPALIVE, NOTIFICATION (4.5; shutdown
 * communication RFC 9003) and ROUTE-REFRESH (RFC 2918, 7313); OPEN and UPDATE have their own modules. Nothing here
 * reads a clock, a socket or a file, and decoding never throws, whatever the bytes.
 *
 *    | marker, all ones (16) | length with the header (2) | type (1) | body |
 */
import type { AttributeCache } from './attribute-cache.ts';
import type { Coding } from './attributes.ts';
import { Reader, Writer } from './bytes.ts';
import {
  Cease,
  ErrorCode,
  fail,
  HeaderError,
  NO_BYTES,
  ok,
  type Result,
  RouteRefreshError,
  sessionError,
} from './errors.ts';
import { decodeOpen, type Open, writeOpen } from './open.ts';
import { decodeUpdate, type ReceivedUpdate, type Update, writeUpdate } from './update.ts';

export const HEADER_BYTES = 19;
const MARKER_BYTES = 16;
/** RFC 4271 section 4.1; of OPEN and KEEPALIVE also with extended messages (RFC 8654 section 4). */
export const MAX_LENGTH = 4096;
/** RFC 8654. */
export const EXTENDED_MAX_LENGTH = 65535;

export const MessageType = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const;

/** RFC 7313 section 3: begin and end of what is sent again. */
export const RefreshSubtype = { request: 0, begin: 1, end: 2 } as const;

export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

export interface RouteRefresh {
  readonly afi: number;
  readonly safi: number;
  /** Of RefreshSubtype; others are to be ignored. */
  readonly subtype: number;
}

interface Others {
  readonly open: { readonly kind: 'open'; readonly open: Open };
  readonly notification: { readonly kind: 'notification'; readonly notification: Notification };
  readonly keepalive: { readonly kind: 'keepalive' };
  readonly routeRefresh: { readonly kind: 'routeRefresh'; readonly refresh: RouteRefresh };
}

export type Message = Others[keyof Others] | { readonly kind: 'update'; readonly update: Update };

/** As Message, where an UPDATE comes with what was wrong in it. */
export type Received = Others[keyof Others] | ReceivedUpdate;

/** What is agreed before OPENs were exchanged. */
export const INITIAL_CODING: Coding = {
  asBytes: 2,
  maxLength: MAX_LENGTH,
  addPath: { 4: false, 6: false },
  internal: false,
};

/** Least lengths (RFC 4271 section 6.1); a KEEPALIVE has no other. */
const MIN_LENGTHS: Readonly<Record<number, number>> = {
  [MessageType.open]: 29,
  [MessageType.update]: 23,
  [MessageType.notification]: 21,
  [MessageType.keepalive]: HEADER_BYTES,
  [MessageType.routeRefresh]: HEADER_BYTES,
};

/**
 * How many bytes the message has that begins at `offset` of a stream; undefined: the header is not all there yet.
 * An error means that the stream is not BGP, or no longer: the session ends.
 */
export const messageLength = (
  stream: Uint8Array,
  offset: number,
  maxLength: number,
): Result<number | undefined> => {
  const present = Math.min(MARKER_BYTES, stream.length - offset);
  for (let i = 0; i < present; i++) {
    if (stream[offset + i] !== 0xff) {
      return fail(sessionError(ErrorCode.header, HeaderError.notSynchronized, 'the marker is not all ones'));
    }
  }
  if (stream.length - offset < HEADER_BYTES) return ok(undefined);
  const length = (stream[offset + MARKER_BYTES] << 8) | stream[offset + MARKER_BYTES + 1];
  const type = stream[offset + HEADER_BYTES - 1];
  const least = MIN_LENGTHS[type];
  if (least === undefined) {
    const why = `message type ${type} is not known`;
    return fail(sessionError(ErrorCode.header, HeaderError.badType, why, Uint8Array.of(type)));
  }
  const short = type === MessageType.open || type === MessageType.keepalive;
  const most = type === MessageType.keepalive ? HEADER_BYTES : short ? MAX_LENGTH : maxLength;
  if (length < least || length > most) {
    const why = `a message of type ${type} with ${length} bytes, ${least} to ${most} are allowed`;
    const data = Uint8Array.of(length >> 8, length & 0xff);
    return fail(sessionError(ErrorCode.header, HeaderError.badLength, why, data));
  }
  return ok(length);
};

/** @param bytes one whole message; anything else is an error like any other */
export const decodeMessage = (
  bytes: Uint8Array,
  coding: Coding,
  cache?: AttributeCache,
): Result<Received> => {
  const length = messageLength(bytes, 0, coding.maxLength);
  if (!length.ok) return length;
  if (length.value !== bytes.length) {
    const data = bytes.slice(MARKER_BYTES, MARKER_BYTES + 2);
    return fail(
      sessionError(ErrorCode.header, HeaderError.badLength, 'the message is not as long as it says', data),
    );
  }
  return decodeFramed(bytes, 0, bytes.length, coding, cache);
};

/**
 * @param from to `to`: one whole message as `messageLength` cut it
 * @param cache of what this peer sent before in this coding
 */
export const decodeFramed = (
  bytes: Uint8Array,
  from: number,
  to: number,
  coding: Coding,
  cache?: AttributeCache,
): Result<Received> => {
  const type = bytes[from + HEADER_BYTES - 1];
  if (type === MessageType.update) return decodeUpdate(bytes, from + HEADER_BYTES, to, coding, cache);
  const body = bytes.subarray(from + HEADER_BYTES, to);
  switch (type) {
    case MessageType.open: {
      const open = decodeOpen(body);
      return open.ok ? ok({ kind: 'open', open: open.value }) : open;
    }
    case MessageType.notification: {
      const notification = { code: body[0], subcode: body[1], data: body.slice(2) };
      return ok({ kind: 'notification', notification });
    }
    case MessageType.routeRefresh:
      return decodeRouteRefresh(bytes.subarray(from, to), body);
    default:
      return ok({ kind: 'keepalive' });
  }
};

const decodeRouteRefresh = (bytes: Uint8Array, body: Uint8Array): Result<Received> => {
  const reader = new Reader(body);
  const refresh = { afi: reader.u16(), subtype: reader.u8(), safi: reader.u8() };
  // More than 4 bytes are a filter of RFC 5291, which is not offered here and which RFC 7313 section 5 forbids.
  if (reader.overrun || reader.left > 0) {
    const why = `a ROUTE-REFRESH with ${body.length} bytes behind the header, not 4`;
    return fail(sessionError(ErrorCode.routeRefresh, RouteRefreshError.invalidLength, why, bytes.slice()));
  }
  return ok({ kind: 'routeRefresh', refresh });
};

/** All messages are written in one place, and copied out of it. */
const scratch = new Writer();
const MARKER = new Uint8Array(MARKER_BYTES).fill(0xff);

/** @throws RangeError when it does not fit: UPDATEs are cut to fit by pack.ts, the others come from configuration */
export const encodeMessage = (message: Message, coding: Coding): Uint8Array => {
  appendMessage(scratch.reset(), message, coding);
  return scratch.finish();
};

/** The same behind what was written before: many messages in one piece of memory. @throws RangeError */
export const appendMessage = (writer: Writer, message: Message, coding: Coding): void => {
  const start = writer.length;
  writer.bytes(MARKER).u16(0).u8(MessageType[message.kind]);
  switch (message.kind) {
    case 'open':
      writeOpen(writer, message.open);
      break;
    case 'update':
      writeUpdate(writer, message.update, coding);
      break;
    case 'notification': {
      const { code, subcode, data } = message.notification;
      writer.u8(code).u8(subcode).bytes(data);
      break;
    }
    case 'routeRefresh': {
      const { afi, subtype, safi } = message.refresh;
      writer.u16(afi).u8(subtype).u8(safi);
      break;
    }
    case 'keepalive':
  }
  const length = writer.length - start;
  const most = message.kind === 'open' ? MAX_LENGTH : coding.maxLength;
  if (length > most) {
    throw new RangeError(`a BGP message (${message.kind}) has ${length} bytes, ${most} at most are agreed`);
  }
  writer.patch16(start + MARKER_BYTES, length);
};

/** RFC 9003 section 2. */
const COMMUNICATION_MAX = 255;

/** An administrative shutdown or reset that tells the peer's operator why; cut where it is too long, between characters. */
export const ceaseWith = (subcode: number, text: string): Notification => {
  if (text === '') return { code: ErrorCode.cease, subcode, data: NO_BYTES };
  const bytes = new Uint8Array(COMMUNICATION_MAX);
  const { written } = new TextEncoder().encodeInto(text, bytes);
  return { code: ErrorCode.cease, subcode, data: Uint8Array.of(written, ...bytes.subarray(0, written)) };
};

/** What the peer's operator wrote; undefined: nothing, or not as RFC 9003 wants it. */
export const communicationOf = ({ code, subcode, data }: Notification): string | undefined => {
  const speaks = subcode === Cease.administrativeShutdown || subcode === Cease.administrativeReset;
  if (code !== ErrorCode.cease || !speaks || data.length === 0 || data[0] === 0) return undefined;
  if (data[0] > data.length - 1) return undefined;
  return new TextDecoder().decode(data.subarray(1, 1 + data[0]));
};
