// UDP header (RFC 768) as functions over (view, offset); LENGTH bytes are known to be there.
//
//   |          Source Port          |       Destination Port        |
//   |            Length             |           Checksum            |

export const LENGTH = 8;
/** Where the checksum is; 0 in it means none, over IPv4. */
export const CHECKSUM = 6;

/** Bytes of header and payload. */
export const length = (v: DataView, o: number): number => v.getUint16(o + 4);
export const setLength = (v: DataView, o: number, bytes: number): void => v.setUint16(o + 4, bytes);
export const checksum = (v: DataView, o: number): number => v.getUint16(o + CHECKSUM);
