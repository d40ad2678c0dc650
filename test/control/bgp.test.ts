// BGP in a node, with a speaker that is not one: what is announced, what becomes of what is learned, what stays.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NodeConfig } from '../../control/config/node-config.ts';
import { parseConfig } from '../../control/config.ts';
import { startNode } from '../../control/node.ts';
import type { RunningNode } from '../../control/service.ts';
import type { BfdEvents, BfdTarget } from '../../routing/bfd/bfd.ts';
import { TunnelType } from '../../routing/bgp/codec/tunnel.ts';
import { announcedTunnels } from '../../routing/learned.ts';
import { formatAddress, parseAddress } from '../../wire/address.ts';
import { formatPrefix, parsePrefix } from '../../wire/prefix.ts';
import { collected } from '../support/collected.ts';
import { FakeBgp } from '../support/fake-bgp.ts';
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
  state = mkdtempSync(join(tmpdir(), 'weft-bgp-'));
  node = namespace();
  leave = enterNamespace(node.path);
  ip('link set lo up');
  for (const [name, peer] of [
    ['u0', 'u1'],
    ['v0', 'v1'],
  ]) {
    ip(`link add ${name} type veth peer name ${peer}`);
    ip(`link set ${peer} up`);
    ip(`link set ${name} up`);
  }
  ip('addr add 192.168.77.1/24 dev u0');
  ip('addr add 192.168.88.1/24 dev v0');
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

const VXLAN = { encap: 'vxlan', vni: 4096, udpPort: 4789 } as const;
const RECORD = 'learned-routes.json';
const PEER = '{ name: rr, address: 192.168.77.9, asn: 64512 }';

function config(bgp = `{ asn: 64512, peers: [${PEER}] }`, changed: Partial<NodeConfig> = {}): NodeConfig {
  return nodeConfig(state, { bgp: parseConfig(`bgp: ${bgp}`, 'weft.yaml').bgp, ...changed });
}

async function start(given: NodeConfig = config(), { initial = true } = {}) {
  const engine = new FakeEngine();
  const log = recordingLog();
  const speakers: FakeBgp[] = [];
  const bfd: { events?: BfdEvents; watched: readonly BfdTarget[]; stopped: boolean } = {
    watched: [],
    stopped: false,
  };
  const started = await startNode(given, {
    configPath: '/etc/weft/node.yaml',
    version: '0.0.0',
    log,
    onFailure: (error) => expect.fail(error.message),
    startEngine: () => engine,
    startBgp(options) {
      const speaker = new FakeBgp(options);
      speakers.push(speaker);
      if (initial) setImmediate(() => options.events.onInitialRoutes());
      return speaker;
    },
    startBfd(events) {
      bfd.events = events;
      return {
        watch: (targets) => {
          bfd.watched = targets;
        },
        stop: async () => {
          bfd.stopped = true;
        },
      };
    },
  });
  running.push(started);
  return { ...started, engine, log, speakers, bgp: speakers[0], bfd };
}

const weftRoutes = () =>
  `${ip('route show proto 87')}${ip('-6 route show proto 87')}`.trim().split('\n').filter(Boolean);
const routeTo = (prefix: string) => weftRoutes().find((line) => line.startsWith(`${prefix} `));

it('tells peers how its pods want to be reached, and only that is announced', async () => {
  const { bgp, service } = await start();
  expect(bgp.settings).toMatchObject({
    asn: 64512,
    routerId: parseAddress('192.168.77.1'),
    peers: [{ name: 'rr', asn: 64512 }],
  });
  const [four, six] = bgp.originated;
  expect(bgp.originated.map(({ prefix }) => formatPrefix(prefix))).toEqual([
    '10.244.1.0/24',
    'fd00:244:1::/64',
  ]);
  expect(four.attributes.nextHop && formatAddress(four.attributes.nextHop)).toBe('192.168.77.1');
  expect(six.attributes.nextHop && formatAddress(six.attributes.nextHop)).toBe('::ffff:192.168.77.1');
  expect(four.attributes.tunnels).toMatchObject([
    { type: TunnelType.vxlan, subTlvs: [{ vni: 4096 }, { address: parseAddress('192.168.77.1') }, {}] },
  ]);
  expect((await service.status()).bgp).toMatchObject({ peers: 1, established: 0 });
  const address = parseAddress('192.168.77.254');
  bgp.events.onPeer({ peer: 'rr', up: true, address });
  // Met by its prefix.
  bgp.events.onPeer({ peer: 'rack-192.168.77.9', up: true, address: parseAddress('192.168.77.9') });
  expect((await service.status()).bgp).toMatchObject({ peers: 2, established: 2 });
  bgp.events.onPeer({ peer: 'rack-192.168.77.9', up: false, address, why: 'gone' });
  expect((await service.status()).bgp).toEqual({
    peers: 1,
    established: 1,
    asn: 64512,
    learned: 0,
    unusable: 0,
  });
});

it('announces more while it holds: pods, a route', async () => {
  const advertise = `[{ prefix: 10.96.0.0/16, when: pods, communities: ["64512:1"] }, { prefix: 10.97.0.0/16, when: 10.9.0.0/16 }]`;
  const { bgp, service } = await start(config(`{ asn: 64512, advertise: ${advertise}, peers: [${PEER}] }`));
  const announced = () => bgp.originated.map(({ prefix }) => formatPrefix(prefix)).join();
  expect(announced()).toBe('');
  const pod = namespace();
  await service.attach({ id: 'a', ifname: 'eth0', netns: pod.path, ips: [] });
  await until(() => announced() === '10.96.0.0/16', 'the pod to be announced');
  expect(bgp.originated[0].attributes.communities).toEqual([64512 * 65536 + 1]);
  await bgp.learn(['10.9.0.0/16', { via: '192.168.77.2' }]);
  await until(() => announced() === '10.96.0.0/16,10.97.0.0/16', 'the route to count');
  await service.detach({ id: 'a', ifname: 'eth0' });
  await until(() => announced() === '10.97.0.0/16', 'the pod to be withdrawn');
});

it('forwards by what it learns, in one step for each batch', async () => {
  const { bgp, engine, service } = await start();
  const batches = engine.batches;
  await bgp.learn(
    ['10.244.2.0/24', { via: '192.168.77.2' }],
    ['10.8.0.0/16', { via: '192.168.77.254', source: 'external' }],
  );
  expect(engine.batches).toBe(batches + 1);
  expect(engine.routes.get('10.244.2.0/24')).toMatchObject([
    { kind: 'vxlan', via: parseAddress('192.168.77.2'), mtu: 1450 },
  ]);
  expect(engine.routes.get('10.8.0.0/16')).toMatchObject([
    { kind: 'direct', via: parseAddress('192.168.77.254') },
  ]);
  expect(routeTo('10.244.2.0/24')).toMatch(/dev weft0 .*metric 20 mtu 1450/);
  expect(routeTo('10.8.0.0/16')).toMatch(/via 192\.168\.77\.254 dev u0 metric 20/);
  expect(await collected(service.routes(parseAddress('10.244.2.7')))).toMatchObject([
    {
      prefix: '10.244.2.0/24',
      source: 'bgp',
      nextHops: [{ via: '192.168.77.2', encap: 'vxlan' }],
      best: true,
    },
  ]);
  expect(await service.routesCheck()).toEqual([]);
  ip('route del 10.8.0.0/16');
  expect(await service.routesCheck()).toEqual(["10.8.0.0/16 is not in the node's table"]);
  await bgp.learn(['10.244.2.0/24'], ['10.8.0.0/16']);
  expect(engine.routes.has('10.244.2.0/24')).toBe(false);
  expect(weftRoutes()).toHaveLength(2);
  expect(await service.routesCheck()).toEqual([]);
});

it('a default route from a router, behind one that the node has itself', async () => {
  const { bgp, engine } = await start();
  const before = engine.routes.get('0.0.0.0/0');
  ip('route add default via 192.168.77.250');
  await bgp.learn(['0.0.0.0/0', { via: '192.168.77.254', source: 'external' }]);
  expect(engine.routes.get('0.0.0.0/0')).toMatchObject([
    { kind: 'direct', via: parseAddress('192.168.77.254') },
  ]);
  expect(ip('route show default').trim().split('\n')).toEqual([
    expect.stringMatching(/^default via 192\.168\.77\.250 dev u0/),
    expect.stringMatching(/^default via 192\.168\.77\.254 dev u0 proto 87 metric 20/),
  ]);
  await bgp.learn(['0.0.0.0/0']);
  expect(engine.routes.get('0.0.0.0/0')).toEqual(before);
});

it('learned routes through tunnels stay out of the kernel where that is wanted', async () => {
  const { bgp, engine } = await start(config(`{ asn: 64512, kernelRoutes: false, peers: [${PEER}] }`));
  await bgp.learn(
    ['10.244.2.0/24', { via: '192.168.77.2' }],
    ['10.8.0.0/16', { via: '192.168.77.254', source: 'external' }],
  );
  expect(engine.routes.has('10.244.2.0/24')).toBe(true);
  expect([routeTo('10.244.2.0/24'), routeTo('10.8.0.0/16')]).toEqual([undefined, expect.anything()]);
});

it('resolves the next hops that the speaker asks for, and follows the kernel', async () => {
  const { bgp, engine, service } = await start();
  const ask = ['192.168.77.2', '10.9.9.9'].map(parseAddress);
  bgp.events.onNextHops({ added: ask, removed: [] });
  expect([...bgp.nextHopCosts]).toEqual([
    ['192.168.77.2', 0],
    ['10.9.9.9', null],
  ]);
  await bgp.learn(['10.244.9.0/24', { via: '10.9.9.9' }]);
  expect(engine.routes.has('10.244.9.0/24')).toBe(false);
  expect(await collected(service.routes())).toContainEqual({
    prefix: '10.244.9.0/24',
    source: 'bgp',
    nextHops: [],
    best: false,
    problems: ['10.9.9.9: no route to 10.9.9.9'],
  });
  expect((await service.status()).bgp).toMatchObject({ learned: 1, unusable: 1 });
  ip('route add 10.9.0.0/16 via 192.168.77.250');
  await until(() => bgp.nextHopCosts.get('10.9.9.9') === 1, 'the route of the kernel to count');
  expect(engine.routes.has('10.244.9.0/24')).toBe(true);
  ip('route del 10.9.0.0/16');
  await until(() => bgp.nextHopCosts.get('10.9.9.9') === null, 'the route of the kernel to be missed');
  expect(engine.routes.has('10.244.9.0/24')).toBe(false);
  // A cable that is cut.
  ip('link set u1 down');
  await until(() => bgp.nextHopCosts.get('192.168.77.2') === null, 'the link to be missed');
});

it('several routers share the flows, and when one is lost nothing but its flows moves', async () => {
  const { bgp, service } = await start();
  const routers = ['192.168.77.253', '192.168.77.254', '192.168.88.254'].map(
    (via) => ({ via, source: 'external' }) as const,
  );
  const prefixes = Array.from({ length: 20 }, (_, n) => `10.${n + 20}.0.0/16`);
  /** Member by bucket. */
  const buckets = () =>
    [...ip('nexthop bucket list').matchAll(/index (\d+) .*nhid (\d+)/g)].map(([, , member]) => member);
  const groups = () => weftRoutes().flatMap((line) => /^(10\.\d+\.0\.0\/16 nhid \d+)/.exec(line)?.[1] ?? []);
  await bgp.learn(...prefixes.map((prefix) => [prefix, ...routers] as const));
  const [before, group] = [buckets(), groups()];
  expect([before.length, new Set(before).size]).toEqual([128, 3]);
  expect([group.length, new Set(group.map((line) => line.split(' ')[2])).size]).toEqual([20, 1]);
  await bgp.learn(...prefixes.map((prefix) => [prefix, ...routers.slice(1)] as const));
  const after = buckets();
  expect(groups()).toEqual(group); // The group changed, not the routes.
  const members = new Set(after);
  expect(members.size).toBe(2);
  for (const [n, was] of before.entries()) if (members.has(was)) expect(after[n]).toBe(was);
  expect(await service.routesCheck()).toEqual([]);
  await bgp.learn(...prefixes.map((prefix) => [prefix] as const));
  expect(ip('nexthop').trim()).toBe('');
});

it('over a restart keeps what it has learned until peers have told it again', async () => {
  const pod = namespace();
  const first = await start();
  await first.service.attach({ id: 'a', ifname: 'eth0', netns: pod.path, ips: [] });
  expect(first.bgp.restarting).toBe(false);
  await first.bgp.learn(
    [
      '10.244.2.0/24',
      { via: '192.168.77.2', tunnels: announcedTunnels(VXLAN, parseAddress('192.168.77.2')) },
    ],
    ['10.244.3.0/24', { via: '192.168.77.3' }],
  );
  const paths = first.engine.routes.get('10.244.2.0/24');
  await first.stop();
  expect(first.bgp.stopped).toEqual({ restart: true });
  expect([routeTo('10.244.2.0/24'), routeTo('10.244.3.0/24')]).toEqual([
    expect.anything(),
    expect.anything(),
  ]);

  const next = await start(config(), { initial: false });
  expect(next.bgp.restarting).toBe(true);
  expect(next.engine.routes.get('10.244.2.0/24')).toEqual(paths);
  await next.bgp.learn(['10.244.2.0/24', { via: '192.168.77.2' }]);
  expect(next.engine.routes.has('10.244.3.0/24')).toBe(true);
  // What nobody has told again yet is not written down again.
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(readdirSync(state)).not.toContain(RECORD);
  next.bgp.events.onInitialRoutes();
  expect([next.engine.routes.has('10.244.2.0/24'), next.engine.routes.has('10.244.3.0/24')]).toEqual([
    true,
    false,
  ]);
  expect(routeTo('10.244.3.0/24')).toBeUndefined();
  // For who is killed.
  await until(() => readdirSync(state).includes(RECORD), 'the record of what is learned');
  const record = readFileSync(join(state, RECORD), 'utf8');
  expect(JSON.parse(record).routes).toHaveLength(1);
  await next.service.detach({ id: 'a', ifname: 'eth0' });
  await next.stop();
  // Without pods it is gone, and says so.
  expect(readdirSync(state)).not.toContain(RECORD);
  expect(next.bgp.stopped).toEqual({ restart: false });
  expect(weftRoutes()).toEqual([]);
  const last = await start();
  expect(last.bgp.restarting).toBe(false);
});

it('is changed, ended and begun by a reload', async () => {
  const { bgp, speakers, engine, reload, service } = await start();
  await bgp.learn(['10.244.2.0/24', { via: '192.168.77.2' }]);
  await reload(config(`{ asn: 64512, peers: [${PEER}, { name: b, address: 192.168.77.8, asn: 64512 }] }`));
  expect([bgp.settings.peers.map(({ name }) => name), speakers.length]).toEqual([['rr', 'b'], 1]);
  bgp.refusing = 'no';
  await expect(reload(config(`{ asn: 64513, peers: [] }`))).rejects.toThrow('no');
  bgp.refusing = undefined;
  // What is known of how others are reached holds for what was learned before.
  const direct = config();
  await reload({ ...direct, encap: { ...direct.encap, type: 'direct' } });
  expect(engine.routes.get('10.244.2.0/24')).toMatchObject([{ kind: 'direct' }]);
  expect(bgp.originated[0].attributes.tunnels).toBeUndefined();
  await reload(nodeConfig(state));
  expect(bgp.stopped).toEqual({ restart: false });
  expect([engine.routes.has('10.244.2.0/24'), await service.bgp()]).toEqual([false, []]);
  await expect(service.bgpWhy(parsePrefix('10.0.0.0/8'))).rejects.toThrow(/BGP is not configured/);
  await reload(config());
  expect(speakers).toHaveLength(2);
  expect(speakers[1].originated).toHaveLength(2);
});

it('says what is what, and passes on what is asked for', async () => {
  const { bgp, service } = await start();
  expect(await service.bgp()).toMatchObject([
    {
      name: 'rr',
      address: '192.168.77.9',
      asn: 64512,
      state: 'established',
      uptimeSeconds: 7,
      received: 3,
      accepted: 2,
      advertised: 1,
      lastError: null,
    },
  ]);
  const attributes = {
    nextHop: parseAddress('192.168.77.2'),
    asPath: [{ kind: 'sequence', asns: [64500, 64501] }],
    localPref: 100,
    communities: [0xffffff01, 64500 * 65536 + 7],
    ...(bgp.originated[0].attributes.tunnels && { tunnels: bgp.originated[0].attributes.tunnels }),
  } as never;
  bgp.table = ['10.1.0.0/16', '10.2.0.0/16'].map((prefix) => ({
    prefix: parsePrefix(prefix),
    pathId: 0,
    peer: 'rr',
    attributes,
    staleness: 'fresh',
    best: true,
  }));
  const all = (query: Parameters<typeof service.bgpRoutes>[0]) => collected(service.bgpRoutes(query));
  expect((await all({ rib: 'local', beforePolicy: false }))[0]).toEqual({
    prefix: '10.1.0.0/16',
    peer: 'rr',
    best: true,
    nextHop: '192.168.77.2',
    asPath: '64500 64501',
    origin: 'igp',
    localPref: 100,
    communities: ['no-export', '64500:7'],
    tunnels: [{ type: 'vxlan', endpoint: '192.168.77.1', vni: 4096, mac: '02:57:c0:a8:4d:01' }],
  });
  await all({ rib: 'in', peer: 'rr', beforePolicy: true });
  await all({ rib: 'in', beforePolicy: false });
  await all({ rib: 'out', peer: 'rr', beforePolicy: false });
  await service.bgpClear({ peer: 'rr', how: 'hard' });
  await service.bgpShutdown({ peer: 'rr', text: 'moved' });
  await service.bgpEnable({ peer: 'rr' });
  expect(bgp.asked).toEqual([
    'routes local ',
    'routes received rr',
    'routes accepted rr',
    'routes advertised rr',
    'clear rr hard',
    'shutdown rr moved',
    'enable rr',
  ]);
  await expect(service.bgpClear({ peer: 'x', how: 'in' })).rejects.toThrow("no BGP peer 'x'; there are: rr");
  await expect(all({ rib: 'in', peer: 'x', beforePolicy: false })).rejects.toThrow("no BGP peer 'x'");
  const { bgp: peers } = await service.metrics();
  expect(peers).toHaveLength(1);
});

it('watches by BFD who has a session and wants it, and ends the session of who is lost', async () => {
  const watched = (how: string) =>
    config(`{ asn: 64512, peers: [{ name: rr, address: 192.168.77.9, asn: 64512, bfd: ${how} }] }`);
  const { bgp, bfd, service, reload, stop } = await start(watched('{ interval: 100 }'));
  const [address, localAddress] = ['192.168.77.9', '192.168.77.1'].map(parseAddress);
  expect(bfd.watched).toEqual([]);
  bgp.events.onPeer({ peer: 'rr', up: true, address, localAddress, interface: 'u0' });
  const target = { name: 'rr', remote: address, local: localAddress, multihop: false, multiplier: 3 };
  expect(bfd.watched).toEqual([{ ...target, interval: 100 }]);
  bfd.events?.onView({
    name: 'rr',
    state: 'up',
    detectionMs: 300,
    intervalMs: 100,
    losses: 0,
    lastLoss: null,
  });
  expect(await service.bgp()).toMatchObject([{ bfd: { state: 'up', detectionMs: 300 } }]);
  bfd.events?.onLost('rr', 'nothing was heard');
  expect(bgp.asked).toEqual(['lost rr BFD: nothing was heard']);

  await reload(watched('{ interval: 200, multihop: true }'));
  expect(bfd.watched).toEqual([{ ...target, interval: 200, multihop: true }]);
  await service.bgpShutdown({ peer: 'rr', text: '' });
  expect(bfd.watched).toEqual([]);
  expect(await service.bgp()).toMatchObject([{ bfd: null }]);
  await service.bgpEnable({ peer: 'rr' });
  expect(bfd.watched).toHaveLength(1);
  await reload(watched('false'));
  expect(bfd.watched).toEqual([]);
  await stop();
  expect(bfd.stopped).toBe(true);
});

it('needs a router ID', async () => {
  ip('addr add fd00:77::1/64 dev u0 nodad');
  const six = config(undefined, { node: { name: 'a', address: [parseAddress('fd00:77::1')] } });
  await expect(start(six)).rejects.toThrow(/^bgp\.routerId: there is no IPv4 underlay address to take/);
  expect(execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })).toBe('');
});
