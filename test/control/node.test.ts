import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeConfig } from '../../control/config/node-config.ts';
import { type NodeContext, startNode } from '../../control/node.ts';
import { checkPrivileges } from '../../control/preflight.ts';
import type { RunningNode } from '../../control/service.ts';
import type { EngineOptions } from '../../engine/engine.ts';
import { SysError } from '../../sys/errors.ts';
import { parseAddress } from '../../wire/address.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { collected } from '../support/collected.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { recordingLog } from '../support/log.ts';
import { nodeConfig } from '../support/node-config.ts';
import { enterNamespace, makeNamespace, type TestNamespace, until } from '../support/pod-namespace.ts';

let node: TestNamespace;
let leave: () => void;
let state: string;
let namespaces: TestNamespace[];
let running: RunningNode[];
const ip = (command: string) => node.run('ip', ...command.split(' '));

beforeEach(() => {
  namespaces = [];
  running = [];
  state = mkdtempSync(join(tmpdir(), 'weft-node-'));
  node = namespace();
  leave = enterNamespace(node.path);
  ip('link set lo up');
  ip('link add u0 type veth peer name u1');
  ip('link set u1 up');
  ip('link set u0 up');
  ip('addr add 192.168.77.1/24 dev u0');
});
afterEach(async () => {
  for (const one of running) await one.stop();
  leave();
  for (const one of namespaces) one.delete();
  rmSync(state, { recursive: true });
});

function namespace(): TestNamespace {
  const made = makeNamespace();
  namespaces.push(made);
  return made;
}

async function start(config: NodeConfig = nodeConfig(state), changed: Partial<NodeContext> = {}) {
  const engine = new FakeEngine();
  const log = recordingLog();
  let options: EngineOptions | undefined;
  const started = await startNode(config, {
    configPath: '/etc/weft/node.yaml',
    version: '0.0.0',
    log,
    onFailure: (error) => expect.fail(error.message),
    startEngine(given) {
      options = given;
      return engine;
    },
    ...changed,
  });
  running.push(started);
  return { ...started, engine, log, options };
}

const route = (to: string, via: string) => ({ to: parsePrefix(to), via: parseAddress(via) });
const weftRoutes = () =>
  `${ip('route show proto 87')}${ip('-6 route show proto 87')}`.trim().split('\n').filter(Boolean);
const tables = () => execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).trim();
const hasHostPort = () => ip('-o link').includes(' weft0:');
const nothingLeft = () => {
  expect([hasHostPort(), weftRoutes(), tables()]).toEqual([false, [], '']);
};

describe('startNode', () => {
  it('puts everything in place, and says what it is', async () => {
    const { service, engine, options } = await start();
    expect(Object.keys(Object.fromEntries(engine.routes)).sort()).toEqual([
      '0.0.0.0/0',
      '10.244.1.0/24',
      '10.244.1.1/32',
      '::/0',
      'fd00:244:1::/64',
      'fd00:244:1::1/128',
    ]);
    expect(engine.routes.get('10.244.1.0/24')).toEqual([{ kind: 'unreachable' }]);
    expect(weftRoutes()).toEqual([
      expect.stringMatching(/^10\.244\.1\.0\/24 dev weft0 scope link src 10\.244\.1\.1 mtu 1450/),
      expect.stringMatching(/^fd00:244:1::\/64 dev weft0 src fd00:244:1::1/),
    ]);
    expect(tables()).toBe('table inet weft_nat_weft0');
    expect(options).toMatchObject({
      underlay: {
        addresses: [parseAddress('192.168.77.1')],
        vxlanPort: 4789,
        workers: 2,
        vxlan: true,
        ipip: true,
      },
      vni: 4096,
      router: { v4: parseAddress('10.244.1.1').words[0], v6: parseAddress('fd00:244:1::1').words },
    });
    expect(await service.status()).toMatchObject({
      node: 'node-a',
      version: '0.0.0',
      pid: process.pid,
      workers: 2,
      offload: { checksum: { on: true }, udpSegment: { on: true } },
      vtep: {
        address: '192.168.77.1',
        mac: '02:57:c0:a8:4d:01',
        vni: 4096,
        port: 4789,
        interface: 'u0',
        mtu: 1500,
      },
      pods: 0,
      routes: 6,
      bgp: { peers: 0, established: 0, learned: 0, unusable: 0 },
      mtu: 1450,
      host: { interface: 'weft0', ips: ['10.244.1.1', 'fd00:244:1::1'], natOutgoing: true },
    });
    expect(await service.drops()).toMatchObject({ 'no-route': 0, 'spoofed-source': 0 });
    expect(await service.why({} as never)).toEqual({
      verdict: 'no-route',
      reason: 'no route to the destination',
      steps: [{ step: 'parse', detail: 'a packet' }],
    });
  });

  it('without pods leaves nothing behind', async () => {
    const { stop } = await start(nodeConfig(state, { routes: [route('10.244.2.0/24', '192.168.77.2')] }));
    expect(weftRoutes()).toHaveLength(3);
    await stop();
    nothingLeft();
  });

  it('with pods keeps what they need, and the next node takes it over', async () => {
    const pod = namespace();
    const first = await start();
    const request = { id: 'a', ifname: 'eth0', netns: pod.path, ips: [] };
    expect(await first.service.attach(request)).toMatchObject({
      interface: 'eth0',
      ips: ['10.244.1.2/32', 'fd00:244:1::2/128'],
      mtu: 1450,
    });
    const { ifindex } = JSON.parse(ip('-j link show weft0'))[0];
    await first.stop();
    expect([hasHostPort(), weftRoutes().length, tables()]).toEqual([true, 2, 'table inet weft_nat_weft0']);
    await expect(first.service.attach(request)).rejects.toThrow(/stopping/);

    const next = await start();
    expect(JSON.parse(ip('-j link show weft0'))[0].ifindex).toBe(ifindex);
    expect(next.engine.routes.has('10.244.1.2/32')).toBe(true);
    expect(await next.service.pods()).toMatchObject([
      { id: 'a', ifname: 'eth0', ips: ['10.244.1.2/32', 'fd00:244:1::2/128'], state: 'forwarding', drops: 0 },
    ]);
    await next.service.detach(request);
    await next.stop();
    nothingLeft();
  });

  it('notices a pod that is gone', async () => {
    const pod = namespace();
    const { service, engine } = await start();
    await service.attach({ id: 'a', ifname: 'eth0', netns: pod.path, ips: [] });
    pod.delete();
    await until(() => !engine.routes.has('10.244.1.2/32'), 'the pod to be noticed');
    // The route goes first, the attachment when that is on disk.
    await expect.poll(() => service.pods()).toEqual([]);
  });

  it('removes what a node without a clean end has left', async () => {
    ip('route add 10.66.0.0/16 dev u0 proto 87');
    execFileSync('nft', ['add', 'table', 'inet', 'weft_nat_weft0']);
    const { stop } = await start();
    expect(weftRoutes().join()).not.toContain('10.66');
    await stop();
    nothingLeft();
  });

  it('shows routes and tunnels', async () => {
    const routes = [
      route('10.244.2.0/24', '192.168.77.2'),
      route('10.244.2.0/24', '192.168.77.3'),
      { ...route('10.244.9.0/24', '192.168.77.2'), encap: 'ipip' as const },
    ];
    const { service } = await start(nodeConfig(state, { routes }));
    const all = await collected(service.routes());
    expect(all.map(({ prefix }) => prefix)).toEqual([
      '0.0.0.0/0',
      '10.244.1.0/24',
      '10.244.1.1/32',
      '10.244.2.0/24',
      '10.244.9.0/24',
      '::/0',
      'fd00:244:1::/64',
      'fd00:244:1::1/128',
    ]);
    expect(await collected(service.routes(parseAddress('10.244.2.7')))).toEqual([
      {
        prefix: '10.244.2.0/24',
        source: 'static',
        best: true,
        nextHops: ['02', '03'].map((last) => ({
          via: `192.168.77.${Number(last)}`,
          encap: 'vxlan',
          port: 4789,
          vni: 4096,
          mac: `02:57:c0:a8:4d:${last}`,
          mtu: 1450,
        })),
      },
    ]);
    expect(all[0].nextHops).toEqual([{ via: null, encap: 'local', port: 'weft0' }]);
    expect(await service.tunnels()).toMatchObject([
      { remote: '192.168.77.2', encap: 'ipip+vxlan', mtu: 1450, routes: 2, lastSeen: null },
      { remote: '192.168.77.3', encap: 'vxlan', mtu: 1450, routes: 1 },
    ]);
    expect((await service.metrics()).routes).toEqual({ static: 2, bgp: 0, local: 2, host: 4 });
  });

  it('follows the underlay: its MTU, and routes that the kernel drops with an interface', async () => {
    const routes = [
      route('10.244.2.0/24', '192.168.77.2'),
      { ...route('10.244.3.0/24', '192.168.77.3'), encap: 'direct' as const },
    ];
    const { engine, service } = await start(nodeConfig(state, { routes }));
    ip('link set u0 mtu 1400');
    await until(() => JSON.stringify(engine.routes.get('10.244.2.0/24')).includes('1350'), 'the new MTU');
    expect((await service.status()).mtu).toBe(1350);
    ip('link set u0 down');
    ip('link set u0 up');
    await until(
      () => weftRoutes().some((line) => line.startsWith('10.244.3.0/24 via 192.168.77.3')),
      'the route',
    );
  });
});

describe('a start that fails', () => {
  const failing: [string, () => NodeConfig, RegExp, Partial<NodeContext>?][] = [
    [
      'underlay address of another node',
      () => nodeConfig(state, { node: { name: undefined, address: [parseAddress('192.168.77.9')] } }),
      /node.address: 192\.168\.77\.9 is not an address of this node/,
    ],
    [
      'no default route',
      () => nodeConfig(state, { node: { name: undefined, address: 'auto' } }),
      /no default route/,
    ],
    ['state folder that is a file', () => nodeConfig(join(state, 'file')), /state: .*file cannot be used/],
    [
      'interface that is no TUN',
      () => nodeConfig(state, { host: { interface: 'u1', natOutgoing: true } }),
      /host.interface: u1 exists/,
    ],
    [
      'VXLAN port in use',
      () => nodeConfig(state),
      /encap.vxlan.port: UDP port 4789 .*in use/,
      {
        startEngine() {
          throw new SysError('bind', 98, 'binding');
        },
      },
    ],
    [
      'routes that contradict each other',
      () => nodeConfig(state, { routes: [{ ...route('fd00:9::/64', '192.168.77.2'), encap: 'direct' }] }),
      /fd00:9::\/64 via 192\.168\.77\.2/,
    ],
    [
      'MTU too small for IPv6',
      () => nodeConfig(state, { pods: { cidrs: [parsePrefix('fd00:1::/64')], mtu: 1200 } }),
      /pods.mtu: 1200 bytes/,
    ],
  ];

  it.each(failing)('%s: says so and leaves nothing', async (_, config, message, context) => {
    writeFileSync(join(state, 'file'), '');
    await expect(start(config(), context)).rejects.toThrow(message);
    nothingLeft();
    await (await start()).stop();
    nothingLeft();
  });

  it('does not disturb the node that is running', async () => {
    const first = await start();
    await expect(start()).rejects.toMatchObject({ code: 'in-use' });
    const other = join(state, 'other');
    mkdirSync(other);
    await expect(start(nodeConfig(other))).rejects.toThrow(
      /another weft node in this network namespace has weft0/,
    );
    const elsewhere = nodeConfig(other, { host: { interface: 'weft1', natOutgoing: true } });
    await expect(start(elsewhere)).rejects.toThrow(/another weft node .* has 192\.168\.77\.1 port 4789/);
    expect([hasHostPort(), weftRoutes().length, tables()]).toEqual([true, 2, 'table inet weft_nat_weft0']);
    expect(first.engine.ports.size).toBe(1);
  });

  it('two nodes of one state folder in two namespaces', async () => {
    await start();
    const home = leave;
    const second = namespace();
    const back = enterNamespace(second.path);
    try {
      second.run('ip', 'link', 'set', 'lo', 'up');
      const config = nodeConfig(state, { node: { name: undefined, address: [parseAddress('127.0.0.1')] } });
      await expect(start(config)).rejects.toThrow(`in use by another weft node (process ${process.pid})`);
    } finally {
      back();
      leave = home;
    }
  });

  it('missing privileges', () => {
    expect(() => checkPrivileges('CapEff:\t0000000000001000\n')).toThrow(
      /lacks the privilege CAP_NET_RAW, CAP_SYS_ADMIN: run it as root/,
    );
    checkPrivileges('CapEff:\t000001ffffffffff\n');
  });
});

describe('reload', () => {
  it('applies the difference', async () => {
    const config = nodeConfig(state, {
      routes: [route('10.244.2.0/24', '192.168.77.2'), route('10.244.3.0/24', '192.168.77.3')],
    });
    const { reload, engine, service } = await start(config);
    const before = engine.routes.get('10.244.2.0/24');
    await reload({
      ...config,
      host: { ...config.host, natOutgoing: false },
      pods: { ...config.pods, mtu: 1300 },
      routes: [route('10.244.2.0/24', '192.168.77.2'), route('10.244.4.0/24', '192.168.77.4')],
    });
    expect(engine.routes.get('10.244.2.0/24')).toBe(before);
    expect(engine.routes.has('10.244.3.0/24')).toBe(false);
    expect(engine.routes.has('10.244.4.0/24')).toBe(true);
    expect(weftRoutes().map((line) => line.split(' ')[0])).toEqual([
      '10.244.1.0/24',
      '10.244.2.0/24',
      '10.244.4.0/24',
      'fd00:244:1::/64',
    ]);
    expect(tables()).toBe('');
    expect(await service.status()).toMatchObject({ mtu: 1300, host: { natOutgoing: false } });
    await reload(config);
    expect(tables()).toBe('table inet weft_nat_weft0');
    expect(
      execFileSync('nft', ['list', 'set', 'inet', 'weft_nat_weft0', 'fabric4'], { encoding: 'utf8' }),
    ).toContain('10.244.3');
  });

  it('refuses what needs a restart, and then has changed nothing', async () => {
    const config = nodeConfig(state);
    const { reload, engine } = await start(config);
    const next = {
      ...config,
      pods: { ...config.pods, cidrs: [parsePrefix('10.9.0.0/16')] },
      engine: { ...config.engine, workers: 1 },
      routes: [route('10.244.2.0/24', '192.168.77.2')],
    };
    await expect(reload(next)).rejects.toThrow(/^pods\.cidrs, engine cannot change while the node runs/);
    expect(engine.routes.has('10.244.2.0/24')).toBe(false);
  });

  it('that fails in the middle goes back', async () => {
    const config = nodeConfig(state);
    const { reload, engine } = await start(config);
    const routes = [route('10.244.2.0/24', '192.168.77.2')];
    engine.failing = 'setRoute';
    await expect(reload({ ...config, routes })).rejects.toThrow('injected');
    engine.failing = undefined;
    expect(engine.routes.has('10.244.2.0/24')).toBe(false);
    await expect(
      reload({ ...config, routes: [{ ...routes[0], via: parseAddress('fd00::2'), encap: 'ipip' }] }),
    ).rejects.toThrow(/IPIP/);
    await reload({ ...config, routes });
    expect(engine.routes.has('10.244.2.0/24')).toBe(true);
  });
});
