// Every header both ways against readers and writers that are not ours: what wire/ writes tshark and ip-packet read, and
// what ip-packet and plain bytes say wire/ reads.

import codec from 'ip-packet';
import { describe, expect, it } from 'vitest';
import * as vxlanTunnel from '../../encap/vxlan.ts';
import { formatAddress, parseAddress } from '../../wire/address.ts';
import * as icmp from '../../wire/icmp.ts';
import * as icmp6 from '../../wire/icmp6.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { formatMac, vtepMac } from '../../wire/mac.ts';
import * as tcp from '../../wire/tcp.ts';
import * as udp from '../../wire/udp.ts';
import {
  type IpFields,
  icmpMessage,
  ipPacket,
  pattern,
  tcpSegment,
  type Upper,
  udpDatagram,
  viewOf,
} from '../support/packets.ts';
import * as plain from '../support/plain-packets.ts';
import { random } from '../support/random.ts';
import { ChecksumStatus, dissect } from '../support/tshark.ts';

const COUNT = 300;

const next = random(0xbeef);
const word = (): number => next(2 ** 32 - 1);
/** Sent by hosts: no multicast, no loopback, which tshark remarks upon. */
const address4 = (): string => [10 + next(100), next(256), next(256), 1 + next(254)].join('.');
const address6 = (): string =>
  formatAddress({ family: 6, words: [0x20010db8, word(), word(), word()].map((w) => w >>> 0) });

interface Case {
  readonly ip: Required<Pick<IpFields, 'source' | 'destination' | 'ttl' | 'tos'>> & IpFields;
  readonly upper: Upper;
  readonly packet: Uint8Array;
}

const fieldsOf = (family: 4 | 6): Case['ip'] => {
  const address = family === 4 ? address4 : address6;
  const both = { source: address(), destination: address(), ttl: 1 + next(255), tos: next(256) };
  if (family === 6) return { ...both, flowLabel: next(1 << 20) };
  const options = Uint8Array.from({ length: 4 * next(4) }, () => 1); // No Operation
  return { ...both, identification: next(65536), fragmentField: next(2) === 0 ? 0x4000 : 0, options };
};

const make = (family: 4 | 6, upper: () => Upper): Case => {
  const ip = fieldsOf(family);
  const carried = upper();
  return { ip, upper: carried, packet: ipPacket(ip, carried) };
};

const tcpFields = () => ({
  sourcePort: next(65536),
  destinationPort: next(65536),
  sequence: word(),
  acknowledgment: word(),
  flags: next(256),
  window: next(65536),
});

describe.each([4, 6] as const)('IPv%d, read by tshark as it was written', (family) => {
  it('with TCP', () => {
    const fields = Array.from({ length: COUNT }, tcpFields);
    const cases = fields.map((tcpField) =>
      make(family, () =>
        tcpSegment({ ...tcpField, options: new Uint8Array(4 * next(11)).fill(1) }, pattern(next(1400))),
      ),
    );
    const read = dissect(
      cases.map(({ packet }) => packet),
      [
        'tcp.srcport',
        'tcp.dstport',
        'tcp.seq_raw',
        'tcp.ack_raw',
        'tcp.flags',
        'tcp.window_size_value',
        'tcp.hdr_len',
        'tcp.checksum.status',
        'tcp.len',
      ],
    );
    for (const [n, { upper }] of cases.entries()) {
      const { sourcePort, destinationPort, sequence, acknowledgment, flags, window } = fields[n];
      const header = tcp.headerLength(viewOf(upper.bytes), 0);
      expect(read[n]).toEqual({
        'tcp.srcport': [`${sourcePort}`],
        'tcp.dstport': [`${destinationPort}`],
        'tcp.seq_raw': [`${sequence}`],
        'tcp.ack_raw': [`${acknowledgment}`],
        'tcp.flags': [`0x${flags.toString(16).padStart(4, '0')}`],
        'tcp.window_size_value': [`${window}`],
        'tcp.hdr_len': [`${header}`],
        'tcp.checksum.status': [ChecksumStatus.good],
        'tcp.len': [`${upper.bytes.length - header}`],
      });
    }
  });

  it('with UDP', () => {
    // Ports that tshark takes no application to be behind.
    const fields = Array.from({ length: COUNT }, () => ({
      sourcePort: 60000 + next(5000),
      destinationPort: 60000 + next(5000),
    }));
    const cases = fields.map((ports) => make(family, () => udpDatagram(ports, pattern(next(1400)))));
    const read = dissect(
      cases.map(({ packet }) => packet),
      ['udp.srcport', 'udp.dstport', 'udp.length', 'udp.checksum.status'],
    );
    for (const [n, { upper }] of cases.entries()) {
      expect(read[n]).toEqual({
        'udp.srcport': [`${fields[n].sourcePort}`],
        'udp.dstport': [`${fields[n].destinationPort}`],
        'udp.length': [`${upper.bytes.length}`],
        'udp.checksum.status': [ChecksumStatus.good],
      });
    }
  });

  it('and its own header', () => {
    const cases = Array.from({ length: COUNT }, () =>
      make(family, () => udpDatagram({ sourcePort: 61000, destinationPort: 62000 }, pattern(next(100)))),
    );
    const packets = cases.map(({ packet }) => packet);
    if (family === 4) {
      const read = dissect(packets, [
        'ip.src',
        'ip.dst',
        'ip.ttl',
        'ip.dsfield',
        'ip.id',
        'ip.flags.df',
        'ip.hdr_len',
        'ip.len',
        'ip.checksum.status',
        'ip.proto',
      ]);
      for (const [n, { ip, packet }] of cases.entries()) {
        expect(read[n]).toEqual({
          'ip.src': [ip.source],
          'ip.dst': [ip.destination],
          'ip.ttl': [`${ip.ttl}`],
          'ip.dsfield': [`0x${ip.tos.toString(16).padStart(2, '0')}`],
          'ip.id': [`0x${(ip.identification as number).toString(16).padStart(4, '0')}`],
          'ip.flags.df': [ip.fragmentField === 0 ? '0' : '1'],
          'ip.hdr_len': [`${20 + (ip.options as Uint8Array).length}`],
          'ip.len': [`${packet.length}`],
          'ip.checksum.status': [ChecksumStatus.good],
          'ip.proto': ['17'],
        });
      }
    } else {
      const read = dissect(packets, [
        'ipv6.src',
        'ipv6.dst',
        'ipv6.hlim',
        'ipv6.tclass',
        'ipv6.flow',
        'ipv6.plen',
        'ipv6.nxt',
      ]);
      for (const [n, { ip, packet }] of cases.entries()) {
        expect(read[n]).toEqual({
          'ipv6.src': [ip.source],
          'ipv6.dst': [ip.destination],
          'ipv6.hlim': [`${ip.ttl}`],
          'ipv6.tclass': [`0x${ip.tos.toString(16).padStart(8, '0')}`],
          'ipv6.flow': [`0x${(ip.flowLabel as number).toString(16).padStart(6, '0')}`],
          'ipv6.plen': [`${packet.length - 40}`],
          'ipv6.nxt': ['17'],
        });
      }
    }
  });

  it('with ICMP', () => {
    const protocol = family === 4 ? 1 : 58;
    const echo = family === 4 ? 8 : 128;
    const rests = Array.from({ length: COUNT }, word);
    const cases = rests.map((rest) =>
      make(family, () => icmpMessage(protocol, echo, 0, rest, pattern(next(200)))),
    );
    const name = family === 4 ? 'icmp' : 'icmpv6';
    const ident = family === 4 ? 'icmp.ident' : 'icmpv6.echo.identifier';
    const sequence = family === 4 ? 'icmp.seq' : 'icmpv6.echo.sequence_number';
    const read = dissect(
      cases.map(({ packet }) => packet),
      [`${name}.type`, `${name}.code`, `${name}.checksum.status`, ident, sequence],
    );
    for (const [n, rest] of rests.entries()) {
      expect(read[n][`${name}.type`]).toEqual([`${echo}`]);
      expect(read[n][`${name}.code`]).toEqual(['0']);
      expect(read[n][`${name}.checksum.status`]).toEqual([ChecksumStatus.good]);
      // ICMP's identifier is shown in both byte orders.
      expect(Number(read[n][ident][0])).toBe(rest >>> 16);
      expect(Number(read[n][sequence][0])).toBe(rest & 0xffff);
    }
  });
});

describe('read by wire/ as others wrote it', () => {
  it('IPv4 by ip-packet, and back', () => {
    for (let n = 0; n < COUNT; n++) {
      const header = {
        version: 4,
        dscp: next(64),
        ecn: next(4),
        identification: next(65536),
        flags: next(4),
        fragmentOffset: next(8192),
        ttl: next(256),
        protocol: next(256),
        checksum: 0,
        sourceIp: address4(),
        destinationIp: address4(),
        data: Buffer.from(pattern(next(200))),
      };
      const buffer = Buffer.alloc(20 + header.data.length);
      codec.encode({ start: 0, end: 0, buffer }, header);
      const sum = codec.checksum(buffer);
      buffer.writeUInt16BE(sum, 10);
      const view = viewOf(buffer);
      expect(ipv4.verifyHeaderChecksum(view, 0)).toBe(true);
      expect(ipv4.headerLength(view, 0)).toBe(20);
      expect(ipv4.totalLength(view, 0)).toBe(buffer.length);
      expect(ipv4.tos(view, 0)).toBe(header.dscp * 4 + header.ecn);
      expect(ipv4.identification(view, 0)).toBe(header.identification);
      expect(ipv4.fragmentField(view, 0)).toBe(header.flags * 8192 + header.fragmentOffset);
      expect(ipv4.fragmentOffset(view, 0)).toBe(header.fragmentOffset);
      expect(ipv4.dontFragment(view, 0)).toBe((header.flags & 2) !== 0);
      expect(ipv4.isFragment(view, 0)).toBe((header.flags & 1) !== 0 || header.fragmentOffset !== 0);
      expect(ipv4.ttl(view, 0)).toBe(header.ttl);
      expect(ipv4.protocol(view, 0)).toBe(header.protocol);
      expect(ipv4.source(view, 0) >>> 0).toBe(parseAddress(header.sourceIp).words[0]);
      expect(ipv4.destination(view, 0) >>> 0).toBe(parseAddress(header.destinationIp).words[0]);

      // One hop, and ip-packet finds the checksum right that was only brought up to date.
      if (header.ttl === 0) continue;
      ipv4.decrementTtl(view, 0);
      const read = codec.decode({ start: 0, end: buffer.length, buffer });
      expect(read.ttl).toBe(header.ttl - 1);
      expect(read.checksum).toBe(codec.checksum(buffer));
      expect(read.sourceIp).toBe(header.sourceIp);
      expect(read.destinationIp).toBe(header.destinationIp);
    }
  });

  it('IPv6, TCP and UDP from plain bytes', () => {
    for (let n = 0; n < COUNT; n++) {
      const ends = { source: address6(), destination: address6(), ttl: next(256), tos: next(256) };
      const fields = tcpFields();
      const segment = viewOf(
        plain.tcp(ends, { ...fields, options: new Uint8Array(4 * next(11)), payload: pattern(10) }),
      );
      for (let w = 0; w < 4; w++) {
        expect(ipv6.sourceWord(segment, 0, w) >>> 0).toBe(parseAddress(ends.source).words[w]);
        expect(ipv6.destinationWord(segment, 0, w) >>> 0).toBe(parseAddress(ends.destination).words[w]);
      }
      expect(ipv6.hopLimit(segment, 0)).toBe(ends.ttl);
      expect(ipv6.trafficClass(segment, 0)).toBe(ends.tos);
      expect(ipv6.nextHeader(segment, 0)).toBe(6);
      expect(ipv6.payloadLength(segment, 0)).toBe(segment.byteLength - 40);
      expect(tcp.sourcePort(segment, 40)).toBe(fields.sourcePort);
      expect(tcp.destinationPort(segment, 40)).toBe(fields.destinationPort);
      expect(tcp.sequence(segment, 40)).toBe(fields.sequence);
      expect(tcp.acknowledgment(segment, 40)).toBe(fields.acknowledgment);
      expect(tcp.flags(segment, 40)).toBe(fields.flags);
      expect(tcp.window(segment, 40)).toBe(fields.window);
      expect(tcp.headerLength(segment, 40)).toBe(segment.byteLength - 50);
      const { sourcePort, destinationPort } = fields;
      const datagram = viewOf(plain.udp(ends, sourcePort, destinationPort, pattern(next(50))));
      expect(udp.sourcePort(datagram, 40)).toBe(sourcePort);
      expect(udp.destinationPort(datagram, 40)).toBe(destinationPort);
      expect(udp.length(datagram, 40)).toBe(datagram.byteLength - 40);
    }
  });
});

describe('tunnels', () => {
  const [here, there] = ['192.168.77.1', '192.168.77.2'].map(parseAddress);

  it.each([4, 6] as const)('VXLAN of every VNI before IPv%d, as tshark reads it', (inner) => {
    const vnis = [0, 1, 4096, 0xffffff, ...Array.from({ length: 60 }, () => next(1 << 24))];
    const packets = vnis.map((vni) => {
      const carried = ipPacket(
        inner === 4 ? {} : { source: 'fd00::1', destination: 'fd00::2' },
        udpDatagram({ sourcePort: 61000, destinationPort: 62000 }, pattern(20)),
      );
      const payload = Buffer.concat([Buffer.alloc(vxlanTunnel.HEADER_LENGTH), carried]);
      const header = { vni, destination: vtepMac(there), source: vtepMac(here) };
      vxlanTunnel.writeTemplate(viewOf(payload), 0, inner, header);
      expect(vxlanTunnel.inspect(viewOf(payload), 0, payload.length)).toBe(vxlanTunnel.Fault.none);
      expect(vxlanTunnel.vni(viewOf(payload), 0)).toBe(vni);
      return plain.udp({ source: '192.168.77.1', destination: '192.168.77.2' }, 50000, 4789, payload);
    });
    const type = [
      'vxlan.flags',
      'vxlan.vni',
      'vxlan.reserved8',
      'vxlan.gbp',
      'eth.src',
      'eth.dst',
      'eth.type',
    ] as const;
    const read = dissect(packets, [...type, 'udp.checksum.status']);
    for (const [n, vni] of vnis.entries()) {
      expect(read[n]).toEqual({
        'vxlan.flags': ['0x0800'],
        'vxlan.vni': [`${vni}`],
        'vxlan.reserved8': ['0'],
        'vxlan.gbp': ['0'],
        'eth.src': [formatMac(vtepMac(here))],
        'eth.dst': [formatMac(vtepMac(there))],
        'eth.type': [inner === 4 ? '0x0800' : '0x86dd'],
        'udp.checksum.status': [ChecksumStatus.good, ChecksumStatus.good],
      });
    }
  });
});

describe('ICMP errors', () => {
  it('tell type, code and MTU as tshark reads them', () => {
    const quoted = plain.udp({ source: '10.0.0.1', destination: '10.0.0.2' }, 61000, 62000, pattern(8));
    const quoted6 = plain.udp({ source: 'fd00::1', destination: 'fd00::2' }, 61000, 62000, pattern(8));
    const packets = [
      ipPacket(
        {},
        icmpMessage(1, icmp.Type.destinationUnreachable, icmp.Unreachable.fragmentationNeeded, 1400, quoted),
      ),
      ipPacket({}, icmpMessage(1, icmp.Type.timeExceeded, 0, 0, quoted)),
      ipPacket({ source: 'fd00::3' }, icmpMessage(58, icmp6.Type.packetTooBig, 0, 1280, quoted6)),
      ipPacket({ source: 'fd00::3' }, icmpMessage(58, icmp6.Type.timeExceeded, 0, 0, quoted6)),
    ];
    const read = dissect(packets, [
      'icmp.type',
      'icmp.code',
      'icmp.mtu',
      'icmp.checksum.status',
      'icmpv6.type',
      'icmpv6.mtu',
      'icmpv6.checksum.status',
    ]);
    expect(read.map((fields) => [fields['icmp.type'], fields['icmpv6.type']])).toEqual([
      [['3'], []],
      [['11'], []],
      [[], ['2']],
      [[], ['3']],
    ]);
    expect(read[0]['icmp.mtu']).toEqual(['1400']);
    expect(read[2]['icmpv6.mtu']).toEqual(['1280']);
    for (const fields of read)
      expect([...fields['icmp.checksum.status'], ...fields['icmpv6.checksum.status']]).toEqual([
        ChecksumStatus.good,
      ]);
  });
});
