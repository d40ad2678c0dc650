// virtio_net_hdr (virtio 1.2 section 5.1.6), which goes before every packet of a TUN with IFF_VNET_HDR. Little-endian.
//
//    0       1        2             4           6            8             10
//   | flags | gso    | hdr_len     | gso_size  | csum_start | csum_offset |

export const LENGTH = 10;
/** Of the header that also says where the headers inside a UDP tunnel are (virtio 1.4 section 5.1.6: 10 to 20 are a hash's). */
export const TUNNEL_LENGTH = 24;

/**
 * needsChecksum: checksumStart and checksumOffset say what to complete. dataValid: verified already. tunnelChecksum: the outer
 * UDP checksum is to be completed as well.
 */
export const Flag = { needsChecksum: 1, dataValid: 2, tunnelChecksum: 8 } as const;
/**
 * `udp` is UFO, fragments; `udpL4` datagrams (USO); `ecn` goes with the TCP types: CWR on the first segment only; `tunnel4` with
 * what is inside of UDP over IPv4.
 */
export const Gso = { none: 0, tcpv4: 1, udp: 3, tcpv6: 4, udpL4: 5, tunnel4: 0x20, ecn: 0x80 } as const;

export const flags = (v: DataView, o: number): number => v.getUint8(o);
export const gsoType = (v: DataView, o: number): number => v.getUint8(o + 1);
/** Bytes before the payload: a hint, not to be trusted. */
export const headerLength = (v: DataView, o: number): number => v.getUint16(o + 2, true);
/** Payload bytes of each segment. */
export const gsoSize = (v: DataView, o: number): number => v.getUint16(o + 4, true);
/** Bytes from the packet's start to where the checksum begins; and from there to its field. */
export const checksumStart = (v: DataView, o: number): number => v.getUint16(o + 6, true);
export const checksumOffset = (v: DataView, o: number): number => v.getUint16(o + 8, true);

export const write = (
  v: DataView,
  o: number,
  flagBits: number,
  gso: number,
  headerBytes: number,
  segmentBytes: number,
  start: number,
  field: number,
): void => {
  v.setUint16(o, flagBits | (gso << 8), true);
  v.setUint32(o + 2, headerBytes | (segmentBytes << 16), true);
  v.setUint32(o + 6, start | (field << 16), true);
};

/** The rest of the longer header. @param outer bytes from the packet's start to the outer UDP header  @param inner to the inner IP header */
export const writeTunnel = (v: DataView, o: number, outer: number, inner: number): void => {
  v.setUint32(o + 10, 0);
  v.setUint32(o + 14, 0);
  v.setUint16(o + 18, 0);
  v.setUint32(o + 20, outer | (inner << 16), true);
};
