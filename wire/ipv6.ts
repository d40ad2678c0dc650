// IPv6 header (RFC 8200 section 3) and its extension headers, as functions over (view, offset). The caller has checked
// once that LENGTH bytes are there; only findUpperLayer looks further, within the length it is given.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |Version| Traffic Class |           Flow Label                  |
//   |         Payload Length        |  Next Header  |   Hop Limit   |
//   |                    Source Address (4 words)                   |
//   |                 Destination Address (4 words)                 |

import { swap16 } from './checksum.ts';

const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;

/** Bytes of the fixed header. */
export const LENGTH = 40;

/** DSCP (6 bits) and ECN (2 bits). */
export const trafficClass = (v: DataView, o: number): number => (v.getUint16(o) >> 4) & 0xff;
export const setTrafficClass = (v: DataView, o: number, value: number): void =>
  v.setUint16(o, (v.getUint16(o) & 0xf00f) | (value << 4));
/** 20 bits (RFC 6437). */
export const flowLabel = (v: DataView, o: number): number => v.getUint32(o) & 0xfffff;
/** Bytes behind the fixed header. */
export const payloadLength = (v: DataView, o: number): number => v.getUint16(o + PAYLOAD_LENGTH);
export const setPayloadLength = (v: DataView, o: number, bytes: number): void =>
  v.setUint16(o + PAYLOAD_LENGTH, bytes);
export const nextHeader = (v: DataView, o: number): number => v.getUint8(o + NEXT_HEADER);
export const hopLimit = (v: DataView, o: number): number => v.getUint8(o + HOP_LIMIT);
/** Hop limit less one; the caller has seen that it is at least one. */
export const decrementHopLimit = (v: DataView, o: number): void =>
  v.setUint8(o + HOP_LIMIT, v.getUint8(o + HOP_LIMIT) - 1);
/** 32-bit word `w` (0 to 3), signed, of the source address. */
export const sourceWord = (v: DataView, o: number, w: number): number => v.getInt32(o + SOURCE + 4 * w);
export const destinationWord = (v: DataView, o: number, w: number): number =>
  v.getInt32(o + DESTINATION + 4 * w);

/** Little-endian word sum of the pseudo-header (RFC 8200 section 8.1) for `length` bytes of upper layer. */
export const pseudoSum6 = (v: DataView, o: number, proto: number, length: number): number => {
  let sum = swap16(proto) + swap16(length & 0xffff) + swap16(length >>> 16);
  for (let at = o + SOURCE, end = o + LENGTH; at < end; at += 2) sum += v.getUint16(at, true);
  return sum;
};

export const sameAddresses = (v: DataView, a: number, b: number): boolean => {
  for (let at = SOURCE; at < LENGTH; at += 4) {
    if (v.getInt32(a + at, true) !== v.getInt32(b + at, true)) return false;
  }
  return true;
};

/** Whether two headers differ in nothing but the payload length. */
export const sameButLength = (v: DataView, a: number, b: number): boolean => {
  if (v.getUint32(a, true) !== v.getUint32(b, true)) return false;
  if (v.getUint16(a + NEXT_HEADER, true) !== v.getUint16(b + NEXT_HEADER, true)) return false;
  for (let at = SOURCE; at < LENGTH; at += 4) {
    if (v.getUint32(a + at, true) !== v.getUint32(b + at, true)) return false;
  }
  return true;
};

/** Writes a header with flow label 0. */
export const write = (
  v: DataView,
  o: number,
  payload: number,
  traffic: number,
  hops: number,
  next: number,
  from: readonly number[],
  to: readonly number[],
): void => {
  v.setUint32(o, 0x60000000 | (traffic << 20));
  v.setUint16(o + PAYLOAD_LENGTH, payload);
  v.setUint16(o + NEXT_HEADER, (next << 8) | hops);
  for (let w = 0; w < 4; w++) {
    v.setUint32(o + SOURCE + 4 * w, from[w]);
    v.setUint32(o + DESTINATION + 4 * w, to[w]);
  }
};

// Extension headers (RFC 8200 section 4; the list: IANA, RFC 7045 section 4). ESP (50) hides what follows and counts as
// the upper layer. All but two give their length in 8 bytes beyond the first 8:
//
//   |  Next Header  |  Hdr Ext Len  |  ...                          |
//
// Fragment (RFC 8200 section 4.5), 8 bytes; offset in units of 8 bytes, M: more fragments follow:
//
//   |  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
//   |                         Identification                        |
//
// Authentication (RFC 4302 section 2) gives its length in 4 bytes beyond the first 8.
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;
const MOBILITY = 135;
const HIP = 139;
const SHIM6 = 140;

const MORE_FRAGMENTS_OR_OFFSET = 0xfff9;

/**
 * Chains longer than this are malformed. RFC 8200 section 4.1 has each header once, Destination Options twice; without
 * a limit, a packet of 64 KB costs 8,000 steps.
 */
const MOST_HEADERS = 16;

/** A fragment that is not the first has no upper-layer header. */
const LATER_FRAGMENT = 0x4000000;
const IS_FRAGMENT = 0x2000000;

/**
 * Walks the extension headers of the packet of `length` bytes at `o`, at most 65,575 (RFC 8200 section 4.1). The answer
 * packs protocol, offset and whether it is a fragment; read it with the functions below. It never reads at or behind
 * `o + length`. Of a later fragment, offset is where its piece of the upper layer begins.
 *
 * @returns -1 when a header is cut short or the chain too long
 */
export const findUpperLayer = (v: DataView, o: number, length: number): number => {
  if (length < LENGTH) return -1;
  let next = nextHeader(v, o);
  let at = LENGTH;
  let fragment = 0;
  for (let headers = 0; headers <= MOST_HEADERS; headers++) {
    if (!isExtension(next)) return next | (at << 8) | fragment;
    if (at + 8 > length) return -1;
    const units = v.getUint8(o + at + 1);
    const bytes = next === FRAGMENT ? 8 : next === AUTHENTICATION ? (units + 2) << 2 : (units + 1) << 3;
    if (next === FRAGMENT) {
      const field = v.getUint16(o + at + 2);
      // An atomic fragment (offset 0, none to follow) is a whole packet (RFC 6946).
      if ((field & MORE_FRAGMENTS_OR_OFFSET) !== 0) fragment = IS_FRAGMENT;
      if (field >> 3 !== 0) return v.getUint8(o + at) | ((at + 8) << 8) | IS_FRAGMENT | LATER_FRAGMENT;
    }
    next = v.getUint8(o + at);
    at += bytes;
    if (at > length) return -1;
  }
  return -1;
};

const isExtension = (next: number): boolean =>
  next === HOP_BY_HOP ||
  next === DESTINATION_OPTIONS ||
  next === FRAGMENT ||
  next === ROUTING ||
  next === AUTHENTICATION ||
  next === MOBILITY ||
  next === HIP ||
  next === SHIM6;

export const upperLayerProtocol = (found: number): number => found & 0xff;
/** From the start of the IPv6 header. */
export const upperLayerOffset = (found: number): number => (found >> 8) & 0x1ffff;
/** True for every fragment, the first included; not for an atomic one. */
export const upperLayerIsFragment = (found: number): boolean => (found & IS_FRAGMENT) !== 0;
/** True for those but the first: no upper-layer header. */
export const upperLayerIsLaterFragment = (found: number): boolean => (found & LATER_FRAGMENT) !== 0;
