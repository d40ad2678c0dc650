// What leaves whole by the uplink: headers as tshark reads them, offload fields, order with what leaves by the sockets, and the
// way back to the sockets.
import { beforeEach, expect, it } from 'vitest';
import { allowUplink } from '../../engine/tables/control-block.ts';
import { Fd, MemoryNode, PORTS, vxlanTo } from '../support/memory-node.ts';
import { LinkType } from '../support/pcap.ts';
import { bytes, onTun, tcp, udp } from '../support/plain-packets.ts';
import { ChecksumStatus, dissect } from '../support/tshark.ts';

const POD = 2;
const v4 = { source: '10.244.1.2', destination: '10.244.2.2' };
const v6 = { source: 'fd00:244:1::2', destination: 'fd00:244:2::2' };
const VIRTIO = 24;

let node: MemoryNode;
beforeEach(() => {
  node = new MemoryNode({ address: '192.168.77.1', uplink: true });
  node.pod(POD, v4.source, v6.source);
  node.route('10.244.2.0/24', vxlanTo('192.168.77.2', { vni: 77, udpPort: 8472 }));
  node.route('fd00:244:2::/64', vxlanTo('192.168.77.2', { vni: 77, udpPort: 8472 }));
});

interface Large {
  readonly six?: boolean;
  readonly port?: number;
  readonly payload?: number;
  readonly tos?: number;
}

const largeTcp = ({ six = false, port = 1000, payload = 5000, tos = 0 }: Large = {}): Uint8Array => {
  const segment = { sourcePort: port, destinationPort: 80, sequence: 7, payload: bytes(payload) };
  const packet = tcp({ ...(six ? v6 : v4), tos }, segment, true);
  return onTun(packet, { gso: six ? 4 : 1, size: 1000, start: six ? 40 : 20, field: 16 });
};

const forward = (...packets: readonly Uint8Array[]): void => {
  for (const packet of packets) node.io.queueRead(POD, packet);
  node.forwarder.fromPort(POD);
};

/** Frames that were written to the uplink, and their virtio headers. */
const frames = () =>
  node.io.written
    .filter(({ fd }) => fd === Fd.uplink)
    .map(({ bytes: whole }) => ({ virtio: Buffer.from(whole.slice(0, VIRTIO)), frame: whole.slice(VIRTIO) }));

it('has the headers that a socket would have given it', () => {
  forward(largeTcp({ tos: 0xb8 }), largeTcp({ six: true, tos: 0xb8 }));
  const fields = [
    'eth.dst',
    'ip.src',
    'ip.dst',
    'ip.id',
    'ip.flags.df',
    'ip.ttl',
    'ip.dsfield',
    'ip.len',
    'ip.checksum.status',
    'udp.dstport',
    'udp.length',
    'vxlan.vni',
    'tcp.seq',
    'tcp.len',
  ] as const;
  const read = dissect(
    frames().map(({ frame }) => frame),
    fields,
    LinkType.ethernet,
    ['-d', 'udp.port==8472,vxlan'],
  );
  for (const [n, one] of read.entries()) {
    expect(one).toMatchObject({
      'vxlan.vni': ['77'],
      'udp.dstport': ['8472'],
      'tcp.seq': ['7'],
      'tcp.len': ['5000'],
    });
    expect(one['eth.dst'][0]).toBe('02:00:00:00:00:77');
    expect(one['ip.src'][0]).toBe('192.168.77.1');
    expect(one['ip.dst'][0]).toBe('192.168.77.2');
    // Counted on by the five segments of the one before.
    expect(Number(one['ip.id'][0])).toBe(5 * n);
    expect(one['ip.flags.df'][0]).toMatch(/^(1|True)$/);
    expect(one['ip.ttl'][0]).toBe('65');
    expect(one['ip.dsfield'][0]).toBe('0xb8');
    expect(one['ip.checksum.status'][0]).toBe(ChecksumStatus.good);
    const inner = 5000 + 20 + (n === 0 ? 20 : 40);
    expect(one['ip.len'][0]).toBe(String(inner + 50));
    expect(one['udp.length'][0]).toBe(String(inner + 30));
  }
});

it.each([
  { what: 'TCP over IPv4', packet: () => largeTcp(), gso: 1, transport: 20, headers: 40, field: 16 },
  {
    what: 'TCP over IPv6',
    packet: () => largeTcp({ six: true }),
    gso: 4,
    transport: 40,
    headers: 60,
    field: 16,
  },
  {
    what: 'UDP over IPv4',
    packet: () => onTun(udp(v4, 1000, 53, bytes(5000), true), { gso: 5, size: 1000, start: 20, field: 6 }),
    gso: 5,
    transport: 20,
    headers: 28,
    field: 6,
  },
])('says how to cut $what', ({ packet, gso, transport, headers, field }) => {
  forward(packet());
  const [{ virtio, frame }] = frames();
  const innerIp = 14 + 20 + 8 + 22;
  expect([virtio[0], virtio[1]]).toEqual([1 | 8, gso | 0x20]);
  const [headerLength, size, start, at] = [2, 4, 6, 8].map((offset) => virtio.readUInt16LE(offset));
  expect({ headerLength, size, start, at }).toEqual({
    headerLength: innerIp + headers,
    size: 1000,
    start: innerIp + transport,
    at: field,
  });
  expect([virtio.readUInt16LE(20), virtio.readUInt16LE(22)]).toEqual([14 + 20, innerIp]);
  // Sums of the pseudo-headers, for who cuts to complete.
  const words = (from: number, length: number) =>
    Array.from({ length: length / 2 }, (_, n) => Buffer.from(frame).readUInt16BE(from + 2 * n));
  const sum = (...values: number[]) => {
    const total = values.reduce((a, b) => a + b, 0);
    const once = (total & 0xffff) + (total >>> 16);
    return (once & 0xffff) + (once >>> 16);
  };
  const outer = sum(...words(14 + 12, 8), 17, frame.length - 34);
  expect(words(34 + 6, 2)).toEqual([outer]);
  const addresses = transport === 20 ? words(innerIp + 12, 8) : words(innerIp + 8, 32);
  const protocol = field === 6 ? 17 : 6;
  const inner = sum(...addresses, protocol, frame.length - innerIp - transport);
  expect(words(innerIp + transport + field, 2)).toEqual([inner]);
});

it('has the source port of the socket that the flow has otherwise', () => {
  for (let port = 1000; port < 1040; port++) {
    node.io.sent.length = 0;
    node.io.written.length = 0;
    allowUplink(node.tables.control, true);
    forward(largeTcp({ port }));
    allowUplink(node.tables.control, false);
    forward(largeTcp({ port }));
    const [{ frame }] = frames();
    expect(Buffer.from(frame).readUInt16BE(34)).toBe(PORTS[node.io.sent[0].fd - Fd.vxlan4]);
  }
});

it('leaves behind what of its flow came before', () => {
  const order: string[] = [];
  const { io } = node;
  const [sendmmsg, writev] = [io.sendmmsg.bind(io), io.writev.bind(io)];
  io.sendmmsg = (...args) => {
    order.push('socket');
    return sendmmsg(...args);
  };
  io.writev = (...args) => {
    order.push('uplink');
    return writev(...args);
  };
  const small = (port: number) =>
    onTun(tcp(v4, { sourcePort: port, destinationPort: 80, payload: bytes(100) }));
  forward(small(1000), largeTcp({ port: 1000 }), small(1000));
  expect(order).toEqual(['socket', 'uplink', 'socket']);
});

it('is counted as what leaves by sockets', () => {
  const sent = () => node.counters().remotes.get('192.168.77.2')?.tx;
  forward(largeTcp(), largeTcp({ six: true }));
  const byUplink = sent();
  expect(byUplink?.packets).toBe(10);
  allowUplink(node.tables.control, false);
  forward(largeTcp(), largeTcp({ six: true }));
  expect(sent()).toEqual({ packets: 20, bytes: 2 * Number(byUplink?.bytes) });
});

it('goes by the sockets, cut, when the device refuses it, when it is too long, and where a peer is on IPv6', () => {
  node.io.writeErrors.push(22);
  forward(largeTcp());
  expect(node.io.sent).toHaveLength(5);
  expect(frames()).toHaveLength(0);
  node.io.sent.length = 0;
  forward(largeTcp({ payload: 65535 - 40 - 49 }));
  expect(frames()).toHaveLength(0);
  expect(node.io.sent).toHaveLength(66);
  node.io.sent.length = 0;
  node.route('10.244.2.0/24', vxlanTo('fd00:77::2'));
  forward(largeTcp());
  expect(frames()).toHaveLength(0);
  expect(node.io.sent).toHaveLength(5);
});
