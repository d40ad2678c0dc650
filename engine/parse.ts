// Stage 1, parse: checks that what came in is an IP packet and notes what the later stages ask for: family,
// upper-layer protocol and where it begins, TOS, flow hash. Trims link-layer padding. Never reads past the packet.

import { flowHash4, flowHash6 } from '../wire/flow-hash.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import { type Batch, Gso, Ingress, LARGEST_HEADERS, USUAL_PLACE } from './batch.ts';
import type { PacketMemory } from './memory.ts';
import { checksumField, completeChecksum } from './offload/transport-checksum.ts';
import { Verdict } from './verdict.ts';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const NOT_FIRST_FRAGMENT = -1;
const LARGEST_PAYLOAD = 65535;

export const parse = (batch: Batch, memory: PacketMemory): void => {
  for (let i = 0; i < batch.count; i++) {
    batch.repeats[i] = 0;
    if (batch.verdict[i] !== Verdict.pending) continue;
    const offset = batch.offset[i];
    const length = batch.length[i];
    const version = length > 0 ? memory.u8[offset] >> 4 : 0;
    let verdict: number;
    if (version === 4) verdict = parse4(batch, i, memory, offset, length);
    else if (version === 6) verdict = parse6(batch, i, memory, offset, length);
    else verdict = Verdict.malformed;
    if (verdict === Verdict.pending && (batch.partial[i] !== 0 || batch.gso[i] !== Gso.none)) {
      verdict = settleOffload(batch, i, memory);
    }
    batch.verdict[i] = verdict;
  }
};

const parse4 = (batch: Batch, i: number, memory: PacketMemory, at: number, length: number): number => {
  const { view } = memory;
  if (length < ipv4.MIN_LENGTH) return Verdict.truncated;
  const headerLength = ipv4.headerLength(view, at);
  const total = ipv4.totalLength(view, at);
  if (headerLength < ipv4.MIN_LENGTH || total < headerLength) return Verdict.malformed;
  if (total > length) return Verdict.truncated;
  // RFC 1812 section 5.2.2: a router verifies the header. What the local kernel hands over needs no second look.
  if (batch.ingress === Ingress.underlay && !ipv4.verifyHeaderChecksum(view, at))
    return Verdict.badHeaderChecksum;
  const fragment = ipv4.isFragment(view, at);
  // Ends behind the largest packet there can be: no receiver could put it together.
  if (fragment && ipv4.fragmentOffset(view, at) * 8 + total > LARGEST_PAYLOAD) return Verdict.malformed;
  const protocol = ipv4.protocol(view, at);
  batch.length[i] = total;
  batch.family[i] = 4;
  batch.headerLength[i] = headerLength;
  batch.fragment[i] = fragment ? 1 : 0;
  batch.tos[i] = ipv4.tos(view, at);
  batch.protocol[i] = fragment && ipv4.fragmentOffset(view, at) !== 0 ? NOT_FIRST_FRAGMENT : protocol;
  if (!fragment && headerLength === ipv4.MIN_LENGTH && repeats4(batch, i, view, at, total)) {
    batch.hash[i] = batch.hash[i - 1];
    batch.repeats[i] = 1;
    return checkTransport(view, protocol, at + headerLength, total - headerLength);
  }
  const ports = fragment ? 0 : portsWord(view, protocol, at + headerLength, total - headerLength);
  batch.hash[i] = flowHash4(ipv4.source(view, at), ipv4.destination(view, at), protocol, ports);
  return fragment ? Verdict.pending : checkTransport(view, protocol, at + headerLength, total - headerLength);
};

const parse6 = (batch: Batch, i: number, memory: PacketMemory, at: number, length: number): number => {
  const { view } = memory;
  if (length < ipv6.LENGTH) return Verdict.truncated;
  const total = ipv6.LENGTH + ipv6.payloadLength(view, at);
  if (total > length) return Verdict.truncated;
  batch.length[i] = total;
  batch.family[i] = 6;
  batch.tos[i] = ipv6.trafficClass(view, at);
  let protocol = ipv6.nextHeader(view, at);
  let headerLength = ipv6.LENGTH;
  let fragment = false;
  if (protocol !== TCP && protocol !== UDP) {
    const found = ipv6.findUpperLayer(view, at, total);
    if (found < 0) return Verdict.malformed;
    headerLength = ipv6.upperLayerOffset(found);
    protocol = ipv6.upperLayerProtocol(found);
    fragment = ipv6.upperLayerIsFragment(found);
    batch.protocol[i] = ipv6.upperLayerIsLaterFragment(found) ? NOT_FIRST_FRAGMENT : protocol;
  } else {
    batch.protocol[i] = protocol;
  }
  batch.headerLength[i] = headerLength;
  batch.fragment[i] = fragment ? 1 : 0;
  if (headerLength === ipv6.LENGTH && repeats6(batch, i, view, at, total)) {
    batch.hash[i] = batch.hash[i - 1];
    batch.repeats[i] = 1;
    return checkTransport(view, protocol, at + headerLength, total - headerLength);
  }
  const ports = fragment ? 0 : portsWord(view, protocol, at + headerLength, total - headerLength);
  batch.hash[i] = flowHash6(view, at, protocol, ports);
  return fragment ? Verdict.pending : checkTransport(view, protocol, at + headerLength, total - headerLength);
};

/** Whether packet `i`, TCP or UDP, belongs to the flow of the one before it, which was of the same header length. */
const repeats = (batch: Batch, i: number): boolean =>
  i > 0 &&
  batch.verdict[i - 1] === Verdict.pending &&
  batch.source[i] === batch.source[i - 1] &&
  batch.family[i] === batch.family[i - 1] &&
  batch.protocol[i] === batch.protocol[i - 1] &&
  batch.headerLength[i] === batch.headerLength[i - 1] &&
  batch.fragment[i - 1] === 0 &&
  (batch.protocol[i] === TCP || batch.protocol[i] === UDP);

const repeats4 = (batch: Batch, i: number, view: DataView, at: number, total: number): boolean =>
  repeats(batch, i) &&
  total >= ipv4.MIN_LENGTH + 4 &&
  ipv4.sameAddresses(view, batch.offset[i - 1], at) &&
  samePorts(view, batch.offset[i - 1] + ipv4.MIN_LENGTH, at + ipv4.MIN_LENGTH);

const repeats6 = (batch: Batch, i: number, view: DataView, at: number, total: number): boolean =>
  repeats(batch, i) &&
  total >= ipv6.LENGTH + 4 &&
  ipv6.sameAddresses(view, batch.offset[i - 1], at) &&
  samePorts(view, batch.offset[i - 1] + ipv6.LENGTH, at + ipv6.LENGTH);

const samePorts = (view: DataView, a: number, b: number): boolean =>
  view.getInt32(a, true) === view.getInt32(b, true);

/** Source and destination port in one word; fragments of a packet must hash alike, so they count as having none. */
const portsWord = (view: DataView, protocol: number, at: number, length: number): number =>
  (protocol === TCP || protocol === UDP || protocol === SCTP) && length >= 4 ? view.getInt32(at) : 0;

/** A later stage reads TCP and UDP headers: they must be there. */
const checkTransport = (view: DataView, protocol: number, at: number, length: number): number => {
  if (protocol === TCP) {
    if (length < tcp.MIN_LENGTH) return Verdict.truncated;
    const header = tcp.headerLength(view, at);
    return header < tcp.MIN_LENGTH || header > length ? Verdict.malformed : Verdict.pending;
  }
  return protocol === UDP && length < udp.LENGTH ? Verdict.truncated : Verdict.pending;
};

/**
 * Makes what the virtio header said fit for the later stages: segmentation only of TCP and UDP with the checksum in
 * its usual place; a checksum anywhere else is completed here and now.
 */
const settleOffload = (batch: Batch, i: number, memory: PacketMemory): number => {
  const protocol = batch.protocol[i];
  const start = batch.partial[i] & 0xffff;
  const field = batch.partial[i] >>> 16;
  const usualField = checksumField(protocol);
  const usual =
    usualField >= 0 &&
    (batch.partial[i] === USUAL_PLACE || (start === batch.headerLength[i] && field === usualField));
  const end = (usual ? batch.headerLength[i] + usualField : start + field) + 2;
  if (end > batch.length[i]) return Verdict.malformed;
  if (batch.gso[i] !== Gso.none) {
    const headers =
      batch.headerLength[i] +
      (protocol === TCP
        ? tcp.headerLength(memory.view, batch.offset[i] + batch.headerLength[i])
        : udp.LENGTH);
    const payload = batch.length[i] - headers;
    const fits = protocol === (batch.gso[i] === Gso.tcp ? TCP : UDP) && batch.fragment[i] === 0;
    if (!usual || !fits || headers > LARGEST_HEADERS || batch.segmentSize[i] === 0 || payload <= 0)
      return Verdict.malformed;
    batch.segments[i] = Math.ceil(payload / batch.segmentSize[i]);
    batch.partial[i] = 1;
    return Verdict.pending;
  }
  if (usual) {
    batch.partial[i] = 1;
    return Verdict.pending;
  }
  completeChecksum(memory, batch.offset[i] + start, batch.length[i] - start, field);
  batch.partial[i] = 0;
  return Verdict.pending;
};
