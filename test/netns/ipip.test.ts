// IPIP (RFC 2003) and IPv6 in IPv4 (RFC 4213) against a program with raw sockets, and between two Weft nodes.
import { readFileSync } from 'node:fs';
import codec from 'ip-packet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Run } from '../../lab/run.ts';
import { capture } from '../support/capture.ts';
import { startIpipPeer } from '../support/ipip-peer.ts';
import { drops, type Pod, routesTo, startWeft, type WeftSite } from '../support/pods.ts';
import { echoUdp, exchangeTcp, ping } from '../support/traffic.ts';
import { ChecksumStatus } from '../support/tshark.ts';
import { type Family, portName, Underlay, underlayAddress } from '../support/underlay.ts';

const FAMILIES: Family[] = [4, 6];
const ipip = (node: number) => ({
  routes: routesTo(4, { node }),
  config: { encap: { type: 'ipip' } },
});

describe('against raw sockets', () => {
  let run: Run;
  let underlay: Underlay;
  let weft: WeftSite;
  let here: Pod;
  let there: Pod;
  beforeAll(async () => {
    run = new Run();
    underlay = new Underlay(run);
    there = await startIpipPeer(run, underlay, 2, 1);
    weft = await startWeft(run, underlay, 1, ipip(2));
    here = await weft.pod();
  });
  afterAll(() => run?.close());

  it.each(FAMILIES)('carries ICMP, UDP and TCP of IPv%d', async (inner) => {
    await ping(here.namespace, there.ip(inner));
    await ping(there.namespace, here.ip(inner));
    await echoUdp(here, there, inner, [0, 1, 100, 1400, 1432, 1452, 4000]);
    await exchangeTcp(here, there, inner, 4 << 20);
    await exchangeTcp(there, here, inner, 4 << 20);
  });

  it('is read without complaint, by tshark and by ip-packet', async () => {
    const toPeer = { interface: portName(2), direction: 'out', filter: 'ip proto 4 or ip proto 41' } as const;
    const taken = await capture(run, underlay.namespace, toPeer, async () => {
      for (const inner of FAMILIES) {
        await ping(here.namespace, there.ip(inner));
        await exchangeTcp(here, there, inner, 200_000);
      }
    });
    const fields = [
      'ip.proto',
      'ip.src',
      'ip.dst',
      'ipv6.src',
      'tcp.checksum.status',
      '_ws.malformed',
    ] as const;
    const frames = taken.read(fields);
    expect(frames.length).toBeGreaterThan(200);
    for (const frame of frames) {
      expect([frame['ip.src'][0], frame['ip.dst'][0]]).toEqual([
        underlayAddress(1, 4),
        underlayAddress(2, 4),
      ]);
      expect(frame['ip.proto'][0]).toBe(frame['ipv6.src'].length > 0 ? '41' : '4');
      expect(frame['tcp.checksum.status'].every((status) => status === ChecksumStatus.good)).toBe(true);
      expect(frame['_ws.malformed']).toEqual([]);
    }
    const file = readFileSync(taken.file);
    const length = file.readUInt32LE(24 + 8);
    const buffer = file.subarray(24 + 16 + 14, 24 + 16 + length);
    const outer = codec.decode({ start: 0, end: buffer.length, buffer });
    expect(outer).toMatchObject({
      sourceIp: underlayAddress(1, 4),
      destinationIp: underlayAddress(2, 4),
      protocol: 4,
    });
    expect(outer.data[0] >> 4).toBe(4);
  });

  it('has dropped nothing', async () => {
    expect(await drops(weft.node)).toEqual({});
  });
});

describe('between two Weft nodes', () => {
  let run: Run;
  beforeAll(() => {
    run = new Run();
  });
  afterAll(() => run?.close());

  it('carries everything', async () => {
    const underlay = new Underlay(run);
    const [a, b] = await Promise.all([
      startWeft(run, underlay, 1, ipip(2)),
      startWeft(run, underlay, 2, ipip(1)),
    ]);
    const [here, there] = [await a.pod(), await b.pod()];
    for (const inner of FAMILIES) {
      await ping(here.namespace, there.ip(inner));
      await exchangeTcp(here, there, inner, 16 << 20);
      await echoUdp(there, here, inner, [0, 1, 1400, 1452, 9000]);
    }
    expect([await drops(a.node), await drops(b.node)]).toEqual([{}, {}]);
  });
});
