import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  attribute,
  concat,
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  NlmFlag,
  readText,
  readU16,
  readU16be,
  readU32,
  readU64,
  text,
  u8,
  u16,
  u16be,
  u32,
} from '../../sys/netlink/message.ts';
import { messageName } from '../../sys/netlink/types.ts';
import { addresses, links, neighbours, nexthops, type Request, routes, rules } from '../../sys/rtnetlink.ts';
import { bytes } from './support.ts';

const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');
const encoded = (request: Request) => hex(encodeMessage(request.type, request.flags | 5, 0, request.payload));
/** As strace prints it; the sequence number, which iproute2 takes from the clock, is set to 0. */
const dump = (lines: string) => {
  const data = lines.replace(/\s/g, '');
  return `${data.slice(0, 16)}00000000${data.slice(24)}`;
};

describe('requests are the bytes that iproute2 6.1 sends (strace -e write)', () => {
  const v0 = 3;

  test('ip addr add 10.1.2.3/24 dev v0', () => {
    const request = addresses.add({ index: v0, address: bytes('10.1.2.3'), prefixLength: 24 });
    expect(encoded(request)).toBe(
      dump(`28 00 00 00 14 00 05 06  c2 f7 04 6b 00 00 00 00  02 18 00 00 03 00 00 00  08 00 02 00 0a 01 02 03
            08 00 01 00 0a 01 02 03`),
    );
  });

  test('ip route replace 10.9.0.0/16 via 192.0.2.2 dev v0 mtu 1400 proto 186 src 192.0.2.1 table 300', () => {
    const request = routes.replace({
      destination: { address: bytes('10.9.0.0'), length: 16 },
      gateway: bytes('192.0.2.2'),
      index: v0,
      mtu: 1400,
      protocol: 186,
      preferredSource: bytes('192.0.2.1'),
      table: 300,
    });
    expect(encoded(request)).toBe(
      dump(`50 00 00 00 18 00 05 05  c2 f7 04 6b 00 00 00 00  02 10 00 00 00 ba 00 01  00 00 00 00 08 00 01 00
            0a 09 00 00 08 00 05 00  c0 00 02 02 08 00 07 00  c0 00 02 01 08 00 0f 00  2c 01 00 00 08 00 04 00
            03 00 00 00 0c 00 08 00  08 00 02 00 78 05 00 00`),
    );
  });

  test('ip route add 10.8.0.0/16 nexthop via 192.0.2.2 weight 2 nexthop via 192.0.2.3 dev v0 onlink', () => {
    const request = routes.add({
      destination: { address: bytes('10.8.0.0'), length: 16 },
      protocol: 3,
      hops: [
        { gateway: bytes('192.0.2.2'), weight: 2 },
        { gateway: bytes('192.0.2.3'), index: v0, onlink: true },
      ],
    });
    expect(encoded(request)).toBe(
      dump(`48 00 00 00 18 00 05 06  c2 f7 04 6b 00 00 00 00  02 10 00 00 fe 03 00 01  00 00 00 00 08 00 01 00
            0a 08 00 00 24 00 09 00  10 00 00 01 00 00 00 00  08 00 05 00 c0 00 02 02  10 00 04 00 03 00 00 00
            08 00 05 00 c0 00 02 03`),
    );
  });

  test('ip link add vx type vxlan id 4096 local 192.0.2.1 dstport 4789 nolearning', () => {
    const request = links.createVxlan({
      name: 'vx',
      id: 4096,
      local: bytes('192.0.2.1'),
      port: 4789,
      learning: false,
    });
    expect(encoded(request)).toBe(
      dump(`5c 00 00 00 10 00 05 06  c2 f7 04 6b 00 00 00 00  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00
            07 00 03 00 76 78 00 00  34 00 12 00 09 00 01 00  76 78 6c 61 6e 00 00 00  24 00 02 00 08 00 01 00
            00 10 00 00 08 00 04 00  c0 00 02 01 05 00 07 00  00 00 00 00 06 00 0f 00  12 b5 00 00`),
    );
  });

  test('ip link add p0 mtu 1400 type veth peer name p1 mtu 1400', () => {
    const request = links.createVeth({ name: 'p0', mtu: 1400 }, { name: 'p1', mtu: 1400 });
    expect(encoded(request)).toBe(
      dump(`64 00 00 00 10 00 05 06  c2 f7 04 6b 00 00 00 00  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00
            08 00 04 00 78 05 00 00  07 00 03 00 70 30 00 00  34 00 12 00 08 00 01 00  76 65 74 68 28 00 02 00
            24 00 01 00 00 00 00 00  00 00 00 00 00 00 00 00  00 00 00 00 08 00 04 00  78 05 00 00 07 00 03 00
            70 31 00 00`),
    );
  });

  test('ip link set v0 addrgenmode none', () => {
    expect(encoded(links.change(v0, { addressGeneration: 'none' }))).toBe(
      dump(`30 00 00 00 10 00 05 00  c2 f7 04 6b 00 00 00 00  00 00 00 00 03 00 00 00  00 00 00 00 00 00 00 00
            10 00 1a 00 0c 00 0a 00  05 00 08 00 01 00 00 00`),
    );
  });

  test('ip rule add from 10.0.0.0/8 lookup 300 priority 100', () => {
    const source = { address: bytes('10.0.0.0'), length: 8 };
    expect(encoded(rules.add({ family: 4, source, table: 300, priority: 100 }))).toBe(
      dump(`34 00 00 00 20 00 05 06  c2 f7 04 6b 00 00 00 00  02 00 08 00 00 00 00 01  00 00 00 00 08 00 02 00
            0a 00 00 00 08 00 0f 00  2c 01 00 00 08 00 06 00  64 00 00 00`),
    );
  });

  test('ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:09 dev v0', () => {
    const linkAddress = Uint8Array.of(2, 0, 0, 0, 0, 9);
    expect(encoded(neighbours.replace({ index: v0, address: bytes('192.0.2.9'), linkAddress }))).toBe(
      dump(`30 00 00 00 1c 00 05 05  c3 f7 04 6b 00 00 00 00  02 00 00 00 03 00 00 00  80 00 00 00 08 00 01 00
            c0 00 02 09 0a 00 02 00  02 00 00 00 00 09 00 00`),
    );
  });

  test('ip nexthop replace id 7 via 192.0.2.2 dev v0', () => {
    const request = nexthops.replace({ id: 7, gateway: bytes('192.0.2.2'), index: v0, protocol: 0 });
    expect(encoded(request)).toBe(
      dump(`30 00 00 00 68 00 05 05  c2 f7 04 6b 00 00 00 00  02 00 00 00 00 00 00 00  08 00 01 00 07 00 00 00
            08 00 06 00 c0 00 02 02  08 00 05 00 03 00 00 00`),
    );
  });
});

describe('decoding', () => {
  test('gives back what was encoded', () => {
    const value = fc.uint8Array({ maxLength: 40 });
    const types = fc.uniqueArray(fc.integer({ min: 1, max: 0x3fff }), { maxLength: 8 });
    fc.assert(
      fc.property(
        types,
        fc.array(value, { minLength: 8, maxLength: 8 }),
        fc.nat(0xffff),
        (ids, values, type) => {
          const payload = concat(...ids.map((id, i) => attribute(id, values[i])));
          const datagram = concat(
            encodeMessage(type, NlmFlag.multi, 7, payload),
            encodeMessage(3, 0, 8, new Uint8Array(0)),
          );
          const [first, second] = decodeMessages(datagram);
          expect(first).toMatchObject({ type, flags: NlmFlag.multi, sequence: 7 });
          expect(second).toMatchObject({ type: 3, sequence: 8 });
          const attributes = decodeAttributes(first.payload);
          expect([...attributes.keys()]).toEqual(ids);
          ids.forEach((id, i) => {
            expect(hex(attributes.get(id) ?? new Uint8Array(0))).toBe(hex(values[i]));
          });
        },
      ),
      { numRuns: 200 },
    );
  });

  test('never reads past the end, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        for (const message of decodeMessages(data)) {
          for (const value of decodeAttributes(message.payload).values()) {
            expect(value.byteOffset + value.length).toBeLessThanOrEqual(data.byteOffset + data.length);
          }
        }
      }),
    );
  });

  test('masks the flags off attribute types', () => {
    const flagged = attribute(0x8000 | 0x4000 | 18, u32(1));
    expect([...decodeAttributes(flagged).keys()]).toEqual([18]);
  });
});

test('integers and text go both ways', () => {
  expect(readU16(u16(0xbeef))).toBe(0xbeef);
  expect(readU16be(u16be(4789))).toBe(4789);
  expect(readU32(u32(0xdeadbeef))).toBe(0xdeadbeef);
  expect(readU64(concat(u32(0xffffffff), u32(0x1fffff)))).toBe(Number.MAX_SAFE_INTEGER);
  expect(readText(text('weft0'))).toBe('weft0');
  expect(hex(u8(258))).toBe('02');
});

test('messages have the names of the kernel', () => {
  expect([16, 17, 18, 21, 24, 30, 34, 104].map(messageName)).toEqual([
    'RTM_NEWLINK',
    'RTM_DELLINK',
    'RTM_GETLINK',
    'RTM_DELADDR',
    'RTM_NEWROUTE',
    'RTM_GETNEIGH',
    'RTM_GETRULE',
    'RTM_NEWNEXTHOP',
  ]);
});
