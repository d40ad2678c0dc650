// Rate limits of pods as iperf3 sees them, TCP and UDP, both ways, over the underlay and inside the node.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WantedBandwidth } from '../../cni/bandwidth.ts';
import type { Pod as PodView } from '../../control/service.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { Run } from '../../lab/run.ts';
import { WeftNode } from '../../lab/weft-node.ts';
import { type IperfOptions, iperf } from '../support/iperf.ts';
import { drops, type Pair, routesTo, weftAndWeft, weftConfig } from '../support/pods.ts';
import { exchangeTcp } from '../support/traffic.ts';

const MBIT = 1e6;
/** A loaded machine can be slower than a limit, and never faster: the best of so many counts. */
const ATTEMPTS = 3;

let run: Run;
let pair: Pair;
let node: WeftNode;
beforeAll(async () => {
  run = new Run();
  pair = await weftAndWeft(run);
  node = pair.weft.node;
});
afterAll(() => run?.close());

interface LimitedPod {
  readonly id: string;
  readonly namespace: Namespace;
  readonly address: string;
}

let made = 0;
async function limitedPod(bandwidth: WantedBandwidth): Promise<LimitedPod> {
  const n = ++made;
  const id = `limited-${n}`;
  const namespace = run.namespace(id);
  const address = `10.244.1.${100 + n}`;
  await node.client.post('attach', { id, netns: namespace.path, ips: [address], bandwidth });
  return { id, namespace, address };
}

/** Within 5 % of the rate. */
async function expectRate(rate: number, measure: () => Promise<number>): Promise<void> {
  const shares: number[] = [];
  while (shares.length < ATTEMPTS && (shares.length === 0 || Math.max(...shares) < 0.95)) {
    shares.push((await measure()) / rate);
  }
  console.log(`${rate / MBIT} Mbit/s: ${shares.map((share) => share.toFixed(3)).join(' ')}`);
  expect(Math.max(...shares)).toBeGreaterThan(0.95);
  expect(Math.max(...shares)).toBeLessThan(1.05);
}

const ways = ['egress', 'ingress'] as const;

/** Between a pod with that limit and another, the way that is limited. */
function measured(
  way: (typeof ways)[number],
  pod: LimitedPod,
  other: { readonly namespace: Namespace; readonly address: string },
  options: IperfOptions,
): () => Promise<number> {
  return way === 'egress'
    ? () => iperf(pod.namespace, other.namespace, other.address, options)
    : () => iperf(other.namespace, pod.namespace, pod.address, options);
}

// Several connections that start at once share a low rate evenly only after longer than a test should take.
describe.each([
  { megabits: 10, streams: 1 },
  { megabits: 100, streams: 4 },
])('$megabits Mbit/s', ({ megabits, streams }) => {
  it('is what TCP and UDP get, sent and received, to another node and in this one', {
    timeout: 60_000,
  }, async () => {
    const rate = megabits * MBIT;
    const far = { namespace: pair.there.namespace, address: pair.there.ip(4) };
    const near = { namespace: pair.here.namespace, address: pair.here.ip(4) };
    const kinds = [{}, { streams }, { udp: 1.5 * rate }];
    let port = 5300;
    for (const [n, kind] of kinds.entries()) {
      // Each limit by itself: what is measured at once does not meet.
      const all = ways.map(async (way) => {
        const pod = await limitedPod({ [`${way}Rate`]: rate });
        const other = n === 1 ? near : far;
        await expectRate(rate, measured(way, pod, other, { ...kind, port: port++ }));
      });
      await Promise.all(all);
    }
  });
});

it.each(ways)('1 Gbit/s of TCP, %s', { timeout: 60_000 }, async (way) => {
  const pod = await limitedPod({ [`${way}Rate`]: 1000 * MBIT });
  const far = { namespace: pair.there.namespace, address: pair.there.ip(4) };
  await expectRate(1000 * MBIT, measured(way, pod, far, {}));
});

it('what is too much is dropped by name, and counted with the pod', async () => {
  const before = (await drops(node))['rate-limit'] ?? 0;
  const pod = await limitedPod({ egressRate: 2 * MBIT });
  await iperf(pod.namespace, pair.there.namespace, pair.there.ip(4), {
    udp: 20 * MBIT,
    seconds: 1,
    port: 5400,
  });
  const pods = await node.client.get<PodView[]>('pods');
  const { drops: dropped, bandwidth } = pods.find(({ id }) => id === pod.id) as PodView;
  expect(dropped).toBeGreaterThan(100);
  expect((await drops(node))['rate-limit'] - before).toBe(dropped);
  expect(bandwidth).toMatchObject({ ingressRate: 0, egressRate: 2 * MBIT });
});

it('a burst passes at once, after that it takes its time', { timeout: 60_000 }, async () => {
  const bytes = 2_000_000;
  const seconds = async (egressBurst: number): Promise<number> => {
    const { namespace, address } = await limitedPod({ egressRate: 8 * MBIT, egressBurst });
    const pod = { namespace, ip: () => address };
    const began = performance.now();
    await exchangeTcp(pod, pair.there, 4, bytes);
    return (performance.now() - began) / 1000;
  };
  const without = await seconds(24_000);
  const within = await seconds(20 * MBIT);
  console.log(`2 MB at 8 Mbit/s: ${without.toFixed(2)} s, in a burst of 2.5 MB ${within.toFixed(2)} s`);
  expect(without).toBeGreaterThan(1.9);
  expect(within).toBeLessThan(without - 0.7);
});

it('limits outlive the daemon', { timeout: 60_000 }, async () => {
  const pod = await limitedPod({ egressRate: 10 * MBIT, ingressRate: 20 * MBIT });
  await node.stop('SIGKILL');
  node = await WeftNode.start(run, node.namespace, {
    config: weftConfig(1, { routes: routesTo(4, { node: 2 }) }),
  });
  const far = { namespace: pair.there.namespace, address: pair.there.ip(4) };
  await expectRate(10 * MBIT, measured('egress', pod, far, { seconds: 1, port: 5500 }));
  await expectRate(20 * MBIT, measured('ingress', pod, far, { seconds: 1, port: 5501 }));
});
