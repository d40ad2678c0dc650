// A packet is judged by what was decided for the one before it only where both are of one flow: a train in which a single
// packet differs has that one judged for itself, and its neighbours not by it.

import { expect, it } from 'vitest';
import { parseAddress } from '../../wire/address.ts';
import { formatMac, vtepMac } from '../../wire/mac.ts';
import { Fd, MemoryNode, vxlanTo } from '../support/memory-node.ts';
import { bytes, type Endpoints, inVxlan, udp } from '../support/plain-packets.ts';

const families = [
  { source: '10.244.1.2', destination: '10.244.2.2', spoofed: '10.244.9.2', unknown: '10.244.2.9' },
  {
    source: 'fd00:244:1::2',
    destination: 'fd00:244:2::2',
    spoofed: 'fd00:244:9::2',
    unknown: 'fd00:244:2::9',
  },
];

const receive = (packets: readonly Endpoints[]): Record<string, number> => {
  const node = new MemoryNode({ address: '192.168.77.2' });
  node.pod(2, '10.244.2.2', 'fd00:244:2::2');
  node.route('10.244.1.0/24', vxlanTo('192.168.77.1'));
  node.route('fd00:244:1::/64', vxlanTo('192.168.77.1'));
  const mac = formatMac(vtepMac(parseAddress('192.168.77.2')));
  const train = packets.map((packet) => inVxlan(udp(packet, 1000, 53, bytes(100)), 4096, mac));
  node.io.queueReceive(Fd.receive4, {
    from: parseAddress('192.168.77.1'),
    bytes: Buffer.concat(train),
    gro: train[0].length,
  });
  node.forwarder.fromUnderlay(node.receivers.vxlan4);
  return node.verdicts();
};

it.each(families)('$source: one packet of a train differs', ({ source, destination, spoofed, unknown }) => {
  const good = { source, destination };
  expect(receive([good, good, good])).toEqual({ delivered: 3 });
  const forged = { source: spoofed, destination };
  expect(receive([good, forged, good])).toEqual({ delivered: 2, 'tunnel-source': 1 });
  expect(receive([forged, forged, good])).toEqual({ delivered: 1, 'tunnel-source': 2 });
  const astray = { source, destination: unknown };
  expect(receive([good, astray, astray, good])).toEqual({ delivered: 2, 'no-route': 2 });
  const dying = { source, destination, ttl: 1 };
  expect(receive([good, dying, good])).toEqual({ delivered: 2, 'ttl-exceeded': 1 });
});
