// Large packets that leave whole, on a virtual underlay that cuts inside of tunnels: used where it works, and given up where a
// setting or a firewall is in the way, before pods notice for long.
import { afterEach, expect, it } from 'vitest';
import type { Status } from '../../control/service.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { Run } from '../../lab/run.ts';
import type { WeftNode } from '../../lab/weft-node.ts';
import { type Pair, type PairOptions, startWeft, weftAndKernel, weftAndWeft } from '../support/pods.ts';
import { exchangeTcp } from '../support/traffic.ts';
import { dropsOf, SMALL } from '../support/transfer.ts';
import { Underlay } from '../support/underlay.ts';

let run: Run;
afterEach(() => run?.close());

const state = async (node: WeftNode) => (await node.client.get<Status>('status')).offload.tunnelSegmentation;

/** Waits until it is as wanted. */
const becomes = async (node: WeftNode, wanted: object): Promise<void> => {
  for (const end = performance.now() + 20_000; ; ) {
    const now = await state(node);
    try {
      expect(now).toEqual(wanted);
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
};

/** Packets that were written into the uplink, and the bytes of them. */
const uplink = (namespace: Namespace): { packets: number; bytes: number } => {
  const [{ stats64 }] = JSON.parse(namespace.ip('-j -s link show weft-up0')) as {
    stats64: { rx: { packets: number; bytes: number } };
  }[];
  return stats64.rx;
};

const perPacket = ({ packets, bytes }: { packets: number; bytes: number }): number => bytes / packets;

const pairs: [string, (options: PairOptions) => Promise<Pair>][] = [
  ["the kernel's VXLAN", (options) => weftAndKernel(run, options)],
  ['Weft', (options) => weftAndWeft(run, options)],
];

it.each(pairs)('carries TCP to %s, IPv4 and IPv6', { timeout: 60_000 }, async (_, make) => {
  run = new Run();
  const pair = await make({ wire: false });
  const { node } = pair.weft;
  await becomes(node, { on: true });
  const before = uplink(node.namespace);
  for (const family of [4, 6] as const) await exchangeTcp(pair.here, pair.there, family, SMALL);
  const after = uplink(node.namespace);
  const carried = { packets: after.packets - before.packets, bytes: after.bytes - before.bytes };
  // Most of what was sent, in pieces of many segments.
  expect(carried.bytes).toBeGreaterThan(SMALL);
  expect(perPacket(carried)).toBeGreaterThan(10_000);
  expect(await dropsOf(pair)).toEqual(pair.other ? [{}, {}] : [{}]);
});

it('is not used where the underlay sends frames as on a cable', { timeout: 60_000 }, async () => {
  run = new Run();
  const pair = await weftAndKernel(run, { wire: true });
  const { node } = pair.weft;
  expect(await state(node)).toEqual({
    on: false,
    why: 'u0 does not cut inside of tunnels (ethtool: tx-udp_tnl-csum-segmentation)',
  });
  const before = uplink(node.namespace);
  await exchangeTcp(pair.here, pair.there, 4, SMALL);
  expect(uplink(node.namespace)).toEqual(before);
});

it('is given up when a firewall forbids forwarding, and taken up again after', {
  timeout: 90_000,
}, async () => {
  run = new Run();
  const pair = await weftAndKernel(run, { wire: false });
  const { node } = pair.weft;
  const { namespace } = node;
  await becomes(node, { on: true });
  namespace.run('nft', 'add', 'table', 'ip', 'firewall');
  namespace.run('nft', 'add chain ip firewall forward { type filter hook forward priority 0; policy drop; }');
  await becomes(node, { on: false, why: expect.stringContaining('does a firewall forbid it') });
  await exchangeTcp(pair.here, pair.there, 4, SMALL);
  namespace.run('nft', 'delete', 'table', 'ip', 'firewall');
  await becomes(node, { on: true });
  await exchangeTcp(pair.here, pair.there, 4, SMALL);
});

it('is given up when the underlay does not cut any more', { timeout: 90_000 }, async () => {
  run = new Run();
  const pair = await weftAndKernel(run, { wire: false });
  const { node } = pair.weft;
  await becomes(node, { on: true });
  node.namespace.run('ethtool', '-K', 'u0', 'tx-udp_tnl-csum-segmentation', 'off');
  await becomes(node, { on: false, why: expect.stringContaining('u0 does not cut') });
  await exchangeTcp(pair.here, pair.there, 4, SMALL);
});

it('says which setting keeps it from being used', { timeout: 60_000 }, async () => {
  run = new Run();
  const underlay = new Underlay(run, { wire: false });
  const namespace = underlay.host(1);
  namespace.sysctl('net.ipv4.conf.all.rp_filter', 1);
  const { node } = await startWeft(run, underlay, 1, { namespace });
  expect(await state(node)).toEqual({
    on: false,
    why: 'what comes from weft-up0 is not forwarded: net.ipv4.conf.all.rp_filter is 1, not 0',
  });
});

it('leaves nothing behind', { timeout: 60_000 }, async () => {
  run = new Run();
  const underlay = new Underlay(run, { wire: false });
  const { node } = await startWeft(run, underlay, 1);
  expect(node.namespace.ip('-br link')).toContain('weft-up0');
  await node.stop();
  expect(node.namespace.ip('-br link')).not.toContain('weft-up');
  expect(node.namespace.ip('route')).not.toContain('192.0.0.8');
});
