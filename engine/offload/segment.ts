// Segmentation of a TCP or UDP super-packet: the headers of its n-th segment, complete with checksums. Payload is
// never copied here; whoever sends the segment points at it.

import { foldChecksum } from '../../wire/checksum.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import * as tcp from '../../wire/tcp.ts';
import * as udp from '../../wire/udp.ts';
import { type Batch, Gso } from '../batch.ts';
import type { PacketMemory } from '../memory.ts';
import { checksumField, pseudoSum, storeTransportChecksum } from './transport-checksum.ts';

/** Bytes of IP and transport headers of packet `i`, which each of its segments repeats. */
export const headersLength = (batch: Batch, i: number, { view }: PacketMemory): number => {
  const transport = batch.headerLength[i];
  return (
    transport + (batch.gso[i] === Gso.tcp ? tcp.headerLength(view, batch.offset[i] + transport) : udp.LENGTH)
  );
};

/** Bytes of payload of segment `n`; `headers` as headersLength gives it. */
export const segmentPayload = (batch: Batch, i: number, n: number, headers: number): number =>
  Math.min(batch.segmentSize[i], batch.length[i] - headers - n * batch.segmentSize[i]);

/**
 * Writes the `headers` bytes of headers of segment `n` to `to`: lengths, identification counted up, sequence number,
 * flags as RFC 9293 and RFC 3168 section 6.1.2 want them (FIN and PSH only on the last, CWR only on the first).
 */
export const writeSegmentHeaders = (
  memory: PacketMemory,
  batch: Batch,
  i: number,
  n: number,
  headers: number,
  to: number,
): void => {
  const { view } = memory;
  const from = batch.offset[i];
  const ipHeader = batch.headerLength[i];
  const family = batch.family[i];
  const payload = segmentPayload(batch, i, n, headers);
  const transport = headers - ipHeader + payload;
  copyHeaders(memory, from, to, headers);
  if (family === 4) {
    ipv4.setTotalLength(view, to, ipHeader + transport);
    ipv4.setIdentification(view, to, (ipv4.identification(view, from) + n) & 0xffff);
    ipv4.updateHeaderChecksum(view, to);
  } else {
    ipv6.setPayloadLength(view, to, ipHeader - ipv6.LENGTH + transport);
  }
  const at = to + ipHeader;
  const done = n * batch.segmentSize[i];
  if (batch.gso[i] === Gso.tcp) {
    const last = headers + done + payload === batch.length[i];
    const off = (last ? 0 : tcp.Flag.fin | tcp.Flag.psh) | (n === 0 ? 0 : tcp.Flag.cwr);
    tcp.setSequence(view, at, (tcp.sequence(view, at) + done) >>> 0);
    tcp.setFlags(view, at, tcp.flags(view, at) & ~off);
  } else {
    udp.setLength(view, at, transport);
  }
  finishChecksum(
    memory,
    family,
    to,
    batch.protocol[i],
    at,
    headers - ipHeader,
    from + headers + done,
    payload,
  );
};

const finishChecksum = (
  memory: PacketMemory,
  family: number,
  ip: number,
  protocol: number,
  transport: number,
  transportHeader: number,
  payload: number,
  length: number,
): void => {
  const { view, sum } = memory;
  const field = checksumField(protocol);
  view.setUint16(transport + field, 0, true);
  const pseudo = pseudoSum(memory, family, ip, protocol, transportHeader + length);
  const words = pseudo + foldChecksum(sum(transport, transportHeader)) + foldChecksum(sum(payload, length));
  storeTransportChecksum(memory, transport + field, field, words);
};

/** By 32-bit stores where both sides are aligned: 5 ns for 50 bytes, against 16-25 of copyWithin. */
const copyHeaders = ({ i32, u8 }: PacketMemory, from: number, to: number, length: number): void => {
  if (((from | to | length) & 3) !== 0) {
    u8.copyWithin(to, from, from + length);
    return;
  }
  for (let a = from >> 2, b = to >> 2, n = length >> 2; n > 0; n--) i32[b++] = i32[a++];
};
