// Without encapsulation where the underlay can route, with it where not; and every kind on one node at once.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { link } from '../../lab/link.ts';
import { Run } from '../../lab/run.ts';
import { capture } from '../support/capture.ts';
import { startIpipPeer } from '../support/ipip-peer.ts';
import { drops, type Pod, podAddress, podPrefixes, routesTo, startWeft } from '../support/pods.ts';
import { echoUdp, exchangeTcp, ping } from '../support/traffic.ts';
import { portName, Underlay, underlayAddress } from '../support/underlay.ts';

let run: Run;
let underlay: Underlay;
beforeEach(() => {
  run = new Run();
  underlay = new Underlay(run);
});
afterEach(() => run?.close());

/** A machine that has the n-th pod prefixes and routes those of node 1 back to it: the kernel and nothing else. */
function plainHost(n: number): Pod {
  const namespace = underlay.host(n);
  for (const family of [4, 6] as const) {
    // Without `nodad` an IPv6 address is tentative for an instant, even on `lo`, and no route may name it as its source.
    namespace.ip(`addr add ${podAddress(n, 2, family)}/${family === 4 ? '32' : '128 nodad'} dev lo`);
    namespace.ip(
      `route add ${podPrefixes(1)[family === 4 ? 0 : 1]} via ${underlayAddress(1, family)} src ${podAddress(n, 2, family)}`,
    );
  }
  return { namespace, ip: (family) => podAddress(n, 2, family) };
}
const direct = (node: number) => [
  { to: podPrefixes(node)[0], via: underlayAddress(node, 4), encap: 'direct' },
  { to: podPrefixes(node)[1], via: underlayAddress(node, 6), encap: 'direct' },
];
const bothFamilies = { node: { address: [underlayAddress(1, 4), underlayAddress(1, 6)] } };

it('direct: by the routes of the kernel, nothing added', async () => {
  const there = plainHost(2);
  const weft = await startWeft(run, underlay, 1, { routes: direct(2), config: bothFamilies });
  const here = await weft.pod();
  const out = { interface: portName(2), direction: 'out', filter: 'icmp or icmp6 or udp port 4789' } as const;
  const taken = await capture(run, underlay.namespace, out, async () => {
    for (const family of [4, 6] as const) await ping(here.namespace, there.ip(family));
  });
  const frames = taken.read(['ip.src', 'ipv6.src', 'icmp.type', 'icmpv6.type', 'vxlan.vni']);
  expect(frames.filter((one) => one['icmp.type'][0] === '8').map((one) => one['ip.src'])).toEqual(
    Array(3).fill([here.ip(4)]),
  );
  expect(frames.filter((one) => one['icmpv6.type'][0] === '128').map((one) => one['ipv6.src'])).toEqual(
    Array(3).fill([here.ip(6)]),
  );
  expect(frames.filter((one) => one['vxlan.vni'].length > 0)).toEqual([]);
  for (const family of [4, 6] as const) {
    await ping(there.namespace, here.ip(family));
    await exchangeTcp(here, there, family, 4 << 20);
    // The answer of an IPv6 host in fragments of the underlay's size does not fit the pod's MTU: it has to learn that first.
    await echoUdp(here, there, family, family === 4 ? [0, 1000, 4000] : [0, 1000]);
  }
  expect(await drops(weft.node)).toEqual({});
});

it('cross-subnet: direct inside the subnet, encapsulated across a router', async () => {
  const near = plainHost(2);
  const router = run.namespace('router');
  underlay.plug(router, 254, ['192.168.77.254/24']);
  router.sysctl('net.ipv4.ip_forward', 1);
  const far = run.namespace('node3');
  link(
    { namespace: router, name: 'far', addresses: ['192.168.78.254/24'] },
    { namespace: far, name: 'u0', addresses: ['192.168.78.3/24'] },
    { wire: true },
  );
  far.ip('route add default via 192.168.78.254');
  const here1 = underlay.host(1);
  here1.ip('route add default via 192.168.77.254');

  const encap = { when: 'cross-subnet' };
  const farVia = podPrefixes(3).map((to) => ({ to, via: '192.168.78.3' }));
  const routes = [{ to: podPrefixes(2)[0], via: underlayAddress(2, 4) }, ...farVia];
  const weft = await startWeft(run, underlay, 1, { namespace: here1, routes, config: { encap } });
  const other = await startWeft(run, underlay, 3, {
    namespace: far,
    routes: routesTo(4, { node: 1 }),
    config: { encap, node: { address: ['192.168.78.3'] } },
  });
  const [here, there] = [await weft.pod(), await other.pod()];
  const chosen = await weft.node.client.get<{ prefix: string; nextHops: { encap: string }[] }[]>('routes');
  const encapOf = (to: string) => chosen.find(({ prefix }) => prefix === to)?.nextHops[0].encap;
  expect([encapOf('10.244.2.0/24'), encapOf('10.244.3.0/24')]).toEqual(['direct', 'vxlan']);
  await ping(here.namespace, near.ip(4));
  await exchangeTcp(here, near, 4, 4 << 20);
  for (const family of [4, 6] as const) {
    await ping(here.namespace, there.ip(family));
    await exchangeTcp(here, there, family, 4 << 20);
  }
  expect([await drops(weft.node), await drops(other.node)]).toEqual([{}, {}]);
});

it('every kind at once', async () => {
  const routes = [...routesTo(4, { node: 2 }), ...routesTo(4, { node: 3, encap: 'ipip' }), ...direct(4)];
  const plain = plainHost(4);
  const ipip = await startIpipPeer(run, underlay, 3, 1);
  const [weft, other] = await Promise.all([
    startWeft(run, underlay, 1, { routes, config: bothFamilies }),
    startWeft(run, underlay, 2, { routes: routesTo(4, { node: 1 }) }),
  ]);
  const [here, vxlan] = [await weft.pod(), await other.pod()];
  for (const there of [vxlan, ipip, plain]) {
    for (const family of [4, 6] as const) {
      await ping(here.namespace, there.ip(family));
      await ping(there.namespace, here.ip(family));
      await exchangeTcp(here, there, family, 2 << 20);
    }
  }
  expect(await drops(weft.node)).toEqual({});
});
