// What VXLAN of Weft looks like to somebody in between, read by tshark: headers, addresses, checksums, source ports.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Status } from '../../control/service.ts';
import { Run } from '../../lab/run.ts';
import { type Capture, capture } from '../support/capture.ts';
import { kernelMac, type Pair, weftAndKernel } from '../support/pods.ts';
import { echoUdp, exchangeTcp, ping } from '../support/traffic.ts';
import { ChecksumStatus } from '../support/tshark.ts';
import { type Family, underlayAddress } from '../support/underlay.ts';

const FAMILIES: Family[] = [4, 6];
const VNI = 0xabcdef;
const PORT = 8472;
/** Of each inner family. */
const FLOWS = 6;

const HEADER = ['vxlan.flags', 'vxlan.vni', 'vxlan.gbp', 'vxlan.reserved8'] as const;
const CHECKSUMS = ['ip.checksum.status', 'udp.checksum.status', 'tcp.checksum.status'] as const;
const FLOW = ['ip.src', 'ipv6.src', 'tcp.srcport', 'tcp.dstport'] as const;
const read = (taken: Capture) =>
  taken.read(
    [...HEADER, ...CHECKSUMS, ...FLOW, 'udp.srcport', 'udp.dstport', 'eth.src', 'eth.dst', 'frame.len'],
    ['-d', `udp.port==${PORT},vxlan`],
  );
type Frame = ReturnType<typeof read>[number];

describe.each(FAMILIES)('over IPv%d', (outer) => {
  let run: Run;
  let pair: Pair;
  let mac: string;
  let frames: Frame[];

  beforeAll(async () => {
    run = new Run();
    pair = await weftAndKernel(run, { underlay: outer, vni: VNI, port: PORT });
    mac = (await pair.weft.node.client.get<Status>('status')).vtep.mac;
    const everyPort = { interface: 'any', direction: 'out', filter: `udp port ${PORT}` } as const;
    frames = read(await capture(run, pair.underlay.namespace, everyPort, traffic));
  });
  afterAll(() => run?.close());

  async function traffic() {
    const { here, there } = pair;
    for (const inner of FAMILIES) {
      await ping(here.namespace, there.ip(inner));
      await echoUdp(here, there, inner, [0, 1, 100, 1000, 1382]);
      for (let flow = 0; flow < FLOWS; flow++) await exchangeTcp(here, there, inner, 200_000);
    }
  }
  const isOurs = (frame: Frame) =>
    frame[outer === 4 ? 'ip.src' : 'ipv6.src'][0] === underlayAddress(1, outer);

  it('shows what both ends sent', () => {
    const ours = frames.filter(isOurs).length;
    expect(ours).toBeGreaterThan(1000);
    expect(frames.length - ours).toBeGreaterThan(1000);
  });

  it('has the I flag, the VNI, and zero in what is reserved', () => {
    const headers = frames.filter(isOurs).map((frame) => HEADER.map((field) => frame[field][0]).join());
    expect([...new Set(headers)]).toEqual([`0x0800,${VNI},0,0`]);
  });

  it('goes from a dynamic port to the configured one', () => {
    for (const frame of frames.filter(isOurs)) {
      expect(frame['udp.dstport'][0]).toBe(String(PORT));
      expect(Number(frame['udp.srcport'][0])).toBeGreaterThanOrEqual(49152);
    }
  });

  it('has the inner MACs that the two ends go by', () => {
    const macs = frames.map((frame) => `${frame['eth.src'].at(-1)} > ${frame['eth.dst'].at(-1)}`);
    expect(new Set(macs)).toEqual(new Set([`${mac} > ${kernelMac(2)}`, `${kernelMac(2)} > ${mac}`]));
    expect(mac).toMatch(/^02:5[67](:[0-9a-f]{2}){4}$/);
  });

  it('has right checksums, outer and inner', () => {
    // Of what Weft sends: Linux itself sends a TCP checksum of zero as all ones, which tshark complains of.
    const wrong = frames.filter(isOurs).flatMap((frame) =>
      CHECKSUMS.flatMap((field) => frame[field].map((status) => `${field} ${status}`))
        .filter((one) => !one.endsWith(ChecksumStatus.good))
        .map((one) => `${frame['frame.len']} bytes: ${one}`),
    );
    expect(wrong).toEqual([]);
    expect(frames.filter((frame) => frame['tcp.checksum.status'].length === 1).length).toBeGreaterThan(1000);
  });

  it('keeps a flow on one source port, and spreads flows over several', () => {
    const ports = new Map<string, Set<string>>();
    for (const frame of frames.filter((one) => one['tcp.srcport'].length > 0 && isOurs(one))) {
      const flow = FLOW.flatMap((field) => frame[field]).join();
      ports.set(flow, (ports.get(flow) ?? new Set()).add(frame['udp.srcport'][0]));
    }
    expect(ports.size).toBe(2 * FLOWS);
    expect([...ports].filter(([, one]) => one.size !== 1)).toEqual([]);
    expect(new Set([...ports.values()].flatMap((one) => [...one])).size).toBeGreaterThan(2);
  });
});
