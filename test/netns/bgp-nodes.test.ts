// Weft nodes that know nothing of each other's pods but what they tell each other by BGP.
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BgpPeer, BgpRoute, Route } from '../../control/service.ts';
import { Run } from '../../lab/run.ts';
import { type Pod, podPrefixes, startWeft, type WeftSite, weftConfig } from '../support/pods.ts';
import { eventually } from '../support/routers.ts';
import { exchangeTcp, ping } from '../support/traffic.ts';
import { type Family, Underlay, underlayAddress } from '../support/underlay.ts';

const FAMILIES: readonly Family[] = [4, 6];
const ASN = 64512;

let run: Run;
let underlay: Underlay;
beforeEach(() => {
  run = new Run();
  underlay = new Underlay(run);
});
afterEach(() => run?.close());

const peer = (n: number, more: object = {}) => ({
  name: `node-${n}`,
  address: underlayAddress(n, 4),
  asn: ASN,
  ...more,
});
const bgp = (peers: readonly object[], more: object = {}) => ({ bgp: { asn: ASN, peers, ...more } });

const established = (site: WeftSite, names: readonly string[]) =>
  eventually(async () => {
    const peers = await site.node.client.get<BgpPeer[]>('bgp');
    const up = peers.filter(({ state }) => state === 'established').map(({ name }) => name);
    if (up.length !== names.length) throw new Error(`${site.n}: ${JSON.stringify(peers)}`);
    expect(up.sort()).toEqual([...names].sort());
  });

/** Waits until a node has routes to another one's pods. */
const knows = (site: WeftSite, n: number) =>
  eventually(async () => {
    const routes = await site.node.client.get<Route[]>('routes');
    const learned = podPrefixes(n).map((prefix) =>
      routes.find((one) => one.prefix === prefix && one.source === 'bgp' && one.best),
    );
    if (learned.includes(undefined)) throw new Error(`node ${site.n}: ${JSON.stringify(routes)}`);
    return learned as Route[];
  });

const talk = async (a: Pod, b: Pod) => {
  for (const family of FAMILIES) {
    await ping(a.namespace, b.ip(family));
    await exchangeTcp(a, b, family, 1 << 20);
  }
};

it('two nodes, each reached as it wants to be', { timeout: 60_000 }, async () => {
  const address = (n: number) => ({
    node: { address: FAMILIES.map((family) => underlayAddress(n, family)) },
  });
  const sites = await Promise.all([
    startWeft(run, underlay, 1, {
      config: { ...address(1), ...bgp([peer(2)]), encap: { type: 'vxlan', vxlan: { vni: 77, port: 4790 } } },
    }),
    startWeft(run, underlay, 2, { config: { ...address(2), ...bgp([peer(1)]), encap: { type: 'ipip' } } }),
  ]);
  const [one, two] = sites;
  const [here, there] = [await one.pod(), await two.pod()];
  const via = { 1: underlayAddress(1, 4), 2: underlayAddress(2, 4) };
  const toTwo = await knows(one, 2);
  expect(toTwo[0].nextHops).toMatchObject([{ via: via[2], encap: 'ipip' }]);
  const toOne = await knows(two, 1);
  expect(toOne[0].nextHops).toMatchObject([{ via: via[1], encap: 'vxlan', vni: 77, port: 4790 }]);
  await talk(here, there);
  await talk(there, here);
  // The node itself takes the same way.
  expect(one.node.namespace.ip(`route show ${podPrefixes(2)[0]}`)).toMatch(/dev weft0 proto 87/);
  await ping(one.node.namespace, there.ip(4), { count: 1 });

  for (const routes of [toOne, toTwo]) expect(routes[1].nextHops[0]).toMatchObject(routes[0].nextHops[0]);
  // Another way to be reached: both see to it, and nothing but the one session told them.
  const direct = weftConfig(2, { config: { ...address(2), ...bgp([peer(1)]), encap: { type: 'direct' } } });
  const { state, api } = {
    state: `${run.folderOf(two.node.namespace)}/state`,
    api: { socket: two.node.socket },
  };
  writeFileSync(two.node.configFile, JSON.stringify({ state, api, ...direct }));
  two.node.process.kill('SIGHUP');
  await eventually(async () => {
    const [route] = await knows(one, 2);
    expect(route.nextHops).toMatchObject([{ via: via[2], encap: 'vxlan' }]);
  });
  const [view] = await two.node.client.get<BgpPeer[]>('bgp');
  expect(view).toMatchObject({ state: 'established', sessions: 1 });

  // What one withdraws the other forgets, in its table too.
  await two.node.client.post('bgp/shutdown', { peer: 'node-1', text: 'until tomorrow' });
  await eventually(async () => {
    const routes = await one.node.client.get<Route[]>('routes');
    expect(routes.filter(({ source }) => source === 'bgp')).toEqual([]);
  });
  expect((await one.node.client.get<BgpPeer[]>('bgp'))[0].lastError).toContain('until tomorrow');
  expect(one.node.namespace.ip(`route show ${podPrefixes(2)[0]}`)).toBe('');
  await two.node.client.post('bgp/enable', { peer: 'node-1' });
  await knows(one, 2);
});

it('three nodes and one of them the route reflector', { timeout: 60_000 }, async () => {
  const client = { routeReflectorClient: true };
  const communities = {
    advertise: [{ prefix: 'pods', communities: ['64512:3'], localPref: 200, when: 'pods' }],
  };
  const sites = await Promise.all([
    startWeft(run, underlay, 1, { config: bgp([peer(2, client), peer(3, client)]) }),
    startWeft(run, underlay, 2, { config: bgp([peer(1)]) }),
    startWeft(run, underlay, 3, { config: bgp([peer(1)], communities) }),
  ]);
  const [one, two, three] = sites;
  await established(one, ['node-2', 'node-3']);
  await knows(three, 2);
  // Three announces its pods when it has one.
  const mine = await two.pod();
  const before = await two.node.client.get<Route[]>('routes');
  expect(before.some(({ prefix }) => prefix === podPrefixes(3)[0])).toBe(false);
  const other = await three.pod();
  const [route] = await knows(two, 3);
  expect(route.nextHops).toMatchObject([{ via: underlayAddress(3, 4), encap: 'vxlan' }]);
  await talk(mine, other);

  const told = await two.node.client.get<BgpRoute[]>('bgp/routes', { rib: 'in', peer: 'node-1' });
  expect(told.find(({ prefix }) => prefix === podPrefixes(3)[0])).toMatchObject({
    communities: ['64512:3'],
    localPref: 200,
    originatorId: underlayAddress(3, 4),
    clusterList: [underlayAddress(1, 4)],
    tunnels: [{ type: 'vxlan', endpoint: underlayAddress(3, 4) }],
  });
});
