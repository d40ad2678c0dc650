/** What has to hold in a fabric, seen from its hosts with the programs that everyone has. */
import { type Family, type Lab, type LabHost, type LabPod, podsOf } from './description.ts';
import { askAddress, sendDatagrams, sendStream, serveAddress } from './exchange.ts';
import { failureText } from './failure.ts';
import { Namespace } from './namespace.ts';

export interface Check {
  readonly name: string;
  /** Resolves with what was found, for people; rejects with what is wrong. */
  run(): Promise<string>;
}

const FAMILIES = ['v4', 'v6'] as const;
const STREAM_BYTES = 8 << 20;
const DATAGRAMS = 500;
const PINGS = 2;
/** For their answers. */
const PATIENCE_SECONDS = 3;
/** The first of those that exchanges use, one each. */
const PORT = 7700;

export function checksOf(lab: Lab): Check[] {
  const [a, b, c] = firstPods(lab);
  const everyFamily = (name: string, run: (family: Family) => Promise<string>): Check[] =>
    FAMILIES.map((family) => ({ name: name.replace('IP', `IP${family}`), run: () => run(family) }));
  return [
    ...everyFamily('ping IP, pod to pod, all pairs', (family) => pingPods(lab, family)),
    ...everyFamily('ping IP, nodes to pods and back', (family) => pingNodes(lab, family)),
    ...everyFamily('TCP IP, between all nodes', (family) => streams(lab, family)),
    ...everyFamily('UDP IP, between all nodes', (family) => datagrams(lab, family)),
    ...everyFamily('traceroute IP, Weft to Weft', (family) => trace(a, b, family)),
    ...everyFamily('traceroute IP, Weft to kernel', (family) => trace(a, c, family)),
    ...everyFamily('to the outside IP, masqueraded', (family) => masqueraded(lab, family)),
  ];
}

interface Way {
  readonly from: LabHost;
  readonly to: LabHost;
  readonly address: string;
}

function pingPods(lab: Lab, family: Family): Promise<string> {
  return pingAll(pairs(podsOf(lab)).map(([from, to]) => ({ from, to, address: to[family] })));
}

/** Through the interface into the fabric that nodes themselves have (weft0). */
function pingNodes(lab: Lab, family: Family): Promise<string> {
  const ways = lab.nodes.flatMap((node) =>
    podsOf(lab).flatMap((pod): Way[] => [
      { from: node, to: pod, address: pod[family] },
      { from: pod, to: node, address: node.host[family] },
    ]),
  );
  return pingAll(ways);
}

async function pingAll(ways: readonly Way[]): Promise<string> {
  await Promise.all(ways.map(ping));
  return `${ways.length} pairs, every packet answered`;
}

/**
 * The first packets, each of them, have to be answered. With -w ping waits until it has as many answers, and asks again as
 * long as one is missing: on a busy machine a late answer is no lost one.
 */
async function ping({ from, to, address }: Way): Promise<void> {
  const words = ['-c', String(PINGS), '-i', '0.2', '-w', String(PATIENCE_SECONDS), address];
  const output = await Namespace.named(from.namespace)
    .runLater('ping', words)
    .catch(({ stdout }: { stdout?: string }) => stdout ?? '');
  const answers = [...output.matchAll(/ icmp_seq=(\d+) .*time=/g)].map(([, number]) => Number(number));
  const answered = new Set(answers.filter((number) => number <= PINGS)).size;
  if (answered === PINGS) return;
  throw new Error(`${from.name} to ${to.name} (${address}): ${answered} of ${PINGS} packets answered`);
}

async function streams(lab: Lab, family: Family): Promise<string> {
  const ways = pairs(firstPods(lab));
  const equal = await Promise.all(
    ways.map(([from, to], i) => between(from, to, sendStream(from, target(to, family, i), STREAM_BYTES))),
  );
  const wrong = ways[equal.indexOf(false)];
  if (wrong) throw new Error(`${wrong[0].name} to ${wrong[1].name}: what arrived is not what was sent`);
  return `${ways.length} transfers of ${STREAM_BYTES >> 20} MiB, SHA-256 equal`;
}

async function datagrams(lab: Lab, family: Family): Promise<string> {
  const ways = pairs(firstPods(lab));
  const results = await Promise.all(
    ways.map(([from, to], i) => between(from, to, sendDatagrams(from, target(to, family, i), DATAGRAMS))),
  );
  for (const [i, { arrived, intact }] of results.entries()) {
    const way = `${ways[i][0].name} to ${ways[i][1].name}`;
    if (!intact) throw new Error(`${way}: what arrived is not what was sent`);
    if (arrived < DATAGRAMS) throw new Error(`${way}: ${DATAGRAMS - arrived} of ${DATAGRAMS} lost`);
  }
  return `${ways.length * DATAGRAMS} datagrams, 0 lost, SHA-256 equal`;
}

/** Every hop answers, and the last is the pod. */
async function trace(from: LabPod, to: LabPod, family: Family): Promise<string> {
  // -w: 2 s for every answer, however fast others come (by default it gives up on a late one after ten times their time).
  const words = ['-n', '-q', '1', '-w', '2,0,0', '-m', '6', to[family]];
  const output = await Namespace.named(from.namespace).runLater('traceroute', words);
  const hops = [...output.matchAll(/^\s*\d+\s+(\S+)/gm)].map((match) => match[1]);
  const way = hops.join(' → ');
  if (hops.at(-1) === to[family] && hops.length > 1 && !hops.includes('*')) return way;
  throw new Error(`from ${from.name} to ${to[family]} the hops are ${way || 'none'}`);
}

/** Pods of Weft nodes reach what knows no way back to them, under the address of their node. */
async function masqueraded({ nodes, outside }: Lab, family: Family): Promise<string> {
  const wanted = nodes
    .filter(({ kind }) => kind === 'weft')
    .flatMap(({ pods, underlay }) => pods.map((pod) => ({ pod, address: underlay[family] })));
  const server = { namespace: outside.namespace, address: outside[family], port: PORT };
  const [seen] = await Promise.all([
    Promise.all(wanted.map(({ pod }) => between(pod, outside, askAddress(pod, server)))),
    serveAddress(server, wanted.length),
  ]);
  const wrong = wanted.findIndex(({ address }, i) => seen[i] !== address);
  if (wrong === -1) return `${wanted.length} pods, seen as ${[...new Set(seen)].join(' and ')}`;
  const { pod, address } = wanted[wrong];
  throw new Error(`${pod.name} is seen as ${seen[wrong] || 'nobody'} instead of ${address}`);
}

/** What goes wrong, goes wrong between these. */
async function between<T>(from: LabHost, to: LabHost, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new Error(`${from.name} to ${to.name}: ${failureText(error)}`, { cause: error });
  }
}

const pairs = <T>(all: readonly T[]): [from: T, to: T][] =>
  all.flatMap((a) => all.filter((b) => b !== a).map((b): [T, T] => [a, b]));

const firstPods = ({ nodes }: Lab): LabPod[] => nodes.map(({ pods }) => pods[0]);

const target = (pod: LabPod, family: Family, i: number) => ({
  namespace: pod.namespace,
  address: pod[family],
  port: PORT + i,
});
