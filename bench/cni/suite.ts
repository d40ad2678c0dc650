/**
 * What it costs a runtime to execute the CNI plugin: Weft's beside the reference plugins `bridge` and `ptp` with host-local,
 * on the same pods in the same node namespace, in turn; and Weft's on a node with many leases beside one with none. The
 * plugins are executed as a runtime does, nothing in between.
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { WeftError } from '../../control/errors.ts';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';
import { median, type Summary, summarize } from '../statistics.ts';
import { type Contestant, execute, executeAtOnce } from './executions.ts';
import { measureAmongLeases } from './leases.ts';
import { buildNode, pluginOf } from './weft.ts';

const REFERENCES = ['bridge', 'ptp'] as const;
/** Pods that come and go in a round, one after the other; and as many at once. */
const PODS = 50;
/** The kernel finishes removals in the background: what comes next does not pay for what was before. Milliseconds. */
const PAUSE = 2000;

export interface Comparison {
  readonly what: Timed | 'ADD among leases';
  /** What else: a reference plugin, or a Weft node without leases. */
  readonly against: (typeof REFERENCES)[number] | 'no leases';
  /** Milliseconds: medians of the rounds. */
  readonly weft: number;
  readonly reference: number;
  /** Weft by the other, a round each. */
  readonly ratio: Summary;
  readonly atMost: number;
  readonly reached: boolean;
}

type Timed = 'ADD' | 'DEL' | 'ADD at once';

/** To reach: issue of the CNI plugin. Of ptp the same is wanted as of bridge. */
const TARGETS: Readonly<Record<Timed, number>> = { ADD: 0.4, DEL: 0.1, 'ADD at once': 0.3 };
const TARGET_AMONG_LEASES = 1.2;

/** Milliseconds. */
type Measured = Readonly<Record<Timed, number>>;

export interface CniSuiteOptions {
  /** Folder of the reference plugins. */
  readonly plugins: string;
  readonly rounds: number;
  /** How many a node has that is compared with one that has none; 0: no such comparison. */
  readonly leases: number;
  progress(text: string): void;
}

/** @throws WeftError when the reference plugins are not there */
export async function compareCni(run: Run, options: CniSuiteOptions): Promise<Comparison[]> {
  const beside = await compareWithReferences(run, options);
  if (options.leases === 0) return beside;
  const { none, among } = await measureAmongLeases(run, options);
  const ratio = summarize(among.map((one, i) => one / none[i]));
  return [
    ...beside,
    {
      what: 'ADD among leases',
      against: 'no leases',
      weft: median(among),
      reference: median(none),
      ratio,
      atMost: TARGET_AMONG_LEASES,
      reached: ratio.median <= TARGET_AMONG_LEASES,
    },
  ];
}

async function compareWithReferences(
  run: Run,
  { plugins, rounds, progress }: CniSuiteOptions,
): Promise<Comparison[]> {
  const weft = await buildNode(run, 'node');
  const { namespace: node } = weft;
  const contestants = new Map<string, Contestant>([['weft', pluginOf(run, weft)]]);
  for (const name of REFERENCES) contestants.set(name, reference(run, plugins, name));
  const pods = Array.from({ length: PODS }, (_, i) => run.namespace(`pod${i}`));
  const measured = new Map<string, Measured[]>([...contestants.keys()].map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, contestant] of contestants) {
      progress(`CNI: round ${round + 1} of ${rounds}, ${name}`);
      measured.get(name)?.push(await measure(node, contestant, pods, run.folder));
    }
  }
  const own = measured.get('weft') ?? [];
  return REFERENCES.flatMap((against) =>
    (Object.keys(TARGETS) as Timed[]).map((what): Comparison => {
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
  folder: string,
): Promise<Measured> {
  const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE));
  const add = execute(node, contestant, 'ADD', pods, folder);
  await pause();
  const del = execute(node, contestant, 'DEL', pods, folder);
  await pause();
  const atOnce = executeAtOnce(node, contestant, 'ADD', pods, folder);
  await pause();
  execute(node, contestant, 'DEL', pods, folder);
  await pause();
  return { ADD: median(add), DEL: median(del), 'ADD at once': atOnce };
}
