// An inner packet that was damaged while the outer checksum is right: no pod may take it for good, joined with others or
// not, and the pod's kernel counts it as bad.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Status } from '../../control/service.ts';
import { Run } from '../../lab/run.ts';
import { parseMac } from '../../wire/mac.ts';
import { kernelCounter } from '../support/kernel-counters.ts';
import { etherFrame, ipPacket, pattern, tcpSegment, udpDatagram, vxlanPayload } from '../support/packets.ts';
import { type Pod, podAddress, routesTo, startWeft, type WeftSite } from '../support/pods.ts';
import { collectUdp, send } from '../support/traffic.ts';
import { type Family, Underlay, underlayAddress } from '../support/underlay.ts';

const VNI = 4096;
const COUNT = 10;
const PAYLOAD = 1000;
const PORT = 7000;

describe.each([true, false])('coalesce %s', (coalesce) => {
  let run: Run;
  let weft: WeftSite;
  let pod: Pod;
  let mac: string;
  let peer: ReturnType<Underlay['host']>;

  beforeAll(async () => {
    run = new Run();
    const underlay = new Underlay(run, { wire: false });
    peer = underlay.host(2);
    weft = await startWeft(run, underlay, 1, {
      routes: routesTo(4, { node: 2 }),
      config: { engine: { offload: { coalesce } } },
    });
    mac = (await weft.node.client.get<Status>('status')).vtep.mac;
    pod = await weft.pod();
  });
  afterAll(() => run?.close());

  /** As from a pod of node 2; `damaged` have a payload byte flipped after the checksum was made. */
  function train(family: Family, protocol: 'tcp' | 'udp', damaged: readonly number[]): Uint8Array[] {
    return Array.from({ length: COUNT }, (_, n) => {
      const payload = pattern(PAYLOAD, n * PAYLOAD);
      const upper =
        protocol === 'udp'
          ? udpDatagram({ destinationPort: PORT }, payload)
          : tcpSegment({ destinationPort: PORT, sequence: 1 + n * PAYLOAD }, payload);
      const packet = ipPacket({ source: podAddress(2, 2, family), destination: pod.ip(family) }, upper);
      if (damaged.includes(n)) packet[packet.length - 500] ^= 0x10;
      return vxlanPayload(VNI, etherFrame(packet, parseMac(mac)));
    });
  }
  const inject = (kind: 'udp' | 'train', packets: readonly Uint8Array[]) =>
    send(peer, [kind, underlayAddress(2, 4), underlayAddress(1, 4), 4789], packets);

  const places: [string, number[]][] = [
    ['none', []],
    ['the first', [0]],
    ['one in the middle', [4]],
    ['two that follow each other', [3, 4]],
    ['the last', [COUNT - 1]],
    ['all', Array.from({ length: COUNT }, (_, n) => n)],
  ];

  describe.each([4, 6] as const)('IPv%d', (family) => {
    it.each(places)('UDP, damaged: %s', async (_, damaged) => {
      const counter = family === 4 ? 'UdpInCsumErrors' : 'Udp6InCsumErrors';
      for (const kind of damaged.length === 2 ? (['train', 'udp'] as const) : (['train'] as const)) {
        const before = kernelCounter(pod.namespace, counter);
        const got = await collectUdp(pod, PORT, () => inject(kind, train(family, 'udp', damaged)));
        const good = Array.from({ length: COUNT }, (_, n) => n).filter((n) => !damaged.includes(n));
        expect(got).toEqual(good.map((n) => pattern(PAYLOAD, n * PAYLOAD)));
        expect(kernelCounter(pod.namespace, counter) - before).toBe(damaged.length);
      }
    });

    it.each(places)('TCP, damaged: %s', async (_, damaged) => {
      const before = kernelCounter(pod.namespace, 'TcpInCsumErrors');
      await inject('train', train(family, 'tcp', damaged));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(kernelCounter(pod.namespace, 'TcpInCsumErrors') - before).toBe(damaged.length);
    });
  });
});
