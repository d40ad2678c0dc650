// ICMP (RFC 792) as functions over (view, offset): the messages that a router sends about a packet.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |     Type      |     Code      |          Checksum             |
//   | unused, or with RFC 1191 section 4: 0 |     Next-Hop MTU      |
//   | echo:       Identifier        |        Sequence Number        |
//   |      Internet Header + bytes of the packet it is about        |

import { foldChecksum } from './checksum.ts';

export const LENGTH = 8;

export const Type = { echoReply: 0, destinationUnreachable: 3, echoRequest: 8, timeExceeded: 11 } as const;
/** Codes of destinationUnreachable. */
export const Unreachable = { network: 0, host: 1, fragmentationNeeded: 4 } as const;

export const type = (v: DataView, o: number): number => v.getUint8(o);
export const code = (v: DataView, o: number): number => v.getUint8(o + 1);
/** Of echo request and reply. */
export const identifier = (v: DataView, o: number): number => v.getUint16(o + 4);
export const sequence = (v: DataView, o: number): number => v.getUint16(o + 6);
/** Of fragmentationNeeded, in bytes of IP packet; 0 from routers older than RFC 1191. */
export const nextHopMtu = (v: DataView, o: number): number => v.getUint16(o + 6);

const ERRORS: readonly number[] = [3, 4, 5, 11, 12];

/** Whether a message is an error about some packet, which must not be answered by an error (RFC 1122 section 3.2.2). */
export const isError = (v: DataView, o: number): boolean => ERRORS.includes(v.getUint8(o));

/** Writes the first 8 bytes, checksum 0. `rest` is the second word: MTU of fragmentationNeeded, identifier and sequence. */
export const write = (v: DataView, o: number, type: number, code: number, rest: number): void => {
  v.setUint32(o, (type << 24) | (code << 16));
  v.setUint32(o + 4, rest);
};

/** Stores the checksum of a message whose little-endian word sum, with the field zero, is `sum`. */
export const storeChecksum = (v: DataView, o: number, sum: number): void =>
  v.setUint16(o + 2, ~foldChecksum(sum) & 0xffff, true);
