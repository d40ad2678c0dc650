// TCP header (RFC 9293 section 3.1) as functions over (view, offset); MIN_LENGTH bytes are known to be there.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |          Source Port          |       Destination Port        |
//   |                        Sequence Number                        |
//   |                    Acknowledgment Number                      |
//   |  Data |Rsrvd| flags (8 bits)  |            Window             |
//   |           Checksum            |         Urgent Pointer        |
//   |                    Options (Data - 5 words)                   |

import { swap16 } from './checksum.ts';

const SEQUENCE = 4;
const ACKNOWLEDGMENT = 8;
const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;
const URGENT = 18;
const OPTIONS = 20;

export const MIN_LENGTH = 20;
/** Where the checksum is: stored little-endian, as checksum.ts says. */
export const CHECKSUM = 16;

export const Flag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

export const sourcePort = (v: DataView, o: number): number => v.getUint16(o);
export const destinationPort = (v: DataView, o: number): number => v.getUint16(o + 2);
/** Bytes of the header, 0 to 60: to be compared with MIN_LENGTH. */
export const headerLength = (v: DataView, o: number): number => (v.getUint8(o + DATA_OFFSET) >> 4) << 2;
/** Unsigned 32 bits. */
export const sequence = (v: DataView, o: number): number => v.getUint32(o + SEQUENCE);
export const setSequence = (v: DataView, o: number, value: number): void => v.setUint32(o + SEQUENCE, value);
/** Unsigned 32 bits. */
export const acknowledgment = (v: DataView, o: number): number => v.getUint32(o + ACKNOWLEDGMENT);
export const flags = (v: DataView, o: number): number => v.getUint8(o + FLAGS);
export const setFlags = (v: DataView, o: number, value: number): void => v.setUint8(o + FLAGS, value);

/** Not scaled (RFC 7323). */
export const window = (v: DataView, o: number): number => v.getUint16(o + WINDOW);

/** Sum of the words that the segments of a packet share: all but sequence, flags and checksum. */
export const sharedSum = (v: DataView, o: number): number => {
  let sum = v.getUint16(o, true) + v.getUint16(o + 2, true) + v.getUint16(o + WINDOW, true);
  sum += v.getUint16(o + ACKNOWLEDGMENT, true) + v.getUint16(o + ACKNOWLEDGMENT + 2, true);
  for (let at = o + URGENT, end = o + headerLength(v, o); at < end; at += 2) sum += v.getUint16(at, true);
  return sum;
};

/** Writes sequence (modulo 2^32) and flags, which they do not share. @returns the sum of their words */
export const writeUnshared = (v: DataView, o: number, number: number, flagBits: number): number => {
  const high = swap16(number >>> 16);
  const low = swap16(number);
  const control = v.getUint8(o + DATA_OFFSET) | (flagBits << 8);
  v.setInt32(o + SEQUENCE, high | (low << 16), true);
  v.setUint16(o + DATA_OFFSET, control, true);
  return high + low + control;
};

/** Writes a header but its options, which are the `headerBytes` - 20 behind it; checksum and urgent pointer 0. */
export const write = (
  v: DataView,
  o: number,
  from: number,
  to: number,
  sequenceNumber: number,
  acknowledged: number,
  headerBytes: number,
  flagBits: number,
  windowSize: number,
): void => {
  v.setUint16(o, from);
  v.setUint16(o + 2, to);
  v.setUint32(o + SEQUENCE, sequenceNumber);
  v.setUint32(o + ACKNOWLEDGMENT, acknowledged);
  v.setUint16(o + DATA_OFFSET, (headerBytes << 10) | flagBits);
  v.setUint16(o + WINDOW, windowSize);
  v.setUint32(o + CHECKSUM, 0);
};

/** Data offset, flags and window in one word, less FIN and PSH, which may differ inside a train. */
const CONTROL_MASK = ~((Flag.fin | Flag.psh) << 8);

/** Whether two headers of `bytes` bytes differ in nothing but sequence, checksum, FIN and PSH. */
export const sameButSequence = (v: DataView, a: number, b: number, bytes: number): boolean => {
  if (v.getInt32(a, true) !== v.getInt32(b, true)) return false;
  if (v.getInt32(a + ACKNOWLEDGMENT, true) !== v.getInt32(b + ACKNOWLEDGMENT, true)) return false;
  const control = v.getInt32(a + DATA_OFFSET, true) ^ v.getInt32(b + DATA_OFFSET, true);
  if ((control & CONTROL_MASK) !== 0) return false;
  for (let at = OPTIONS; at < bytes; at += 4) {
    if (v.getInt32(a + at, true) !== v.getInt32(b + at, true)) return false;
  }
  return true;
};
