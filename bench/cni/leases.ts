/** ADD on a node that has many pods beside ADD on one that has none, each pair of executions in turn. */
import type { Run } from '../../lab/run.ts';
import type { WeftNode } from '../../lab/weft-node.ts';
import { median } from '../statistics.ts';
import { execute } from './executions.ts';
import { buildNode, pluginOf } from './weft.ts';

/** Of a pair of executions, in a round. */
const PODS = 25;
/** Interfaces that share a namespace: one namespace a pod would only take longer. */
const INTERFACES = 100;
/** Attached at once while the node is filled. */
const LANES = 8;
/** For the kernel to finish removals. Milliseconds. */
const PAUSE = 1000;

export interface AmongLeasesOptions {
  readonly rounds: number;
  readonly leases: number;
  progress(text: string): void;
}

/** Milliseconds: medians of the rounds. */
export interface AmongLeases {
  readonly none: readonly number[];
  readonly among: readonly number[];
}

export async function measureAmongLeases(run: Run, options: AmongLeasesOptions): Promise<AmongLeases> {
  const { rounds, leases, progress } = options;
  const nodes = [await buildNode(run, 'free', 1), await buildNode(run, 'full', 1)] as const;
  progress(`CNI: giving ${leases} leases`);
  await fill(run, nodes[1], leases);
  const sides = nodes.map((node, side) => ({
    node: node.namespace,
    plugin: pluginOf(run, node),
    pods: Array.from({ length: PODS }, (_, i) => run.namespace(`side${side}-${i}`)),
  }));
  const rest = () => new Promise((resolve) => setTimeout(resolve, PAUSE));
  const medians: number[][] = [[], []];
  for (let round = 0; round < rounds; round++) {
    progress(`CNI: round ${round + 1} of ${rounds}, among leases`);
    const times: number[][] = [[], []];
    for (let i = 0; i < PODS; i++) {
      for (const [side, { node, plugin, pods }] of sides.entries()) {
        times[side].push(...execute(node, plugin, 'ADD', [pods[i]], run.folder));
      }
    }
    await rest();
    for (const { node, plugin, pods } of sides) execute(node, plugin, 'DEL', pods, run.folder);
    await rest();
    for (const [side, list] of times.entries()) medians[side].push(median(list));
  }
  // The kernel takes interfaces down faster with their namespaces than one by one.
  for (const node of nodes) await node.stop('SIGKILL');
  return { none: medians[0], among: medians[1] };
}

/** Real pods: a lease without one is freed. */
async function fill(run: Run, node: WeftNode, leases: number): Promise<void> {
  const namespaces = Array.from({ length: Math.ceil(leases / INTERFACES) }, (_, i) =>
    run.namespace(`leases${i}`),
  );
  let given = 0;
  const lane = async () => {
    while (given < leases) {
      const i = given++;
      const pod = namespaces[i % namespaces.length];
      await node.attach(pod, `lease${i}`, [], `p${Math.floor(i / namespaces.length)}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}
