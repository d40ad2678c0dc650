// IPv4 headers that wire/ writes, as ip-packet reads them. Where the two disagree is ip-packet's own doing: it knows no
// options, and it believes the length field.

import fc from 'fast-check';
import codec from 'ip-packet';
import { expect, it } from 'vitest';
import { formatAddress, ipv4 as ipv4Address } from '../../wire/address.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { viewOf } from '../support/packets.ts';

const word = fc.integer({ min: 0, max: 0xffffffff });
const header = fc.record({
  payload: fc.uint8Array({ maxLength: 60 }),
  tos: fc.nat(255),
  ttl: fc.nat(255),
  protocol: fc.nat(255),
  source: word,
  destination: word,
  identification: fc.nat(65_535),
  fragmentField: fc.nat(65_535),
});
type Header = typeof header extends fc.Arbitrary<infer Fields> ? Fields : never;

const write = (fields: Header): Buffer => {
  const { payload, tos, ttl, protocol, source, destination } = fields;
  const packet = Buffer.alloc(ipv4.MIN_LENGTH + payload.length);
  packet.set(payload, ipv4.MIN_LENGTH);
  ipv4.write(viewOf(packet), 0, packet.length, tos, ttl, protocol, source, destination);
  return packet;
};
const decode = (packet: Buffer) => codec.decode({ start: 0, end: packet.length, buffer: packet });

it('reads what write says, not to be fragmented, with the checksum that it computes itself', () => {
  fc.assert(
    fc.property(header, (fields) => {
      const packet = write(fields);
      const read = decode(packet);
      expect(read).toEqual({
        version: 4,
        ihl: 5,
        dscp: fields.tos >> 2,
        ecn: fields.tos & 3,
        length: packet.length,
        identification: 0,
        flags: 2,
        fragmentOffset: 0,
        ttl: fields.ttl,
        protocol: fields.protocol,
        sourceIp: formatAddress(ipv4Address(fields.source)),
        destinationIp: formatAddress(ipv4Address(fields.destination)),
        // It stores what it computes: of a copy.
        checksum: codec.checksum(Buffer.from(packet)),
        data: Buffer.from(fields.payload),
      });
    }),
    { numRuns: 500 },
  );
});

it('reads what the setters change', () => {
  fc.assert(
    fc.property(header, fc.nat(255), (fields, tos) => {
      const packet = write({ ...fields, ttl: Math.max(1, fields.ttl) });
      const view = viewOf(packet);
      ipv4.setIdentification(view, 0, fields.identification);
      ipv4.setFragmentField(view, 0, fields.fragmentField);
      ipv4.updateHeaderChecksum(view, 0);
      ipv4.changeTos(view, 0, tos);
      ipv4.decrementTtl(view, 0);
      const read = decode(packet);
      expect(read.identification).toBe(fields.identification);
      expect(read.flags).toBe(fields.fragmentField >> 13);
      expect(read.fragmentOffset).toBe(fields.fragmentField & 0x1fff);
      expect(read.dscp * 4 + read.ecn).toBe(tos);
      expect(read.ttl).toBe(Math.max(1, fields.ttl) - 1);
      expect(read.checksum).toBe(codec.checksum(Buffer.from(packet)));
    }),
    { numRuns: 500 },
  );
});

it('disagrees about options and about a length that is not true', () => {
  const packet = write({ ...fc.sample(header, { numRuns: 1, seed: 791 })[0], payload: new Uint8Array(40) });
  const view = viewOf(packet);
  ipv4.setTotalLength(view, 0, 65_535);
  expect(decode(packet).length).toBe(65_535);
  expect(decode(packet).data).toHaveLength(40);
  expect(ipv4.totalLength(view, 0)).toBeGreaterThan(packet.length); // for whoever parses to see
  view.setUint8(0, 0x46);
  expect(() => decode(packet)).toThrow('Currently only IHL <= 5 is supported');
  expect(ipv4.headerLength(view, 0)).toBe(24);
});
