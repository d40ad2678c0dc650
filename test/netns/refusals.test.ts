// Nobody speaks for another: what comes from where it may not come from is dropped, and counted under its name.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Status } from '../../control/service.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { Run } from '../../lab/run.ts';
import { type Mac, parseMac } from '../../wire/mac.ts';
import { etherFrame, ipPacket, pattern, udpDatagram, vxlanPayload } from '../support/packets.ts';
import { drops, type Pod, podAddress, routesTo, startWeft, type WeftSite } from '../support/pods.ts';
import { collectUdp, send } from '../support/traffic.ts';
import { type Family, Underlay, underlayAddress } from '../support/underlay.ts';

const VNI = 4096;
const PORT = 7000;
const PAYLOAD = pattern(200);

let run: Run;
let weft: WeftSite;
let pod: Pod;
let mac: Mac;
let known: Namespace;
let stranger: Namespace;
beforeAll(async () => {
  run = new Run();
  const underlay = new Underlay(run);
  [known, stranger] = [underlay.host(2), underlay.host(3)];
  weft = await startWeft(run, underlay, 1, { routes: routesTo(4, { node: 2 }) });
  mac = parseMac((await weft.node.client.get<Status>('status')).vtep.mac);
  pod = await weft.pod();
});
afterAll(() => run?.close());

const inner = (family: Family, source = podAddress(2, 2, family)) =>
  ipPacket({ source, destination: pod.ip(family) }, udpDatagram({ destinationPort: PORT }, PAYLOAD));
const datagram = (packet: Uint8Array, vni = VNI, to = mac) => vxlanPayload(vni, etherFrame(packet, to));
const from = (n: number, bytes: Uint8Array, kind = 'udp') =>
  send(n === 2 ? known : stranger, [kind, underlayAddress(n, 4), underlayAddress(1, 4), 4789], [bytes]);

/** What the pod received of `action`, and which drops it added. */
async function outcome(action: () => Promise<unknown>): Promise<[number, Record<string, number>]> {
  const before = await drops(weft.node);
  const got = await collectUdp(pod, PORT, action);
  for (const one of got) expect(one).toEqual(PAYLOAD);
  const added = Object.entries(await drops(weft.node)).map(
    ([name, n]) => [name, n - (before[name] ?? 0)] as const,
  );
  return [got.length, Object.fromEntries(added.filter(([, n]) => n > 0))];
}

it.each([4, 6] as const)('takes IPv%d from the tunnel end point that it is routed to', async (family) => {
  expect(await outcome(() => from(2, datagram(inner(family))))).toEqual([1, {}]);
});

it('takes a datagram without outer checksum, as RFC 7348 wants', async () => {
  expect(await outcome(() => from(2, datagram(inner(4)), 'zero'))).toEqual([1, {}]);
});

const withoutFlag = (bytes: Uint8Array) => {
  bytes[0] &= ~0x08;
  return bytes;
};
const asArp = (bytes: Uint8Array) => {
  bytes.set([0x08, 0x06], 8 + 12);
  return bytes;
};
const refused: [string, string, () => Promise<unknown>][] = [
  ['an address that no route names', 'unknown-tunnel', () => from(3, datagram(inner(4)))],
  ['a source routed elsewhere', 'tunnel-source', () => from(2, datagram(inner(4, '10.244.7.7')))],
  [
    "a source that is this node's own pod",
    'tunnel-source',
    () => from(2, datagram(inner(4, podAddress(1, 2, 4)))),
  ],
  ['an IPv6 source routed elsewhere', 'tunnel-source', () => from(2, datagram(inner(6, 'fd00:244:7::7')))],
  ['another VNI', 'vxlan-vni', () => from(2, datagram(inner(4), VNI + 1))],
  ['another MAC', 'inner-mac', () => from(2, datagram(inner(4), VNI, parseMac('02:00:00:00:00:99')))],
  ['no I flag', 'vxlan-flags', () => from(2, withoutFlag(datagram(inner(4))))],
  ['ARP inside', 'inner-ether-type', () => from(2, asArp(datagram(inner(4))))],
  ['nothing behind the header', 'truncated', () => from(2, vxlanPayload(VNI, new Uint8Array(0)))],
  [
    'IPIP from a stranger',
    'unknown-tunnel',
    () => send(stranger, ['raw', underlayAddress(3, 4), underlayAddress(1, 4), 4], [inner(4)]),
  ],
];
it.each(refused)('refuses %s: %s', async (_, reason, action) => {
  expect(await outcome(action)).toEqual([0, { [reason]: 1 }]);
});

it.each([4, 6] as const)('refuses a pod that speaks for another by IPv%d', async (family) => {
  const other = await weft.pod();
  const packet = inner(family, podAddress(1, 77, family));
  expect(await outcome(() => send(other.namespace, ['packet', pod.ip(family)], [packet]))).toEqual([
    0,
    { 'spoofed-source': 1 },
  ]);
  const honest = inner(family, other.ip(family));
  expect(await outcome(() => send(other.namespace, ['packet', pod.ip(family)], [honest]))).toEqual([1, {}]);
});
