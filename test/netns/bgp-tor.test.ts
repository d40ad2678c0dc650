// A node in a rack: its pods reached from the data centre as they are, its ways learned from the router, and `weft bgp` with
// a peer that is somebody else's.
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BgpPeer, BgpRoute, BgpWhy } from '../../control/service.ts';
import { Run } from '../../lab/run.ts';
import { capture } from '../support/capture.ts';
import { birdTor, DataCentre, NODE_ASN, SERVER_PREFIXES, TOR_ASN } from '../support/data-centre.ts';
import { type Pod, podPrefixes, startWeft, type WeftSite, weftConfig } from '../support/pods.ts';
import { asRouter, eventually, type Router, startBird } from '../support/routers.ts';
import { exchangeTcp, ping } from '../support/traffic.ts';
import { portName, underlayAddress } from '../support/underlay.ts';
import { begin, weft as program } from '../support/weft.ts';

const TOR = 10;
const EXTRA = '10.96.0.0/16';
const ONLY_WHEN = '203.0.113.0/24';

let run: Run;
let dc: DataCentre;
let tor: Router;
let weft: WeftSite;
let pod: Pod;

const POLICIES = {
  'from-tor': [
    { match: { prefixes: ['0.0.0.0/0', '::/0'] }, set: { localPref: 200 }, action: 'accept' },
    { match: { prefixes: SERVER_PREFIXES }, action: 'accept' },
  ],
  'to-tor': [{ match: { sources: ['local'] }, action: 'accept' }],
};
const config = (bgp: object = {}) => ({
  node: { address: [underlayAddress(1, 4), underlayAddress(1, 6)] },
  encap: { type: 'direct' },
  bgp: {
    asn: NODE_ASN,
    advertise: [
      { prefix: 'pods', communities: ['64512:10'] },
      { prefix: EXTRA, med: 7, largeCommunities: ['64512:1:2'] },
      { prefix: ONLY_WHEN, when: SERVER_PREFIXES[0] },
    ],
    policies: POLICIES,
    peers: [
      {
        ...{ name: 'tor', address: underlayAddress(TOR, 4), asn: TOR_ASN },
        ...{ import: ['from-tor'], export: ['to-tor'], bfd: { interval: 100 } },
      },
    ],
    ...bgp,
  },
});

const command = async (...args: string[]) => {
  const result = await program(args, { env: { WEFT_SOCKET: weft.node.socket } });
  if (result.status !== 0) throw new Error(`weft ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
};
const json = async <T>(...args: string[]) => JSON.parse(await command(...args, '--json')) as T;
const peer = async () => (await weft.node.client.get<BgpPeer[]>('bgp'))[0];
/** What the router has of a prefix: nothing, when it has no route. */
const of = (prefix: string) =>
  tor.ask(`show route ${prefix} all`).catch((error: Error & { stdout?: string }) => {
    if (error.stdout?.includes('Network not found')) return '';
    throw error;
  });
const prefixesOf = (routes: readonly BgpRoute[]) => routes.map(({ prefix }) => prefix).sort();
const routes = (query: Record<string, string>) => weft.node.client.get<BgpRoute[]>('bgp/routes', query);

beforeAll(async () => {
  run = new Run();
  dc = new DataCentre(run, [1]);
  const others = ['198.51.100.0/24'];
  const routes4 = ['0.0.0.0/0', SERVER_PREFIXES[0], ...others];
  tor = await startBird(run, dc.tor(TOR), birdTor({ n: TOR, nodes: [1], bfd: true, routes4 }));
  const namespace = asRouter(dc.underlay.host(1));
  weft = await startWeft(run, dc.underlay, 1, { namespace, config: config() });
  pod = await weft.pod();
  await eventually(async () => {
    expect(await peer()).toMatchObject({ state: 'established', bfd: { state: 'up' }, accepted: 4 });
  });
  // The kernel takes a second to see that the server's new link is up.
  await eventually(() => expect(dc.server.ip(`route get ${pod.ip(4)}`)).toContain('dev tor10'));
  for (const family of [4, 6] as const) {
    await eventually(() => ping(pod.namespace, dc.serverIp(family), { count: 1 }));
  }
}, 60_000);
afterAll(() => run?.close());

it('pods are reached without encapsulation, and reach what the router leads to', async () => {
  await eventually(async () => expect(await of(podPrefixes(1)[1])).toContain('node1'));
  const out = {
    interface: portName(TOR),
    direction: 'out',
    filter: 'icmp or icmp6 or udp port 4789',
  } as const;
  const taken = await capture(run, dc.underlay.namespace, out, async () => {
    for (const family of [4, 6] as const) {
      await ping(pod.namespace, dc.serverIp(family));
      await ping(tor.namespace, pod.ip(family));
      await ping(dc.server, pod.ip(family));
    }
  });
  const frames = taken.read(['ip.src', 'vxlan.vni']);
  expect(frames.some((one) => one['ip.src'][0] === pod.ip(4))).toBe(true);
  expect(frames.filter((one) => one['vxlan.vni'].length > 0)).toEqual([]);
  const server: Pod = { namespace: dc.server, ip: (family) => dc.serverIp(family) };
  for (const family of [4, 6] as const) await exchangeTcp(pod, server, family, 1 << 20);
  const node = weft.node.namespace;
  expect(node.ip('route show default')).toMatch(/via 192\.168\.77\.10 dev u0 proto 87/);
  // By that route: an address of the router's other side.
  await ping(node, '10.60.10.1', { count: 1 });
});

it('announces what it is told to, with communities and on conditions', async () => {
  await eventually(async () => expect(await of(podPrefixes(1)[0])).toMatch(/BGP\.community: \(64512,10\)/));
  expect(await of(EXTRA)).toMatch(/BGP\.med: 7[\s\S]*BGP\.large_community: \(64512, 1, 2\)/);
  await eventually(async () => expect(await of(ONLY_WHEN)).toContain('node1'));
  const told = await json<BgpRoute[]>('bgp', 'routes', '--peer', 'tor', '--out');
  expect(prefixesOf(told)).toEqual([...podPrefixes(1), EXTRA, ONLY_WHEN].sort());
  // What it stands for is gone: so is it. Then both come back.
  await tor.ask('disable static1');
  await eventually(async () => expect(await of(ONLY_WHEN)).not.toContain('node1'));
  expect(await of(EXTRA)).toContain('node1');
  await tor.ask('enable static1');
  await eventually(async () => expect(await of(ONLY_WHEN)).toContain('node1'));
});

it('shows routes before and after policy, and why one is not used', async () => {
  const before = await json<BgpRoute[]>('bgp', 'routes', '--peer', 'tor', '--in', '--before-policy');
  const after = await json<BgpRoute[]>('bgp', 'routes', '--peer', 'tor', '--in');
  expect(prefixesOf(before)).toContain('198.51.100.0/24');
  expect(prefixesOf(after)).not.toContain('198.51.100.0/24');
  expect(after.find(({ prefix }) => prefix === '0.0.0.0/0')).toMatchObject({
    localPref: 200,
    asPath: '64500',
  });
  const why = await json<BgpWhy>('bgp', 'why', '198.51.100.0/24');
  expect(why.routes).toMatchObject([{ peer: 'tor', outcome: 'rejected' }]);
  expect(why.routes[0].reason).toMatch(/policy/i);
  expect((await json<BgpWhy>('bgp', 'why', '0.0.0.0/0')).routes).toMatchObject([
    { peer: 'tor', outcome: 'best' },
  ]);
  expect(await json<string[]>('routes', '--check')).toEqual([]);
  expect(await command('bgp')).toMatch(/tor +192\.168\.77\.10 +64500 +established +\S+ +up +5 +4 +4/);
});

it('what the router told, as others read it', async () => {
  const file = join(run.folderOf(weft.node.namespace), 'rib.mrt');
  const read = async (...args: string[]) => {
    await command('bgp', 'dump', '--output', file, ...args);
    return execFileSync('bgpdump', ['-m', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
      .trimEnd()
      .split('\n')
      .map((line) => line.split('|'));
  };
  const told = await read('--peer', 'tor');
  expect(new Set(told.map(([, , , address, asn]) => `${address} ${asn}`))).toEqual(
    new Set([`${underlayAddress(TOR, 4)} ${TOR_ASN}`]),
  );
  const before = await json<BgpRoute[]>('bgp', 'routes', '--peer', 'tor', '--in', '--before-policy');
  expect(told.map((fields) => fields[5]).sort()).toEqual(prefixesOf(before));
  const best = await read('--local');
  expect(best.map((fields) => fields[5])).toEqual(expect.arrayContaining(['0.0.0.0/0', ...podPrefixes(1)]));
  // LOCAL_PREF, as the policy has set it.
  expect(best.find((fields) => fields[5] === '0.0.0.0/0')?.[9]).toBe('200');
});

it('a session with the router is recorded as it goes on, and does the same again', async () => {
  const folder = run.folderOf(weft.node.namespace);
  const file = join(folder, 'tor.session');
  const { sessions } = await peer();
  const env = { WEFT_SOCKET: weft.node.socket };
  const recording = begin(
    ['bgp', 'record', 'tor', '--output', file, '--seconds', '600', '--messages', '60'],
    { env },
  );
  await eventually(() => {
    const begun = readdirSync(folder).find((name) => /^tor\.session\..*\.new$/.test(name));
    expect(begun && statSync(join(folder, begun)).size).toBeGreaterThan(0);
  });
  await command('bgp', 'clear', 'tor');
  await eventually(async () => {
    expect(await peer()).toMatchObject({ state: 'established', sessions: sessions + 1, accepted: 4 });
  });
  let isOver = false;
  const ended = recording.ended.finally(() => {
    isOver = true;
  });
  for (let tries = 0; !isOver && tries < 100; tries++) {
    await command('bgp', 'refresh', 'tor');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(await ended).toMatchObject({ status: 0, stderr: '' });
  expect(await json('bgp', 'replay', file)).toMatchObject({
    peer: 'tor',
    end: '60 messages are there',
    difference: null,
    intact: true,
  });
});

it('refreshes, clears, shuts down with words and comes back', { timeout: 60_000 }, async () => {
  const first = await peer();
  await command('bgp', 'refresh', 'tor');
  await eventually(async () => {
    const { messages, sessions } = await peer();
    expect(sessions).toBe(first.sessions);
    expect(messages.received.update).toBeGreaterThan(first.messages.received.update);
    expect(messages.sent.update).toBeGreaterThan(first.messages.sent.update);
  });
  await command('bgp', 'clear', 'tor');
  await eventually(async () => {
    expect(await peer()).toMatchObject({ state: 'established', sessions: first.sessions + 1, accepted: 4 });
  });
  await command('bgp', 'shutdown', 'tor', '--message', 'new cables until noon');
  await eventually(async () => expect(await peer()).toMatchObject({ state: 'idle', bfd: null }));
  await eventually(async () =>
    expect(await tor.ask('show protocols all node1')).toMatch(/Administrative shutdown|new cables/),
  );
  expect(weft.node.namespace.ip('route show default')).toBe('');
  await command('bgp', 'enable', 'tor');
  await eventually(async () => {
    expect(await peer()).toMatchObject({ state: 'established', accepted: 4, bfd: { state: 'up' } });
    expect(weft.node.namespace.ip('route show default')).toContain('via 192.168.77.10');
  });
});

it('a reload changes policies and peers, and no session that it does not change', async () => {
  const { sessions } = await peer();
  const reload = (bgp: object) => {
    const folder = run.folderOf(weft.node.namespace);
    const whole = weftConfig(1, { config: config(bgp) });
    const own = { state: join(folder, 'state'), api: { socket: weft.node.socket } };
    writeFileSync(weft.node.configFile, JSON.stringify({ ...own, ...whole }));
    weft.node.process.kill('SIGHUP');
  };
  const another = { name: 'later', address: underlayAddress(99, 4), asn: TOR_ASN, passive: true };
  const all = [{ action: 'accept' }];
  reload({ peers: [...config().bgp.peers, another], policies: { ...POLICIES, 'from-tor': all } });
  await eventually(async () => {
    expect(prefixesOf(await routes({ rib: 'in', peer: 'tor' }))).toContain('198.51.100.0/24');
    expect(await weft.node.client.get<BgpPeer[]>('bgp')).toHaveLength(2);
  });
  reload({});
  await eventually(async () => {
    expect(await weft.node.client.get<BgpPeer[]>('bgp')).toHaveLength(1);
    expect(prefixesOf(await routes({ rib: 'in', peer: 'tor' }))).not.toContain('198.51.100.0/24');
  });
  expect(await peer()).toMatchObject({ state: 'established', sessions, bfd: { state: 'up', losses: 0 } });
});

it('leaves nothing in the kernel when it ends without pods', async () => {
  const { namespace } = weft.node;
  expect(namespace.ip('route show proto 87')).not.toBe('');
  await weft.node.client.post('detach', { id: 'pod1-2', ifname: 'eth0' });
  expect(await weft.node.stop()).toBe(0);
  for (const what of ['route show proto 87', '-6 route show proto 87', 'nexthop show']) {
    expect([what, namespace.ip(what)]).toEqual([what, '']);
  }
  // The router was told.
  await eventually(async () => expect(await of(podPrefixes(1)[0])).not.toContain('node1'));
});
