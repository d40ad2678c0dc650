/**
 * The BFD control packet (RFC 5880 section 4.1) as bytes and as a value. What is not as section 6.8.6 wants it is
 * refused here as far as one packet shows it; authentication is not spoken.
 *
 *    0 version (3) diagnostic (5) | 1 state (2) P F C A D M | 2 detection multiplier | 3 length
 *    4 my discriminator   8 your discriminator   12 desired min TX   16 required min RX   20 required min echo RX
 */

export const BfdState = { adminDown: 0, down: 1, init: 2, up: 3 } as const;
export type BfdState = (typeof BfdState)[keyof typeof BfdState];

export const Diagnostic = {
  none: 0,
  detectionTimeExpired: 1,
  neighbourSignalledDown: 3,
  pathDown: 5,
  administrativelyDown: 7,
} as const;

export interface BfdPacket {
  readonly diagnostic: number;
  readonly state: BfdState;
  readonly poll: boolean;
  readonly final: boolean;
  /** The peer wants to be heard of when polled only (section 6.6). */
  readonly demand: boolean;
  readonly detectionMultiplier: number;
  readonly myDiscriminator: number;
  readonly yourDiscriminator: number;
  /** Microseconds, as the following. */
  readonly desiredMinTx: number;
  readonly requiredMinRx: number;
  readonly requiredMinEchoRx: number;
}

const VERSION = 1;
export const PACKET_BYTES = 24;
const POLL = 0x20;
const FINAL = 0x10;
const AUTHENTICATION = 0x04;
const DEMAND = 0x02;
const MULTIPOINT = 0x01;

export function encodePacket(packet: BfdPacket): Uint8Array {
  const bytes = new Uint8Array(PACKET_BYTES);
  const view = new DataView(bytes.buffer);
  const { state, poll, final, demand } = packet;
  view.setUint8(0, (VERSION << 5) | packet.diagnostic);
  view.setUint8(1, (state << 6) | (poll ? POLL : 0) | (final ? FINAL : 0) | (demand ? DEMAND : 0));
  view.setUint8(2, packet.detectionMultiplier);
  view.setUint8(3, PACKET_BYTES);
  view.setUint32(4, packet.myDiscriminator);
  view.setUint32(8, packet.yourDiscriminator);
  view.setUint32(12, packet.desiredMinTx);
  view.setUint32(16, packet.requiredMinRx);
  view.setUint32(20, packet.requiredMinEchoRx);
  return bytes;
}

/** Undefined: to be dropped without a word. */
export function decodePacket(bytes: Uint8Array): BfdPacket | undefined {
  if (bytes.length < PACKET_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint8(1);
  const length = view.getUint8(3);
  const state = (flags >> 6) as BfdState;
  const packet = {
    diagnostic: view.getUint8(0) & 0x1f,
    state,
    poll: (flags & POLL) !== 0,
    final: (flags & FINAL) !== 0,
    demand: (flags & DEMAND) !== 0,
    detectionMultiplier: view.getUint8(2),
    myDiscriminator: view.getUint32(4),
    yourDiscriminator: view.getUint32(8),
    desiredMinTx: view.getUint32(12),
    requiredMinRx: view.getUint32(16),
    requiredMinEchoRx: view.getUint32(20),
  };
  const isRight =
    view.getUint8(0) >> 5 === VERSION &&
    length >= PACKET_BYTES &&
    length <= bytes.length &&
    (flags & (AUTHENTICATION | MULTIPOINT)) === 0 &&
    packet.detectionMultiplier > 0 &&
    packet.myDiscriminator !== 0 &&
    // Who has not heard of us cannot be any further than down.
    (packet.yourDiscriminator !== 0 || state === BfdState.down || state === BfdState.adminDown);
  return isRight ? packet : undefined;
}
