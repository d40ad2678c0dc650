// UDP header (RFC 768) as functions over (view, offset); LENGTH bytes are known to be there.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |          Source Port          |       Destination Port        |
//   |            Length             |           Checksum            |

export const LENGTH = 8;
/** Where the checksum is: stored little-endian, as checksum.ts says. 0 means none, over IPv4; a sum of 0 goes as 0xffff. */
export const CHECKSUM = 6;

export const sourcePort = (v: DataView, o: number): number => v.getUint16(o);
export const destinationPort = (v: DataView, o: number): number => v.getUint16(o + 2);
/** Bytes of header and payload. */
export const length = (v: DataView, o: number): number => v.getUint16(o + 4);
export const setLength = (v: DataView, o: number, bytes: number): void => v.setUint16(o + 4, bytes);
export const checksum = (v: DataView, o: number): number => v.getUint16(o + CHECKSUM);

/** Sum of the words that the segments of a packet share: the ports. */
export const sharedSum = (v: DataView, o: number): number => v.getUint16(o, true) + v.getUint16(o + 2, true);

/** Writes a header for `bytes` of header and payload, checksum 0. */
export const write = (v: DataView, o: number, from: number, to: number, bytes: number): void => {
  v.setUint16(o, from);
  v.setUint16(o + 2, to);
  v.setUint32(o + 4, bytes << 16);
};
