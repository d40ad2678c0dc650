/**
 * Messages of the BGP Monitoring Protocol (RFC 7854): values to bytes. What is of BGP inside of them comes as it was on the
 * wire, or as it would be.
 *
 *    | version 3 (1) | length with the header (4) | type (1) | … |
 *    per peer: | type (1) | flags (1) | distinguisher (8) | address (16) | AS (4) | BGP identifier (4) | seconds (4) | µs (4) |
 */
import type { Address } from '../../../wire/address.ts';
import { Writer } from '../codec/bytes.ts';
import { writeAddress } from '../codec/family.ts';

const VERSION = 3;
const MessageType = {
  routeMonitoring: 0,
  statistics: 1,
  peerDown: 2,
  peerUp: 3,
  initiation: 4,
  termination: 5,
} as const;
/** Section 4.2; all of ours are of the global instance, AS paths of four octets. */
const PEER_GLOBAL = 0;
const PeerFlag = { ipv6: 0x80, postPolicy: 0x40 } as const;
/** Section 4.4. */
const Information = { text: 0, description: 1, name: 2 } as const;
/** Section 4.5. */
const TERMINATION_REASON = 1;
const ADMINISTRATIVELY_CLOSED = 0;
/** Section 4.8; 15 is of RFC 8671. */
const Statistic = { received: 7, treatedAsWithdraw: 11, advertised: 15 } as const;
/** Section 4.9. */
const DownReason = { localNotification: 1, local: 2, remoteNotification: 3, remote: 4 } as const;
/** "the code of an event": none of the state machine's (RFC 4271 section 8.1) is meant. */
const NO_EVENT = 0;

export interface BmpPeer {
  readonly address: Address;
  readonly asn: number;
  readonly routerId: Address;
}

export interface PeerUp {
  readonly localAddress: Address;
  readonly localPort: number;
  readonly remotePort: number;
  /** Whole messages. */
  readonly sentOpen: Uint8Array;
  readonly receivedOpen: Uint8Array;
}

/** What ended a session: a NOTIFICATION (the whole message) of one side, or the end of the connection. */
export type PeerDown =
  | { readonly by: 'us' | 'peer'; readonly notification: Uint8Array }
  | { readonly by: 'us' | 'peer'; readonly notification?: undefined };

export interface PeerStatistics {
  /** Routes. */
  readonly received: number;
  readonly advertised: number;
  readonly treatedAsWithdraw: number;
}

const written = new Writer();

export const initiation = (name: string, description: string): Uint8Array =>
  message(MessageType.initiation, (writer) => {
    text(writer, Information.description, description);
    text(writer, Information.name, name);
  });

export const termination = (why: string): Uint8Array =>
  message(MessageType.termination, (writer) => {
    text(writer, Information.text, why);
    writer.u16(TERMINATION_REASON).u16(2).u16(ADMINISTRATIVELY_CLOSED);
  });

/** @param at milliseconds since 1970 */
export const peerUp = (peer: BmpPeer, at: number, up: PeerUp): Uint8Array =>
  message(MessageType.peerUp, (writer) => {
    writePeer(writer, peer, at, false);
    writeLong(writer, up.localAddress);
    writer.u16(up.localPort).u16(up.remotePort).bytes(up.sentOpen).bytes(up.receivedOpen);
  });

export const peerDown = (peer: BmpPeer, at: number, { by, notification }: PeerDown): Uint8Array =>
  message(MessageType.peerDown, (writer) => {
    writePeer(writer, peer, at, false);
    if (notification !== undefined) {
      writer.u8(by === 'us' ? DownReason.localNotification : DownReason.remoteNotification);
      writer.bytes(notification);
    } else if (by === 'us') writer.u8(DownReason.local).u16(NO_EVENT);
    else writer.u8(DownReason.remote);
  });

/** @param update a whole message @param at 0: it is not known since when the routes are there */
export const routeMonitoring = (
  peer: BmpPeer,
  at: number,
  postPolicy: boolean,
  update: Uint8Array,
): Uint8Array =>
  message(MessageType.routeMonitoring, (writer) => {
    writePeer(writer, peer, at, postPolicy);
    writer.bytes(update);
  });

export const statistics = (peer: BmpPeer, at: number, counts: PeerStatistics): Uint8Array =>
  message(MessageType.statistics, (writer) => {
    writePeer(writer, peer, at, false);
    writer.u32(3);
    writer.u16(Statistic.received).u16(8).u32(0).u32(counts.received);
    writer.u16(Statistic.advertised).u16(8).u32(0).u32(counts.advertised);
    writer.u16(Statistic.treatedAsWithdraw).u16(4).u32(counts.treatedAsWithdraw);
  });

const message = (type: number, body: (writer: Writer) => void): Uint8Array => {
  const writer = written.reset().u8(VERSION).u32(0).u8(type);
  body(writer);
  writer.patch16(1, writer.length >>> 16);
  writer.patch16(3, writer.length & 0xffff);
  return writer.finish();
};

const writePeer = (
  writer: Writer,
  { address, asn, routerId }: BmpPeer,
  at: number,
  postPolicy: boolean,
): void => {
  const flags = (address.family === 6 ? PeerFlag.ipv6 : 0) | (postPolicy ? PeerFlag.postPolicy : 0);
  writer.u8(PEER_GLOBAL).u8(flags).u32(0).u32(0);
  writeLong(writer, address);
  writer.u32(asn);
  writeAddress(writer, routerId);
  const seconds = Math.floor(at / 1000);
  writer.u32(seconds).u32(Math.floor((at - 1000 * seconds) * 1000));
};

/** 16 octets, of IPv4 the last four (section 4.2). */
const writeLong = (writer: Writer, address: Address): void => {
  if (address.family === 4) writer.u32(0).u32(0).u32(0);
  writeAddress(writer, address);
};

const text = (writer: Writer, type: number, value: string): void => {
  const bytes = new TextEncoder().encode(value);
  writer.u16(type).u16(bytes.length).bytes(bytes);
};
