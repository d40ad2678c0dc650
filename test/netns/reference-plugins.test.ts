// The reference plugins as Debian has them: those that are chained behind ours, and those that give addresses to it.
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Namespace } from '../../lab/namespace.ts';
import { Run } from '../../lab/run.ts';
import { cni } from '../support/cni.ts';
import { cniList, type ListCall } from '../support/cni-list.ts';
import { until } from '../support/pod-namespace.ts';
import { podAddress, startWeft, type WeftSite } from '../support/pods.ts';
import { ping } from '../support/traffic.ts';
import { Underlay, underlayAddress } from '../support/underlay.ts';
import { answerAs, ask } from '../support/who.ts';

const FAMILIES = [4, 6] as const;

let run: Run;
let underlay: Underlay;
let outside: Namespace;
let weft: WeftSite;
let node: Namespace;
let made = 0;

beforeAll(async () => {
  run = new Run();
  underlay = new Underlay(run);
  outside = underlay.host(9, 'outside');
  const address = FAMILIES.map((family) => underlayAddress(1, family));
  weft = await startWeft(run, underlay, 1, { config: { node: { address }, host: { natOutgoing: true } } });
  node = weft.node.namespace;
});
afterAll(() => run?.close());

function pod(): Namespace {
  const namespace = run.namespace(`pod${made++}`);
  namespace.ip('link set lo up');
  return namespace;
}

type Plugin = ListCall['plugins'][number];
const ours: Plugin = { type: 'weft-cni' };

const list = (netns: string, ...plugins: Plugin[]): ListCall => ({
  socket: weft.node.socket,
  id: `c${made}`,
  netns,
  cniVersion: '1.0.0',
  within: ['nsenter', `--net=${node.path}`],
  plugins: plugins.map((plugin) =>
    plugin.type === 'weft-cni' ? { socket: weft.node.socket, ...plugin } : plugin,
  ),
});

const tuning: Plugin = {
  type: 'tuning',
  sysctl: { 'net.ipv4.conf.eth0.arp_filter': '1', 'net.core.somaxconn': '500' },
  mtu: 1400,
};
const sbr: Plugin = { type: 'sbr' };
const firewall: Plugin = { type: 'firewall', backend: 'iptables' };
const portmap: Plugin = { type: 'portmap', capabilities: { portMappings: true }, snat: true };
const portMappings = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 8080, containerPort: 80, protocol: 'udp' },
];

describe('chained behind ours', () => {
  const tables = () => `${node.run('iptables-save')}${node.run('ip6tables-save')}`;
  const chains: [string, Plugin[], (namespace: Namespace, ips: readonly string[]) => Promise<void> | void][] =
    [
      [
        'tuning',
        [tuning],
        (namespace) => {
          const sysctl = (name: string) => namespace.run('sysctl', '-n', name).trim();
          expect([sysctl('net.ipv4.conf.eth0.arp_filter'), sysctl('net.core.somaxconn')]).toEqual([
            '1',
            '500',
          ]);
          expect(namespace.run('ip', 'link', 'show', 'eth0')).toContain('mtu 1400');
        },
      ],
      [
        'sbr',
        [sbr],
        (namespace, ips) => {
          for (const [i, family] of FAMILIES.entries()) {
            const ip = (...args: string[]) => namespace.run('ip', `-${family}`, ...args);
            const [, table] = new RegExp(`from ${ips[i]} lookup (\\d+)`).exec(ip('rule')) ?? [];
            const gateway = podAddress(1, 1, family);
            expect(ip('route', 'show', 'table', table)).toContain(`default via ${gateway} dev eth0`);
            expect(ip('route')).not.toContain('default');
          }
        },
      ],
      ['firewall', [firewall], (_, ips) => ips.forEach((ip) => void expect(tables()).toContain(`-s ${ip}`))],
      [
        'portmap',
        [portmap],
        async (namespace) => {
          const server = await answerAs(namespace, 'pod', 80);
          for (const family of FAMILIES) {
            for (const protocol of ['tcp', 'udp'] as const) {
              const address = underlayAddress(1, family);
              expect(await ask(outside, { protocol, address, port: 8080 })).toMatchObject({ name: 'pod' });
            }
          }
          await server.stop();
        },
      ],
      ['all of them', [tuning, firewall, portmap, sbr], () => {}],
    ];

  it.each(chains)('%s', { timeout: 60_000 }, async (_, plugins, look) => {
    const namespace = pod();
    const call = { ...list(namespace.path, ours, ...plugins), capabilities: { portMappings } };
    const { status, output, stdout, stderr } = await cniList('ADD', call);
    expect(status, stdout + stderr).toBe(0);
    const ips = output?.ips ?? [];
    expect(ips.map(({ address }) => address.split('/')[1])).toEqual(['32', '128']);
    expect(output?.interfaces).toContainEqual(
      expect.objectContaining({ name: 'eth0', sandbox: namespace.path }),
    );
    const plain = ips.map(({ address }) => address.split('/')[0]);
    await look(namespace, plain);
    // sbr leaves no route for who has not chosen an address yet, whatever is before it.
    for (const ip of plain) {
      const args = plugins.includes(sbr) ? ['-I', ip] : [];
      await ping(namespace, underlayAddress(9, ip.includes(':') ? 6 : 4), { args });
      await ping(node, ip);
    }
    // That of portmap 1.1.1 fails, whatever is before it: it looks for the rules of IPv4 among those of IPv6.
    const checked = call.plugins.filter(({ type }) => type !== 'portmap');
    const check = await cniList('CHECK', { ...call, plugins: checked, prevResult: output });
    expect(check.status, check.stdout + check.stderr).toBe(0);
    const del = await cniList('DEL', { ...call, prevResult: output });
    expect(del.status, del.stdout + del.stderr).toBe(0);
    await expect.poll(() => namespace.run('ip', '-o', 'link')).not.toContain('eth0');
    for (const ip of plain) expect(tables()).not.toContain(ip);
  });

  it('what came before ours is passed on to those behind', { timeout: 60_000 }, async () => {
    const namespace = pod();
    const call = list(
      namespace.path,
      { type: 'ptp', ipam: hostLocal('before', '10.77.0.0/24') },
      ours,
      tuning,
    );
    const { output: first } = await cniList('ADD', {
      ...call,
      plugins: call.plugins.slice(0, 1),
      ifname: 'net0',
    });
    const { status, output, stdout } = await cniList('ADD', {
      ...call,
      plugins: call.plugins.slice(1),
      prevResult: first,
    });
    expect(status, stdout).toBe(0);
    expect(output?.interfaces?.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^veth/),
      'net0',
      'eth0',
    ]);
    expect(output?.ips?.map(({ address }) => address.split('/')[0])).toEqual([
      '10.77.0.2',
      expect.stringMatching(/^10\.244\.1\./),
      expect.stringMatching(/^fd00:244:1::/),
    ]);
    const check = await cniList('CHECK', { ...call, plugins: call.plugins.slice(1), prevResult: output });
    expect(check.status, check.stdout).toBe(0);
    for (const ifname of ['eth0', 'net0']) {
      const plugins = ifname === 'eth0' ? call.plugins.slice(1) : call.plugins.slice(0, 1);
      expect(await cniList('DEL', { ...call, ifname, plugins })).toMatchObject({ status: 0 });
    }
  });
});

function hostLocal(name: string, ...subnets: string[]) {
  const dataDir = join(run.folder, `ipam-${name}`);
  mkdirSync(dataDir, { recursive: true });
  return { type: 'host-local', dataDir, ranges: subnets.map((subnet) => [{ subnet }]) };
}

describe('addresses from', () => {
  const files = ({ dataDir }: { dataDir: string }) =>
    readdirSync(join(dataDir, 'fabric')).filter((name) => /^\d+\.|:/.test(name));

  it('host-local, in the ranges of the node', { timeout: 60_000 }, async () => {
    const ipam = {
      ...hostLocal('inside', '10.244.1.128/25', 'fd00:244:1:0:1::/80'),
      routes: [{ dst: '0.0.0.0/0' }],
    };
    const namespace = pod();
    const call = list(namespace.path, { ...ours, ipam }, sbr);
    const { status, output, stdout } = await cniList('ADD', call);
    expect(status, stdout).toBe(0);
    expect(output).toMatchObject({
      ips: [{ address: '10.244.1.130/25', gateway: '10.244.1.129' }, { address: 'fd00:244:1:0:1::2/80' }],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    });
    expect(files(ipam)).toEqual(['10.244.1.130', 'fd00:244:1:0:1::2']);
    for (const [i, family] of FAMILIES.entries()) {
      const ip = output?.ips?.[i].address.split('/')[0] ?? '';
      await ping(namespace, underlayAddress(9, family), { args: ['-I', ip] });
      await ping(node, ip);
    }
    expect(await cniList('CHECK', { ...call, prevResult: output })).toMatchObject({ status: 0 });
    expect(await cniList('DEL', { ...call, prevResult: output })).toMatchObject({ status: 0 });
    expect(files(ipam)).toEqual([]);
    const alone = { ...call, plugins: call.plugins.slice(0, 1), netns: '' }; // sbr 1.1.1 wants a namespace.
    expect(await cniList('DEL', alone)).toMatchObject({ status: 0 });
  });

  it('host-local, one that is taken here: is given back', async () => {
    const ipam = hostLocal('taken', '10.244.1.0/30');
    const [first, second] = [pod(), pod()];
    const { socket } = weft.node;
    const config = { runtimeConfig: { ips: ['10.244.1.2'] } };
    expect(await cni('ADD', { socket, id: 'holder', netns: first.path, config })).toMatchObject({
      status: 0,
    });
    const call = list(second.path, { ...ours, ipam });
    expect(await cniList('ADD', call)).toMatchObject({ status: 1, output: { code: 102 } });
    expect(files(ipam)).toEqual([]);
    expect(await cni('DEL', { socket, id: 'holder' })).toMatchObject({ status: 0 });
  });

  it('dhcp, which has no Ethernet to ask by: it says so, and nothing is left', async () => {
    const socketPath = join(run.folder, 'dhcp.sock');
    node.start('/usr/lib/cni/dhcp', ['daemon', '-socketpath', socketPath], { stdio: 'ignore' });
    await until(() => existsSync(socketPath), 'the DHCP daemon');
    const ipam = { type: 'dhcp', daemonSocketPath: socketPath };
    const namespace = pod();
    const call = list(namespace.path, { ...ours, ipam });
    expect(await cniList('ADD', call)).toMatchObject({
      status: 1,
      output: {
        msg: expect.stringMatching(/^dhcp ADD: .*not found.*; .* a TUN has no Ethernet; use host-local/),
      },
    });
    expect(namespace.run('ip', '-o', 'link')).not.toContain('eth0');
    expect(await cniList('DEL', call)).toMatchObject({ status: 0 });
    expect(await weft.node.client.post('ipam/check', { fix: false })).toEqual([]);
  });

  it('static, outside the ranges of the node', { timeout: 60_000 }, async () => {
    const addresses = [{ address: '10.55.0.7/24', gateway: '10.55.0.1' }, { address: 'fd00:55::7/64' }];
    const namespace = pod();
    const ipam = {
      type: 'static',
      addresses,
      routes: [{ dst: '10.96.0.0/12', gw: '10.55.0.1' }],
      dns: { domain: 'given' },
    };
    const call = list(namespace.path, { ...ours, ipam });
    const { status, output, stdout } = await cniList('ADD', call);
    expect(status, stdout).toBe(0);
    expect(output).toMatchObject({
      ips: [{ address: '10.55.0.7/24', gateway: '10.55.0.1' }, { address: 'fd00:55::7/64' }],
      routes: [{ dst: '10.96.0.0/12', gw: '10.55.0.1' }, { dst: '0.0.0.0/0' }, { dst: '::/0' }],
      dns: { domain: 'given' },
    });
    expect(namespace.run('ip', 'route')).toContain('10.96.0.0/12 via 10.55.0.1 dev eth0');
    for (const [i, family] of FAMILIES.entries()) {
      await ping(namespace, podAddress(1, 1, family));
      await ping(node, addresses[i].address.split('/')[0]);
      await ping(namespace, underlayAddress(9, family));
    }
    expect(await weft.node.client.post('ipam/check', { fix: false })).toEqual([]);
    expect(await cniList('CHECK', { ...call, prevResult: output })).toMatchObject({ status: 0 });
    expect(await cniList('DEL', { ...call, prevResult: output })).toMatchObject({ status: 0 });
  });
});
