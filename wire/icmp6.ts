// ICMPv6 (RFC 4443) as functions over (view, offset): the messages that a router sends about a packet. The header is
// laid out as ICMP's, the checksum covers a pseudo-header as well (section 2.3).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |     Type      |     Code      |          Checksum             |
//   | unused; packetTooBig: MTU; echo: Identifier | Sequence Number |
//   |            as much of the packet it is about as fits          |

export { code, identifier, LENGTH, sequence, storeChecksum, type } from './icmp.ts';

export const Type = {
  destinationUnreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  echoRequest: 128,
  echoReply: 129,
} as const;
/** Codes of destinationUnreachable. */
export const Unreachable = { noRoute: 0, address: 3 } as const;

/** Of packetTooBig, in bytes of IP packet. */
export const mtu = (v: DataView, o: number): number => v.getUint32(o + 4);

const REDIRECT = 137;

/** Whether a message is an error about some packet or a redirect, neither of which is answered (section 2.4 (e)). */
export const isError = (v: DataView, o: number): boolean => v.getUint8(o) < 128 || v.getUint8(o) === REDIRECT;

/** Writes the first 8 bytes, checksum 0. `rest` is the MTU of packetTooBig, else 0. */
export const write = (v: DataView, o: number, type: number, code: number, rest: number): void => {
  v.setUint32(o, (type << 24) | (code << 16));
  v.setUint32(o + 4, rest);
};
