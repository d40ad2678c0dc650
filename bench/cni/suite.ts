/**
 * What it costs a runtime to execute the CNI plugin: Weft's beside the reference plugins `bridge` and `ptp` with host-local,
 * on the same pods in the same node namespace, in turn. The plugins are executed as a runtime does, nothing in between.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { install } from '../../control/cni-install.ts';
import { WeftError } from '../../control/errors.ts';
import { link } from '../../lab/link.ts';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';
import { WeftNode } from '../../lab/weft-node.ts';
import { inNamespace } from '../../sys/netns.ts';
import { median, type Summary, summarize } from '../statistics.ts';

const REFERENCES = ['bridge', 'ptp'] as const;
/** Pods that come and go in a round, one after the other; and as many at once. */
const PODS = 50;
/** The kernel finishes removals in the background: what comes next does not pay for what was before. Milliseconds. */
const PAUSE = 300;

export interface Comparison {
  readonly what: 'ADD' | 'DEL' | 'ADD at once';
  readonly against: (typeof REFERENCES)[number];
  /** Milliseconds: medians of the rounds. */
  readonly weft: number;
  readonly reference: number;
  /** Weft by the other, a round each. */
  readonly ratio: Summary;
  readonly atMost: number;
  readonly reached: boolean;
}

/** To reach: issue of the CNI plugin. Of ptp the same is wanted as of bridge. */
const TARGETS = { ADD: 0.4, DEL: 0.1, 'ADD at once': 0.3 } as const;

interface Contestant {
  readonly plugin: string;
  readonly config: object;
}

/** Milliseconds. */
type Measured = Readonly<Record<Comparison['what'], number>>;

/** @param plugins folder of the reference plugins @throws WeftError when they are not there */
export async function compareCni(
  run: Run,
  plugins: string,
  rounds: number,
  progress: (text: string) => void,
): Promise<Comparison[]> {
  const weft = await buildNode(run);
  const { namespace: node } = weft;
  const contestants = new Map<string, Contestant>([['weft', ours(run, weft)]]);
  for (const name of REFERENCES) contestants.set(name, reference(run, plugins, name));
  const pods = Array.from({ length: PODS }, (_, i) => run.namespace(`pod${i}`));
  const measured = new Map<string, Measured[]>([...contestants.keys()].map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, contestant] of contestants) {
      progress(`CNI: round ${round + 1} of ${rounds}, ${name}`);
      measured.get(name)?.push(await measure(node, contestant, pods));
    }
  }
  const own = measured.get('weft') ?? [];
  return REFERENCES.flatMap((against) =>
    (Object.keys(TARGETS) as Comparison['what'][]).map((what): Comparison => {
      const others = measured.get(against) ?? [];
      const ratio = summarize(own.map((one, i) => one[what] / others[i][what]));
      return {
        what,
        against,
        weft: median(own.map((one) => one[what])),
        reference: median(others.map((one) => one[what])),
        ratio,
        atMost: TARGETS[what],
        reached: ratio.median <= TARGETS[what],
      };
    }),
  );
}

async function buildNode(run: Run): Promise<WeftNode> {
  const [node, peer] = [run.namespace('node'), run.namespace('peer')];
  link(
    { namespace: node, name: 'u0', addresses: ['192.168.77.1/24'] },
    { namespace: peer, name: 'u0', addresses: ['192.168.77.2/24'] },
    { mtu: 1500 },
  );
  const config = { node: { name: 'node', address: ['192.168.77.1'] }, pods: { cidrs: ['10.244.0.0/16'] } };
  return WeftNode.start(run, node, { config, logLevel: 'warn' });
}

function ours(run: Run, { socket }: WeftNode): Contestant {
  const places = { bin: join(run.folder, 'bin'), conf: join(run.folder, 'conf') };
  const { plugin } = install(places, { name: 'weft', socket });
  return { plugin, config: { cniVersion: '1.0.0', name: 'weft', type: 'weft-cni', socket } };
}

function reference(run: Run, plugins: string, name: (typeof REFERENCES)[number]): Contestant {
  const plugin = join(plugins, name);
  try {
    accessSync(plugin, constants.X_OK);
  } catch (error) {
    throw new WeftError(
      'failed',
      `${plugin} is not there; apt-get install containernetworking-plugins, or name their folder with --plugins`,
      { cause: error },
    );
  }
  const ipam = {
    type: 'host-local',
    dataDir: join(run.folder, name),
    ranges: [[{ subnet: name === 'bridge' ? '10.98.0.0/16' : '10.99.0.0/16' }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const config = { cniVersion: '1.0.0', name, type: name, ipam };
  return { plugin, config: name === 'bridge' ? { ...config, bridge: 'cni0', isGateway: true } : config };
}

async function measure(
  node: Namespace,
  contestant: Contestant,
  pods: readonly Namespace[],
): Promise<Measured> {
  const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE));
  const add = pods.map((pod) => execute(node, contestant, 'ADD', pod));
  await pause();
  const del = pods.map((pod) => execute(node, contestant, 'DEL', pod));
  await pause();
  const began = performance.now();
  await Promise.all(pods.map((pod) => begin(node, contestant, 'ADD', pod)));
  const atOnce = performance.now() - began;
  await pause();
  for (const pod of pods) execute(node, contestant, 'DEL', pod);
  await pause();
  return { ADD: median(add), DEL: median(del), 'ADD at once': atOnce };
}

/** @returns milliseconds from the start of the plugin to its end */
function execute(node: Namespace, { plugin, config }: Contestant, verb: string, pod: Namespace): number {
  return inNamespace(node.path, () => {
    const began = performance.now();
    const { status, stdout, stderr } = spawnSync(plugin, {
      env: environment(plugin, verb, pod),
      input: JSON.stringify(config),
      encoding: 'utf8',
    });
    const milliseconds = performance.now() - began;
    if (status !== 0) throw new Error(`${plugin} ${verb}: ${stdout}${stderr}`);
    return milliseconds;
  });
}

function begin(node: Namespace, { plugin, config }: Contestant, verb: string, pod: Namespace): Promise<void> {
  const env = environment(plugin, verb, pod);
  const child = inNamespace(node.path, () => spawn(plugin, { env, stdio: ['pipe', 'pipe', 'inherit'] }));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stdin.end(JSON.stringify(config));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`${plugin} ${verb}: ${said}`));
    });
  });
}

/** The reference plugins find host-local beside themselves. */
function environment(plugin: string, verb: string, pod: Namespace): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    CNI_COMMAND: verb,
    CNI_CONTAINERID: pod.name,
    CNI_IFNAME: 'eth0',
    CNI_NETNS: pod.path,
    CNI_PATH: join(plugin, '..'),
  };
}
