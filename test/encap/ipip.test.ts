// IPIP and 6in4: packets that carry packets, as tshark reads them and as the decapsulator takes them.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as ipip from '../../encap/ipip.ts';
import { ipPacket, pattern, udpDatagram, viewOf } from '../support/packets.ts';
import { ChecksumStatus, dissect } from '../support/tshark.ts';

const inner4 = { source: '10.244.1.2', destination: '10.244.2.2' };
const inner6 = { source: 'fd00:244:1::2', destination: 'fd00:244:2::2' };
const outer = { source: '192.168.77.2', destination: '192.168.77.1' };

const sample = fc.record({
  family: fc.constantFrom(4, 6),
  tos: fc.nat(255),
  /** Of the outer header, in words: No Operation, 1. */
  outerOptions: fc.nat(10).map((words) => new Uint8Array(4 * words).fill(1)),
  sourcePort: fc.integer({ min: 60_000, max: 64_999 }),
  payload: fc.nat(200).map((length) => pattern(length)),
});

it('the inner packet is where tshark finds it', () => {
  const cases = fc.sample(sample, { numRuns: 400, seed: 2003 });
  const inners = cases.map(({ family, sourcePort, payload }) =>
    ipPacket(family === 4 ? inner4 : inner6, udpDatagram({ sourcePort, destinationPort: 61_000 }, payload)),
  );
  const packets = cases.map(({ family, tos, outerOptions }, n) =>
    ipPacket(
      { ...outer, tos, options: outerOptions },
      { protocol: family === 4 ? ipip.Protocol.ipv4 : ipip.Protocol.ipv6, bytes: inners[n] },
    ),
  );
  const fields = ['ip.src', 'ipv6.src', 'ip.proto', 'ip.checksum.status', 'udp.srcport'] as const;
  const read = dissect(packets, [...fields, 'udp.checksum.status', 'ip.dsfield', '_ws.malformed']);
  for (const [n, { family, tos, sourcePort }] of cases.entries()) {
    expect(read[n]).toMatchObject({
      'ip.src': family === 4 ? [outer.source, inner4.source] : [outer.source],
      'ipv6.src': family === 4 ? [] : [inner6.source],
      'ip.proto': family === 4 ? ['4', '17'] : ['41'],
      'ip.checksum.status': family === 4 ? [ChecksumStatus.good, ChecksumStatus.good] : [ChecksumStatus.good],
      'udp.srcport': [`${sourcePort}`],
      'udp.checksum.status': [ChecksumStatus.good],
      '_ws.malformed': [],
    });
    // Anywhere in packet memory, with other bytes around it.
    const at = 34 + n;
    const around = new Uint8Array(at + packets[n].length + 50).fill(0x45);
    around.set(packets[n], at);
    const start = ipip.innerOffset(viewOf(around), at, packets[n].length);
    expect(around.subarray(start, at + packets[n].length)).toEqual(inners[n]);
    expect(ipip.outerTos(viewOf(around), at)).toBe(tos);
    expect(Number(read[n]['ip.dsfield'][0])).toBe(tos);
  }
  const overheads = cases.map((_, n) => packets[n].length - inners[n].length);
  expect(Math.min(...overheads)).toBe(ipip.OVERHEAD);
});

it('a packet without a whole outer header, or with nothing behind it, has no inner one', () => {
  for (let words = 0; words < 16; words++) {
    const header = words * 4;
    const bytes = new Uint8Array(80);
    bytes[0] = 0x40 | words;
    for (let length = 0; length <= 80; length++) {
      // A view of just these bytes: reading behind their end throws.
      const view = new DataView(bytes.slice(0, length).buffer);
      const whole = header >= 20 && length > header;
      expect(ipip.innerOffset(view, 0, length), `${length} bytes, header ${header}`).toBe(
        whole ? header : -1,
      );
    }
  }
});
