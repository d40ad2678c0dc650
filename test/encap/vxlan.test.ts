// VXLAN as others may send it: headers built here by hand from RFC 7348 section 5, read by tshark and by encap/vxlan.ts.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as vxlan from '../../encap/vxlan.ts';
import { formatMac, type Mac, macHigh, macLow } from '../../wire/mac.ts';
import { udp } from '../support/plain-packets.ts';
import { dissect } from '../support/tshark.ts';

const I_FLAG = 0x08;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** Not IP: a type for experiments (IEEE 802), one that is a length, VLAN, MPLS, and the neighbours of IP's. */
const OTHER_TYPES = [0x88b5, 60, 0x8100, 0x8847, 0x0801, 0x07ff, 0x86dc, 0x86de, 0x0008, 0xdd86];

const mac = fc.integer({ min: 0, max: 2 ** 48 - 1 }).map((value) => value as Mac);
const datagram = fc.record({
  flags: fc.oneof(fc.constant(I_FLAG), fc.nat(255)),
  reserved1: fc.oneof(fc.constant(0), fc.nat(0xffffff)),
  vni: fc.oneof(fc.constantFrom(0, 1, 4096, 0xffffff), fc.nat(0xffffff)),
  reserved2: fc.oneof(fc.constant(0), fc.nat(255)),
  destination: mac,
  source: mac,
  type: fc.constantFrom(IPV4, IPV6, ...OTHER_TYPES),
});
type Datagram = typeof datagram extends fc.Arbitrary<infer Fields> ? Fields : never;

const HEADERS = 22;
const hex = (value: number, bytes: number): string => value.toString(16).padStart(2 * bytes, '0');
const encode = (fields: Datagram): Uint8Array => {
  const { flags, reserved1, vni, reserved2, destination, source, type } = fields;
  const header = hex(flags, 1) + hex(reserved1, 3) + hex(vni, 3) + hex(reserved2, 1);
  return Uint8Array.from(Buffer.from(header + hex(destination, 6) + hex(source, 6) + hex(type, 2), 'hex'));
};
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer);

it('of any VNI, with any reserved bits, is read as tshark reads it', () => {
  const cases = fc.sample(datagram, { numRuns: 500, seed: 7348 });
  const outer = { source: '192.168.77.2', destination: '192.168.77.1' };
  // Nothing behind the Ethernet header: what tshark makes of other types is not asked here.
  const packets = cases.map((fields) => udp(outer, 50_000, 4789, encode(fields)));
  const fields = ['vxlan.flags', 'vxlan.vni', 'vxlan.reserved8', 'eth.dst', 'eth.src'] as const;
  const read = dissect(packets, fields);
  const seen = new Set<number>();
  for (const [n, { flags, reserved1, vni, reserved2, destination, source, type }] of cases.entries()) {
    expect(read[n]).toEqual({
      // tshark has the first 16 bits in one field.
      'vxlan.flags': [`0x${hex(flags * 256 + (reserved1 >> 16), 2)}`],
      'vxlan.vni': [`${vni}`],
      'vxlan.reserved8': [`${reserved2}`],
      'eth.dst': [formatMac(destination)],
      'eth.src': [formatMac(source)],
    });
    const view = viewOf(encode(cases[n]));
    expect(vxlan.vni(view, 0)).toBe(vni);
    expect(vxlan.isFor(view, 0, macHigh(destination), macLow(destination))).toBe(true);
    for (const bit of [0, 15, 16, 31, 32, 47]) {
      const other = Number(BigInt(destination) ^ (1n << BigInt(bit))) as Mac;
      expect(vxlan.isFor(view, 0, macHigh(other), macLow(other))).toBe(false);
    }
    // Reserved bits are ignored on receipt; the I flag is not (RFC 7348 section 5).
    const taken = (flags & I_FLAG) === 0 ? vxlan.Fault.flags : isIp(type);
    expect(vxlan.inspect(view, 0, HEADERS)).toBe(taken);
    seen.add(taken);
  }
  expect(seen).toEqual(new Set([vxlan.Fault.none, vxlan.Fault.flags, vxlan.Fault.etherType]));
});

const isIp = (type: number): number =>
  type === IPV4 || type === IPV6 ? vxlan.Fault.none : vxlan.Fault.etherType;

it('cut short anywhere is truncated, and is not read behind the cut', () => {
  const [fields] = fc.sample(datagram, { numRuns: 1, seed: 1 });
  const whole = encode({ ...fields, flags: I_FLAG, type: IPV4 });
  for (let length = 0; length < HEADERS; length++) {
    expect(vxlan.inspect(viewOf(whole.slice(0, length)), 0, length)).toBe(vxlan.Fault.truncated);
  }
  expect(vxlan.inspect(viewOf(whole), 0, HEADERS)).toBe(vxlan.Fault.none);
});

it('the template is that header with reserved bits zero, and writes nothing around itself', () => {
  fc.assert(
    fc.property(
      datagram,
      fc.constantFrom<4 | 6>(4, 6),
      fc.integer({ min: 1, max: 9 }),
      (fields, inner, at) => {
        const around = new Uint8Array(at + HEADERS + 9).fill(0xa5);
        vxlan.writeTemplate(viewOf(around), at, inner, fields);
        const plain = {
          ...fields,
          flags: I_FLAG,
          reserved1: 0,
          reserved2: 0,
          type: inner === 4 ? IPV4 : IPV6,
        };
        const right = new Uint8Array(around.length).fill(0xa5);
        right.set(encode(plain), at);
        expect(around).toEqual(right);
        expect(vxlan.HEADER_LENGTH).toBe(HEADERS);
      },
    ),
  );
});

it('has the overhead that its headers add up to', () => {
  expect(vxlan.overhead(4)).toBe(20 + 8 + HEADERS);
  expect(vxlan.overhead(6)).toBe(40 + 8 + HEADERS);
});
