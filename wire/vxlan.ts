// VXLAN header (RFC 7348 section 5) as functions over (view, offset); LENGTH bytes are known to be there.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |R|R|R|R|I|R|R|R|            Reserved                           |
//   |                VXLAN Network Identifier (VNI) |   Reserved    |

export const LENGTH = 8;
/** UDP destination port (section 8). */
export const PORT = 4789;

const FLAG_VNI = 0x08;

/** The I flag: the VNI is valid. */
export const hasVni = (v: DataView, o: number): boolean => (v.getUint8(o) & FLAG_VNI) !== 0;
/** 24 bits. */
export const vni = (v: DataView, o: number): number => v.getUint32(o + 4) >>> 8;
/** Writes the header for a VNI of 24 bits. Reserved bits are zero on transmission. */
export const write = (v: DataView, o: number, id: number): void => {
  v.setUint32(o, FLAG_VNI << 24);
  v.setUint32(o + 4, id << 8);
};
