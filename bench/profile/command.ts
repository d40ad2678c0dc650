/** `weft bench --profile`: where the time of both nodes goes while they carry a load, as flame graphs of perf and of V8. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Run } from '../../lab/run.ts';
import type { WeftNode } from '../../lab/weft-node.ts';
import { createSite, joinNodes, PODS, type Site } from '../fabric/contestants/site.ts';
import { startWeft } from '../fabric/contestants/weft.ts';
import { LoadedContestant } from '../fabric/pods.ts';
import { BASE } from '../fabric/setting.ts';
import { stream, udp } from '../fabric/works.ts';
import { flameGraph } from './flame.ts';
import { mapFile, PERF_ARGUMENTS, perfMissing, recordPerf } from './perf.ts';
import { foldedText, joined, type Stacks, stacksOfV8, total } from './stacks.ts';

export const LOADS = ['tcp', 'udp'] as const;
export type Load = (typeof LOADS)[number];

export interface ProfileOptions {
  readonly load: Load;
  readonly seconds: number;
  readonly output: string;
}

const WARM_UP_SECONDS = 2;
const SMALL = { size: 64, flows: 1 };
/** Which way the load goes: the first node sends. */
const ROLES = ['sending', 'receiving'] as const;
const TITLES = { tcp: 'TCP 1 stream', udp: 'UDP 64 B, overload' } as const satisfies Record<Load, string>;

/** Writes the graphs into the folder. @returns their paths, and why some are missing */
export async function profile(
  { load, seconds, output }: ProfileOptions,
  progress: (text: string) => void,
): Promise<string[]> {
  const folder = resolve(output);
  mkdirSync(folder, { recursive: true });
  const written: string[] = [];
  const write = (name: string, title: string, stacks: Stacks): void => {
    for (const [ending, text] of [
      ['svg', flameGraph(`${title}, ${TITLES[load]}`, stacks)],
      ['folded', foldedText(stacks)],
    ]) {
      const file = join(folder, `${name}.${ending}`);
      writeFileSync(file, text);
      written.push(file);
    }
  };
  progress(`V8: ${TITLES[load]}, ${seconds} s`);
  for (const [i, stacks] of (await profileV8(load, seconds)).entries()) {
    write(`${load}-${ROLES[i]}-v8`, `V8, ${ROLES[i]} node`, stacks);
  }
  const why = perfMissing();
  if (why !== undefined) {
    progress(`no graph of perf: ${why}`);
    return written;
  }
  progress(`perf: ${TITLES[load]}, ${seconds} s`);
  for (const [i, stacks] of (await profilePerf(load, seconds)).entries()) {
    write(`${load}-${ROLES[i]}-perf`, `perf, ${ROLES[i]} node`, stacks);
  }
  return written;
}

/** By node. Two runs rather than one: V8's sampling would be among what perf sees. */
async function profilePerf(load: Load, seconds: number): Promise<Stacks[]> {
  return inSite(PERF_ARGUMENTS, async (site, nodes) => {
    const pods = loaded(site, nodes);
    await carry(pods, load, WARM_UP_SECONDS);
    const stops = await Promise.all(
      nodes.map(({ pid }, i) => recordPerf(pid, join(site.run.folder, `perf-${i}.data`))),
    );
    await carry(pods, load, seconds);
    try {
      return await Promise.all(stops.map((stop) => stop()));
    } finally {
      for (const { pid } of nodes) rmSync(mapFile(pid), { force: true });
    }
  });
}

/** By node, all its threads: V8 writes its profiles when the node ends. */
async function profileV8(load: Load, seconds: number): Promise<Stacks[]> {
  const nodeArguments = (folder: string) => ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  return inSite(nodeArguments, async (site, nodes) => {
    const pods = loaded(site, nodes);
    await carry(pods, load, WARM_UP_SECONDS + seconds);
    await Promise.all(nodes.map((node) => node.stop('SIGTERM')));
    const stacks = site.nodes.map((namespace) => readProfiles(site.run.folderOf(namespace)));
    for (const one of stacks) if (total(one) === 0) throw new Error('V8 wrote no profile of a node');
    return stacks;
  });
}

function readProfiles(folder: string): Stacks {
  const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  return joined(
    files.sort().map((name) => {
      // CPU.date.time.process.thread.sequence.cpuprofile
      const thread = name.split('.')[4] ?? '0';
      return stacksOfV8(JSON.parse(readFileSync(join(folder, name), 'utf8')), `thread ${thread}`);
    }),
  );
}

async function inSite<T>(
  nodeArguments: readonly string[] | ((folder: string) => readonly string[]),
  use: (site: Site, nodes: readonly WeftNode[]) => Promise<T>,
): Promise<T> {
  const run = new Run();
  try {
    const site = createSite(run, 'profile', BASE);
    joinNodes(site);
    const given =
      typeof nodeArguments === 'function'
        ? (i: number) => nodeArguments(run.folderOf(site.nodes[i]))
        : () => nodeArguments;
    return await use(site, await startWeft(site, 'vxlan', undefined, { nodeArguments: given }));
  } finally {
    await run.close();
  }
}

function loaded(site: Site, nodes: readonly WeftNode[]): LoadedContestant {
  const [addressOfA, addressOfB] = PODS[4];
  const [a, b] = site.pods;
  const processes = nodes.map(({ pid }) => pid);
  return new LoadedContestant(site.run, {
    name: 'weft',
    setting: BASE,
    a,
    b,
    addressOfA,
    addressOfB,
    processes,
  });
}

const carry = (pods: LoadedContestant, load: Load, seconds: number): Promise<unknown> =>
  load === 'tcp' ? stream(pods, 'forward', 1, seconds) : udp(pods, SMALL, 0, seconds);
