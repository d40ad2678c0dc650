// IPv4 header (RFC 791 section 3.1) as functions over (view, offset). The caller has checked once that MIN_LENGTH
// bytes are there; nothing here checks again, nothing copies.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |Version|  IHL  |Type of Service|          Total Length         |
//   |         Identification        |Flags|     Fragment Offset     |
//   |  Time to Live |    Protocol   |        Header Checksum        |
//   |                         Source Address                        |
//   |                      Destination Address                      |
//   |                     Options (IHL - 5 words)                   |

import { foldChecksum, swap16 } from './checksum.ts';

const TOS = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;

/** Bytes of a header without options. */
export const MIN_LENGTH = 20;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const MORE_FRAGMENTS_OR_OFFSET = 0x3fff;
const OFFSET = 0x1fff;
const ONES = 0xffff;

/** Bytes of the header, 0 to 60: to be compared with MIN_LENGTH. */
export const headerLength = (v: DataView, o: number): number => (v.getUint8(o) & 15) << 2;
/** Bytes of header and payload. */
export const totalLength = (v: DataView, o: number): number => v.getUint16(o + TOTAL_LENGTH);
export const setTotalLength = (v: DataView, o: number, bytes: number): void =>
  v.setUint16(o + TOTAL_LENGTH, bytes);
/** DSCP (6 bits) and ECN (2 bits). */
export const tos = (v: DataView, o: number): number => v.getUint8(o + TOS);
export const identification = (v: DataView, o: number): number => v.getUint16(o + IDENTIFICATION);
export const setIdentification = (v: DataView, o: number, id: number): void =>
  v.setUint16(o + IDENTIFICATION, id);
/** Flags (3 bits) and fragment offset (13 bits, in units of 8 bytes). */
export const fragmentField = (v: DataView, o: number): number => v.getUint16(o + FRAGMENT);
export const setFragmentField = (v: DataView, o: number, field: number): void =>
  v.setUint16(o + FRAGMENT, field);
export const dontFragment = (v: DataView, o: number): boolean => (fragmentField(v, o) & DONT_FRAGMENT) !== 0;
export const moreFragments = (v: DataView, o: number): boolean =>
  (fragmentField(v, o) & MORE_FRAGMENTS) !== 0;
/** True for every fragment, the first included. */
export const isFragment = (v: DataView, o: number): boolean =>
  (fragmentField(v, o) & MORE_FRAGMENTS_OR_OFFSET) !== 0;
/** In units of 8 bytes. */
export const fragmentOffset = (v: DataView, o: number): number => fragmentField(v, o) & OFFSET;
export const ttl = (v: DataView, o: number): number => v.getUint8(o + TTL);
export const protocol = (v: DataView, o: number): number => v.getUint8(o + PROTOCOL);
/** Signed words: a number from 2^31 up is an object where the compiler does not see that it need not be. */
export const source = (v: DataView, o: number): number => v.getInt32(o + SOURCE);
export const destination = (v: DataView, o: number): number => v.getInt32(o + DESTINATION);

/** Sum of the 16-bit words of the header, folded: all ones when the checksum in it is right (RFC 1071). */
const headerSum = (v: DataView, o: number): number => {
  let sum = 0;
  for (let at = o, end = o + headerLength(v, o); at < end; at += 2) sum += v.getUint16(at, true);
  return foldChecksum(sum);
};

/** Whether the header checksum is right. The length field (IHL) has been checked. */
export const verifyHeaderChecksum = (v: DataView, o: number): boolean => headerSum(v, o) === ONES;

/** Computes the header checksum anew and stores it. The length field (IHL) has been checked. */
export const updateHeaderChecksum = (v: DataView, o: number): void => {
  v.setUint16(o + CHECKSUM, 0);
  v.setUint16(o + CHECKSUM, ~headerSum(v, o) & ONES, true);
};

/** Sum of the words that the segments of a packet share: all but total length, identification and checksum. */
export const sharedSum = (v: DataView, o: number): number => {
  let sum = v.getUint16(o, true) + v.getUint16(o + FRAGMENT, true) + v.getUint16(o + TTL, true);
  for (let at = o + SOURCE, end = o + headerLength(v, o); at < end; at += 2) sum += v.getUint16(at, true);
  return sum;
};

/** Writes what they do not share; `shared` as sharedSum gives it. */
export const writeUnshared = (v: DataView, o: number, shared: number, bytes: number, id: number): void => {
  const length = swap16(bytes);
  const identifier = swap16(id);
  v.setUint16(o + TOTAL_LENGTH, length, true);
  v.setUint16(o + IDENTIFICATION, identifier, true);
  v.setUint16(o + CHECKSUM, ~foldChecksum(shared + length + identifier) & ONES, true);
};

/**
 * Replaces the word at `at` and adjusts the checksum by the difference: HC' = ~(~HC + ~m + m') (RFC 1624 eqn. 3). Gives
 * what computing anew gives, to the bit: both sums are above zero, since no header's words are all zero.
 */
const replaceWord = (v: DataView, o: number, at: number, word: number): void => {
  const old = v.getUint16(at, true);
  v.setUint16(at, word, true);
  const sum = (~v.getUint16(o + CHECKSUM, true) & ONES) + (~old & ONES) + word;
  v.setUint16(o + CHECKSUM, ~foldChecksum(sum) & ONES, true);
};

/** TTL less one, checksum adjusted; the caller has seen that it is at least one. */
export const decrementTtl = (v: DataView, o: number): void =>
  replaceWord(v, o, o + TTL, v.getUint16(o + TTL, true) - 1);

/** Sets DSCP and ECN, checksum adjusted. */
export const changeTos = (v: DataView, o: number, value: number): void =>
  replaceWord(v, o, o, v.getUint8(o) | (value << 8));

/** Little-endian word sum of the pseudo-header (RFC 9293 section 3.1) for `length` bytes of transport. */
export const pseudoSum4 = (v: DataView, o: number, proto: number, length: number): number =>
  v.getUint16(o + SOURCE, true) +
  v.getUint16(o + SOURCE + 2, true) +
  v.getUint16(o + DESTINATION, true) +
  v.getUint16(o + DESTINATION + 2, true) +
  swap16(proto) +
  swap16(length);

export const sameAddresses = (v: DataView, a: number, b: number): boolean =>
  v.getInt32(a + SOURCE, true) === v.getInt32(b + SOURCE, true) &&
  v.getInt32(a + DESTINATION, true) === v.getInt32(b + DESTINATION, true);

/** Whether two headers without options differ in nothing but length, identification and checksum, and none is a fragment. */
export const sameButLength = (v: DataView, a: number, b: number): boolean =>
  v.getUint16(a, true) === v.getUint16(b, true) &&
  v.getUint32(a + FRAGMENT, true) === v.getUint32(b + FRAGMENT, true) &&
  v.getUint32(a + SOURCE, true) === v.getUint32(b + SOURCE, true) &&
  v.getUint32(a + DESTINATION, true) === v.getUint32(b + DESTINATION, true);

/** Writes a header without options, not to be fragmented, identification 0 (RFC 6864 section 4.1). */
export const write = (
  v: DataView,
  o: number,
  bytes: number,
  tosValue: number,
  ttlValue: number,
  proto: number,
  from: number,
  to: number,
): void => {
  v.setUint16(o, 0x4500 | tosValue);
  v.setUint16(o + TOTAL_LENGTH, bytes);
  v.setUint32(o + IDENTIFICATION, DONT_FRAGMENT);
  v.setUint16(o + TTL, (ttlValue << 8) | proto);
  v.setUint32(o + SOURCE, from);
  v.setUint32(o + DESTINATION, to);
  updateHeaderChecksum(v, o);
};
