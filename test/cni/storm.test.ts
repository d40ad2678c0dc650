// A thousand random steps of a runtime, pods that vanish and daemons that are killed: no address is ever two pods', nothing
// that was confirmed is lost, and in the end everything is accounted for.
import { existsSync, readdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Finding } from '../../cni/leases.ts';
import type { Pod } from '../../control/service.ts';
import { type CniResult, cni } from '../support/cni.ts';
import { makeNodeWorld, type NodeWorld } from '../support/node-world.ts';
import { makeNamespace, type TestNamespace } from '../support/pod-namespace.ts';
import { type Daemon, socketFile } from '../support/weft.ts';

const STEPS = 1000;
/** Runtimes at work at the same time, each with pods of its own. */
const LANES = 4;
const PODS_A_LANE = 6;
/** Ports of the node, of which a third of the pods want one: they often find that another has it. */
const FIRST_PORT = 8000;
const PORTS = 12;
/** Steps between two deaths of the daemon. */
const LIFE = 70;

let world: NodeWorld;

beforeEach(() => {
  world = makeNodeWorld();
});
afterEach(() => world.close());

/** A generator whose sequence can be repeated from the seed that a failure prints (Park and Miller). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

/** 'PORT ADDRESS' of every port that leads to an IPv4 address. */
function portsOfNode(): string[] {
  const text = world.node.run('nft', '-j', 'list', 'table', 'inet', 'weft_nat_weft0');
  const items: { map?: { name: string; elem?: { concat: string[] }[][] } }[] = JSON.parse(text).nftables;
  const elements = items.find(({ map }) => map?.name === 'ports4')?.map?.elem ?? [];
  return elements.map(([from, to]) => `${from.concat[1]} ${to.concat[0]}`);
}

interface PodOfLane {
  id: string;
  readonly namespace: TestNamespace;
  /** What ADD has confirmed; undefined: not attached, or not known. */
  ips: readonly string[] | undefined;
  /** Of the node, that leads to it as long as it is attached. */
  port?: number | undefined;
}

it('survives a thousand random steps', { timeout: 240_000 }, async () => {
  const seed = 1 + (Date.now() % 2147483645);
  const random = randomFrom(seed);
  const socket = socketFile(world.folder);
  // Few addresses, so that they are given again and again.
  const config = { pods: { cidrs: ['10.244.1.0/27', 'fd00:244:1::/123'] } };
  let daemon: Daemon = await world.start({ config });
  let restart: Promise<void> | undefined;
  let steps = 0;
  /** Who has an address, from the moment in which ADD has confirmed it until DEL is asked for. */
  const owners = new Map<string, string>();
  const made: TestNamespace[] = [];
  const problems: string[] = [];
  const counts: Record<string, number> = {};

  const killAndStart = async () => {
    await daemon.stop(random(3) === 0 ? 'SIGTERM' : 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, random(300)));
    daemon = await world.start({ config });
  };
  const count = (what: string) => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  const disown = (pod: PodOfLane) => {
    for (const ip of pod.ips ?? []) owners.delete(ip);
    pod.ips = undefined;
  };
  const call = (
    verb: string,
    { id, namespace, port }: PodOfLane,
    netns = namespace.path,
  ): Promise<CniResult> => {
    const portMappings = port === undefined ? [] : [{ hostPort: port, containerPort: 80 }];
    return cni(verb, { socket, id, netns, config: { runtimeConfig: { portMappings } } });
  };

  async function add(pod: PodOfLane) {
    const had = pod.ips;
    if (!had) pod.port = random(3) === 0 ? FIRST_PORT + random(PORTS) : undefined;
    const { status, output } = await call('ADD', pod);
    if (had) {
      if (output?.code !== 101) problems.push(`a second ADD of ${pod.id}: ${JSON.stringify(output)}`);
      return count('ADD refused');
    }
    if (status !== 0) {
      count(`ADD failed with ${output?.code}`);
      // What a runtime does then, so that nothing of it is left.
      if ((await call('DEL', pod)).status !== 0) problems.push(`DEL after a failed ADD of ${pod.id}`);
      return;
    }
    count('ADD');
    pod.ips = output?.ips?.map(({ address }) => address) ?? [];
    for (const ip of pod.ips) {
      const other = owners.get(ip);
      if (other) problems.push(`${ip} was given to ${pod.id} while ${other} had it`);
      owners.set(ip, pod.id);
    }
    const there = pod.namespace.run('ip', '-o', 'addr', 'show', 'dev', 'eth0');
    for (const ip of pod.ips) if (!there.includes(ip)) problems.push(`${pod.id} has no ${ip}: ${there}`);
  }

  async function del(pod: PodOfLane, netns?: string) {
    disown(pod);
    const { status, stdout } = await call('DEL', pod, netns);
    count('DEL');
    if (status !== 0) problems.push(`DEL of ${pod.id}: ${stdout}`);
  }

  async function lane(name: number) {
    const pods = Array.from({ length: PODS_A_LANE }, (_, i): PodOfLane => {
      const namespace = makeNamespace();
      made.push(namespace);
      return { id: `lane${name}-pod${i}`, namespace, ips: undefined };
    });
    while (steps < STEPS && problems.length === 0) {
      if (++steps % LIFE === 0) {
        restart = (restart ?? Promise.resolve()).then(killAndStart);
        count('daemon ended');
      }
      const at = random(pods.length);
      const pod = pods[at];
      switch (random(12)) {
        case 0: {
          // The pod vanishes without a word; the runtime deletes it later, with a path that leads nowhere.
          pod.namespace.delete();
          count('pod vanished');
          const namespace = makeNamespace();
          made.push(namespace);
          pods[at] = { id: `${pod.id}x`, namespace, ips: undefined };
          await del(pod);
          break;
        }
        case 1:
          await del(pod, '');
          break;
        case 2:
          await del(pod);
          await del(pod);
          break;
        case 3:
        case 4:
        case 5:
          await del(pod);
          break;
        default:
          await add(pod);
      }
    }
    return pods;
  }

  try {
    const pods = (await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i)))).flat();
    await restart;
    const context = `seed ${seed}, ${JSON.stringify(counts)}`;
    expect(problems, context).toEqual([]);
    const expected = pods.flatMap(({ id, ips }) => (ips ? [{ id, ips }] : []));
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    await expect
      .poll(async () => (await daemon.json<Pod[]>('pods')).map(({ id, ips }) => ({ id, ips })).sort(byId), {
        message: context,
        timeout: 15_000,
      })
      .toEqual(expected.sort(byId));
    const spool = `${socket}.spool`;
    await expect.poll(() => (existsSync(spool) ? readdirSync(spool) : [])).toEqual([]);
    for (const { namespace, ips } of pods) {
      const hasEth0 = () => namespace.run('ip', '-o', 'link').includes(': eth0:');
      await expect.poll(hasEth0, { message: context }).toBe(ips !== undefined);
    }
    expect(await daemon.json<Finding[]>('ipam', 'check'), context).toEqual([]);
    const wanted = pods.flatMap(({ ips, port }) =>
      ips && port !== undefined ? [`${port} ${ips[0].split('/')[0]}`] : [],
    );
    expect(portsOfNode().sort(), context).toEqual(wanted.sort());
    // The storm has been one.
    expect(counts.ADD, context).toBeGreaterThan(150);
    expect(counts['ADD failed with 105'], context).toBeGreaterThan(3);
    expect(counts['daemon ended'], context).toBeGreaterThan(10);
  } finally {
    for (const namespace of made) namespace.delete();
  }
});
