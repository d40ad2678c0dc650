/** Packets in packet memory, as they lie there behind a read: headroom before each, the IP header at a multiple of 4. */
import { appendPacket, type Batch } from '../../engine/batch.ts';
import type { PacketMemory } from '../../engine/memory.ts';
import { pseudoSum, storeTransportChecksum } from '../../engine/offload/transport-checksum.ts';
import { parseAddress } from '../../wire/address.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { Protocol } from '../../wire/protocol.ts';
import * as tcp from '../../wire/tcp.ts';
import * as udp from '../../wire/udp.ts';

/** Room before each packet for what encapsulation or a virtio header takes. */
const HEADROOM = 64;
const TTL = 64;

/** Where packets come from and go to, inner addresses. */
export const POD = { 4: '10.244.1.2', 6: 'fd00:244:1::2' } as const;
export const FAR_POD = { 4: '10.244.2.2', 6: 'fd00:244:2::2' } as const;
const WORDS = {
  4: { source: parseAddress(POD[4]).words, destination: parseAddress(FAR_POD[4]).words },
  6: { source: parseAddress(POD[6]).words, destination: parseAddress(FAR_POD[6]).words },
} as const;

export interface PacketShape {
  readonly family: 4 | 6;
  readonly protocol: 'tcp' | 'udp';
  /** Bytes of transport payload. */
  readonly payload: number;
  /** Flows that the packets belong to, in turn. */
  readonly flows: number;
}

/** Bytes of IP and transport headers. */
export const headersOf = ({ family, protocol }: PacketShape): number =>
  (family === 4 ? ipv4.MIN_LENGTH : ipv6.LENGTH) + (protocol === 'tcp' ? tcp.MIN_LENGTH : udp.LENGTH);

/** Adds `count` packets of one shape to `batch`, each flow in sequence, all checksums right. */
export function addPackets(
  memory: PacketMemory,
  batch: Batch,
  source: number,
  shape: PacketShape,
  count: number,
): void {
  const length = headersOf(shape) + shape.payload;
  const stride = (HEADROOM + length + 3) & ~3;
  const arena = memory.reserve(count * stride);
  for (let n = 0; n < count; n++) {
    const at = arena + n * stride + HEADROOM;
    writePacket(memory, at, shape, n);
    appendPacket(batch, at, length, source);
  }
}

/** Writes the `n`-th packet of a shape to `at`. */
export function writePacket(memory: PacketMemory, at: number, shape: PacketShape, n: number): void {
  const { view, u8 } = memory;
  const { family, payload } = shape;
  const protocol = Protocol[shape.protocol];
  const headers = headersOf(shape);
  const { source, destination } = WORDS[family];
  if (family === 4) ipv4.write(view, at, headers + payload, 0, TTL, protocol, source[0], destination[0]);
  else ipv6.write(view, at, headers - ipv6.LENGTH + payload, 0, TTL, protocol, source, destination);
  const transport = at + (family === 4 ? ipv4.MIN_LENGTH : ipv6.LENGTH);
  const length = at + headers + payload - transport;
  const port = 40000 + (n % shape.flows);
  if (shape.protocol === 'udp') {
    udp.write(view, transport, port, 53, length);
  } else {
    const sequence = Math.floor(n / shape.flows) * payload;
    tcp.write(view, transport, port, 80, sequence, 1, tcp.MIN_LENGTH, tcp.Flag.ack, 65535);
  }
  for (let k = 0; k < payload; k++) u8[at + headers + k] = k + n;
  const field = shape.protocol === 'udp' ? udp.CHECKSUM : tcp.CHECKSUM;
  const sum = pseudoSum(memory, family, at, protocol, length) + memory.sum(transport, length);
  storeTransportChecksum(memory, transport + field, field, sum);
}
