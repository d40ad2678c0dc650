// VXLAN header (RFC 7348 section 5) as functions over (view, offset); LENGTH bytes are known to be there.
//
//   |R|R|R|R|I|R|R|R|            Reserved                           |
//   |                VXLAN Network Identifier (VNI) |   Reserved    |

export const LENGTH = 8;
const FLAG_VNI = 0x08;

/** The I flag: the VNI is valid. */
export const hasVni = (v: DataView, o: number): boolean => (v.getUint8(o) & FLAG_VNI) !== 0;
/** 24 bits. */
export const vni = (v: DataView, o: number): number => v.getUint32(o + 4) >>> 8;
/** Reserved bits are zero on transmission. */
export const write = (v: DataView, o: number, id: number): void => {
  v.setUint32(o, FLAG_VNI << 24);
  v.setUint32(o + 4, id << 8);
};
