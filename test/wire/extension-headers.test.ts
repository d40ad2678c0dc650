// IPv6 extension headers: the walk to the upper layer against tshark's, and against the plan by which each chain was built.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as ipv6 from '../../wire/ipv6.ts';
import { Protocol } from '../../wire/protocol.ts';
import * as udp from '../../wire/udp.ts';
import { ipPacket, pattern, udpDatagram, viewOf } from '../support/packets.ts';
import { ChecksumStatus, dissect } from '../support/tshark.ts';

const Header = { hopByHop: 0, routing: 43, fragment: 44, authentication: 51, destination: 60 } as const;
/** Laid out as the options are, and rare. */
const MOBILITY = 135;
const HIP = 139;
const SHIM6 = 140;
const MOST_HEADERS = 16;

interface Extension {
  readonly protocol: number;
  readonly bytes: Uint8Array;
}

/** `units` of 8 bytes beyond the first, filled by one PadN option (RFC 8200 section 4.2). */
const options = (protocol: number, units: number): Extension => {
  const bytes = new Uint8Array(8 + 8 * units);
  bytes.set([0, units, 1, bytes.length - 4]);
  return { protocol, bytes };
};
/** Of an experimental type (RFC 4727), with nowhere left to go. */
const routing = (units: number): Extension => {
  const bytes = new Uint8Array(8 + 8 * units);
  bytes.set([0, units, 253, 0]);
  return { protocol: Header.routing, bytes };
};
const authentication = (words: number): Extension => {
  const bytes = pattern(8 + 4 * words, 51);
  bytes.set([0, words, 0, 0]);
  return { protocol: Header.authentication, bytes };
};
/** @param offset in units of 8 bytes */
const fragment = (offset: number, more: boolean, id: number): Extension => {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setUint16(2, (offset << 3) | Number(more));
  viewOf(bytes).setUint32(4, id);
  return { protocol: Header.fragment, bytes };
};

const few = fc.integer({ min: 0, max: 4 });
const maybe = (header: fc.Arbitrary<Extension>): fc.Arbitrary<Extension[]> =>
  fc.array(header, { maxLength: 1 });

/** In the order that RFC 8200 section 4.1 recommends, since tshark complains about others. */
const orderly = fc
  .tuple(
    maybe(few.map((units) => options(Header.hopByHop, units))),
    maybe(few.map((units) => options(Header.destination, units))),
    maybe(few.map(routing)),
    maybe(fc.integer({ min: 0, max: 0xffffffff }).map((id) => fragment(0, false, id))),
    maybe(fc.integer({ min: 2, max: 6 }).map((half) => authentication(2 * half))),
    maybe(few.map((units) => options(Header.destination, units))),
  )
  .map((headers) => headers.flat());

const bytesOf = (chain: readonly Extension[]): number =>
  chain.reduce((sum, { bytes }) => sum + bytes.length, 0);
const ends = { source: '2001:db8::1', destination: '2001:db8::2' };
const port = fc.integer({ min: 60_000, max: 64_999 });
const packetOf = (extensions: readonly Extension[], sourcePort: number): Uint8Array =>
  ipPacket({ ...ends, extensions }, udpDatagram({ sourcePort, destinationPort: 61_000 }, pattern(30)));

it('leads to the header that tshark finds', () => {
  const cases = fc.sample(fc.record({ chain: orderly, sourcePort: port }), { numRuns: 500, seed: 8200 });
  const packets = cases.map(({ chain, sourcePort }) => packetOf(chain, sourcePort));
  const fields = ['ipv6.nxt', 'udp.srcport', 'udp.checksum.status', 'ipv6.fraghdr.ident', '_ws.malformed'];
  const read = dissect(packets, fields);
  for (const [n, { chain, sourcePort }] of cases.entries()) {
    const fragmentHeader = chain.find(({ protocol }) => protocol === Header.fragment);
    const id = fragmentHeader && viewOf(fragmentHeader.bytes).getUint32(4);
    expect(read[n]).toEqual({
      'ipv6.nxt': [`${chain[0]?.protocol ?? Protocol.udp}`],
      'udp.srcport': [`${sourcePort}`],
      'udp.checksum.status': [ChecksumStatus.good],
      'ipv6.fraghdr.ident': id === undefined ? [] : [`0x${id.toString(16).padStart(8, '0')}`],
      '_ws.malformed': [],
    });
    const view = viewOf(packets[n]);
    const found = ipv6.findUpperLayer(view, 0, packets[n].length);
    expect(ipv6.upperLayerProtocol(found)).toBe(Protocol.udp);
    expect(ipv6.upperLayerOffset(found)).toBe(ipv6.LENGTH + bytesOf(chain));
    expect(udp.sourcePort(view, ipv6.upperLayerOffset(found))).toBe(sourcePort);
    // The fragment header in these is of a whole packet (RFC 6946).
    expect(ipv6.upperLayerIsFragment(found)).toBe(false);
  }
  const lengths = new Set(cases.map(({ chain }) => chain.length));
  expect(lengths.size).toBe(7);
});

it('tells fragments as tshark does', () => {
  const sample = fc.record({
    offset: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 8191 })),
    more: fc.boolean(),
    before: maybe(few.map((units) => options(Header.destination, units))),
    sourcePort: port,
  });
  const cases = fc.sample(sample, { numRuns: 300, seed: 4459 });
  const packets = cases.map(({ before, offset, more, sourcePort }) =>
    packetOf([...before, fragment(offset, more, 7)], sourcePort),
  );
  const read = dissect(packets, ['ipv6.fraghdr.offset', 'ipv6.fraghdr.more', 'udp.srcport']);
  for (const [n, { offset, more, before, sourcePort }] of cases.entries()) {
    const found = ipv6.findUpperLayer(viewOf(packets[n]), 0, packets[n].length);
    expect(Number(read[n]['ipv6.fraghdr.offset'][0])).toBe(offset);
    expect(read[n]['ipv6.fraghdr.more']).toEqual([more ? '1' : '0']);
    expect(ipv6.upperLayerIsFragment(found)).toBe(offset !== 0 || more);
    expect(ipv6.upperLayerIsLaterFragment(found)).toBe(offset !== 0);
    expect(ipv6.upperLayerOffset(found)).toBe(ipv6.LENGTH + bytesOf(before) + 8);
    // Only a packet's beginning has ports, for tshark as for us.
    expect(read[n]['udp.srcport']).toEqual(offset === 0 ? [`${sourcePort}`] : []);
  }
});

describe('any chain whatever', () => {
  const header = fc.oneof(
    fc
      .tuple(fc.constantFrom(Header.hopByHop, Header.destination, MOBILITY, HIP, SHIM6), few)
      .map(([protocol, units]) => options(protocol, units)),
    few.map(routing),
    fc.integer({ min: 0, max: 8 }).map(authentication),
    fc.boolean().map((more) => fragment(0, more, 1)),
  );
  const chain = fc.array(header, { maxLength: MOST_HEADERS });
  const upper = fc.constantFrom(...Object.values(Protocol), 50, 255);
  const build = (extensions: readonly Extension[], protocol: number): Uint8Array =>
    ipPacket({ ...ends, extensions }, { protocol, bytes: new Uint8Array(0) });

  it('is walked to its end, which may be the end of the packet', () => {
    fc.assert(
      fc.property(chain, upper, (extensions, protocol) => {
        const packet = build(extensions, protocol);
        const found = ipv6.findUpperLayer(viewOf(packet), 0, packet.length);
        expect(ipv6.upperLayerProtocol(found)).toBe(protocol);
        expect(ipv6.upperLayerOffset(found)).toBe(packet.length);
        const more = extensions.some((one) => one.protocol === Header.fragment && one.bytes[3] === 1);
        expect(ipv6.upperLayerIsFragment(found)).toBe(more);
        expect(ipv6.upperLayerIsLaterFragment(found)).toBe(false);
      }),
    );
  });

  it('is malformed wherever it is cut short, and is not read behind the cut', () => {
    fc.assert(
      fc.property(chain, fc.nat(), (extensions, where) => {
        const packet = build(extensions, Protocol.tcp);
        const length = where % packet.length;
        // A view of just these bytes: reading at or behind their end throws.
        const view = new DataView(packet.slice(0, length).buffer);
        expect(ipv6.findUpperLayer(view, 0, length)).toBe(-1);
      }),
      { numRuns: 500 },
    );
  });

  it('of more headers than there can be is malformed', () => {
    const many = (count: number): Extension[] =>
      Array.from({ length: count }, () => options(Header.destination, 0));
    const walk = (count: number): number => {
      const packet = build(many(count), Protocol.udp);
      return ipv6.findUpperLayer(viewOf(packet), 0, packet.length);
    };
    expect(ipv6.upperLayerProtocol(walk(MOST_HEADERS))).toBe(Protocol.udp);
    expect(walk(MOST_HEADERS + 1)).toBe(-1);
    expect(walk(8000)).toBe(-1);
  });
});
