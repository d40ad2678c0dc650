/**
 * How cost grows: routes, tunnels, pods and BGP peers of one node, and what each of them takes. Real nodes, one pod at each end of the
 * load; what is added carries nothing. Routes beyond what a configuration file is for are put into the FIB alone.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Run } from '../../lab/run.ts';
import type { WeftNode } from '../../lab/weft-node.ts';
import type { Contestant } from '../fabric/contestants/contestants.ts';
import { createSite, joinNodes, PODS, type Site, UNDERLAY } from '../fabric/contestants/site.ts';
import { type StartOptions, startWeft } from '../fabric/contestants/weft.ts';
import { LoadedContestant } from '../fabric/pods.ts';
import { kernelBytes, residentBytes } from '../fabric/process-usage.ts';
import { BASE } from '../fabric/setting.ts';
import { roundTrip, udpOverload } from '../fabric/works.ts';
import { median } from '../statistics.ts';
import { bgpConfig, bringPeersUp, joinPeers } from './peers-of-node.ts';

export interface ScalePoint {
  /** What there are `count` of. */
  readonly what: string;
  readonly count: number;
  /** By name with unit; `kpps` and `p50` as everywhere. */
  readonly figures: Readonly<Record<string, number>>;
}

export interface ScaleOptions {
  readonly quick: boolean;
}

const COUNTS = {
  pods: { quick: [1, 50], full: [1, 10, 50, 100, 250] },
  tunnels: { quick: [1, 100], full: [1, 10, 100, 1000] },
  routes: { quick: [1, 1000], full: [1, 100, 1000, 10_000] },
  peers: { quick: [1, 50], full: [1, 10, 50, 200] },
  fib: { quick: [10_000], full: [1000, 10_000, 100_000, 1_000_000] },
} as const;

const SECONDS = 1;
/** A node as it is by default. */
const SETTING = { ...BASE, masquerade: true };
const effort = { seconds: SECONDS, halfLoad: async () => 0 };
const small = udpOverload({ size: 64, flows: 1 });
/** Measurements of each figure, of which the median counts. */
const TIMES = 3;

export async function measureScale(
  { quick }: ScaleOptions,
  progress: (text: string) => void,
): Promise<ScalePoint[]> {
  const counts = (of: keyof typeof COUNTS): readonly number[] => COUNTS[of][quick ? 'quick' : 'full'];
  const points: ScalePoint[] = [];
  points.push(...(await pods(counts('pods'), progress)));
  for (const count of counts('tunnels')) {
    progress(`scale: ${count} tunnels`);
    points.push(await configured('tunnels', count, tunnelRoutes(count - 1)));
  }
  for (const count of counts('routes')) {
    progress(`scale: ${count} routes of one tunnel`);
    points.push(await configured('configured routes', count, samePathRoutes(count - 1)));
  }
  for (const count of counts('peers')) {
    progress(`scale: ${count} BGP peers`);
    points.push(await peers(count));
  }
  for (const family of [4, 6] as const) {
    for (const count of counts('fib')) {
      progress(`scale: FIB of ${count} IPv${family} routes`);
      points.push(await fib(family, count));
    }
  }
  return points;
}

/** Each to a node of its own, which is not there. */
const tunnelRoutes = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    to: `10.${100 + (n >> 8)}.${n & 255}.0/24`,
    via: `172.16.${n >> 8}.${n & 255 || 255}`,
  }));

/** All to the node that is there. */
const samePathRoutes = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ to: `10.${100 + (n >> 8)}.${n & 255}.0/24`, via: UNDERLAY[1] }));

async function configured(
  what: string,
  count: number,
  routes: NonNullable<StartOptions['routes']>,
): Promise<ScalePoint> {
  return inSite(async (site) => {
    const began = performance.now();
    const [node] = await startWeft(site, 'vxlan', undefined, { routes, logLevel: 'warn' });
    const seconds = (performance.now() - began) / 1000;
    const figures = await load(site, node);
    return { what, count, figures: { ...figures, 'both nodes ready after, s': seconds } };
  });
}

/** A node with so many sessions, established, that tell it the same routes. */
function peers(count: number): Promise<ScalePoint> {
  return inSite(async (site) => {
    const others = joinPeers(site, count);
    const [node] = await startWeft(site, 'vxlan', undefined, {
      first: { bgp: bgpConfig(count) },
      logLevel: 'warn',
    });
    const seconds = await bringPeersUp(site, node, others, count);
    return { what: 'BGP peers', count, figures: { ...(await load(site, node)), 'all up after, s': seconds } };
  });
}

/** One node that gets more and more pods. */
function pods(counts: readonly number[], progress: (text: string) => void): Promise<ScalePoint[]> {
  return inSite(async (site) => {
    const [node] = await startWeft(site, 'vxlan', undefined, { logLevel: 'warn' });
    const points: ScalePoint[] = [];
    let attached = 1;
    for (const count of counts) {
      progress(`scale: ${count} pods`);
      const added = Array.from({ length: count - attached }, (_, n) =>
        site.run.namespace(`s${attached + n}`),
      );
      const took: number[] = [];
      // Namespaces are there before: what they take is not the node's doing.
      const before = kernelBytes();
      for (const pod of added) {
        const began = performance.now();
        await node.attach(pod, `scale-${attached++}`);
        took.push(performance.now() - began);
      }
      const kernel = (kernelBytes() - before) / 1000 / added.length;
      const figures = await load(site, node);
      const attach = took.length > 0 ? { 'attach, ms': median(took), 'kernel, KB each': kernel } : {};
      points.push({ what: 'pods', count, figures: { ...figures, ...attach } });
    }
    return points;
  });
}

async function inSite<T>(use: (site: Site) => Promise<T>): Promise<T> {
  const run = new Run();
  try {
    const site = createSite(run, 'scale', SETTING);
    joinNodes(site);
    return await use(site);
  } finally {
    await run.close();
  }
}

/** Memory first, when nothing has been sent, then how the pod at either end fares. */
async function load(site: Site, node: WeftNode): Promise<Record<string, number>> {
  const resident = residentBytes(node.pid) / 1e6;
  const [a, b] = site.pods;
  const [addressOfA, addressOfB] = PODS[4];
  const contestant: Contestant = {
    name: 'weft',
    setting: SETTING,
    a,
    b,
    addressOfA,
    addressOfB,
    processes: [node.pid],
  };
  const loaded = new LoadedContestant(site.run, contestant);
  try {
    // Warm first: the agents are new.
    await small(loaded, effort);
    const kpps: number[] = [];
    const p50: number[] = [];
    for (let n = 0; n < TIMES; n++) {
      kpps.push((await small(loaded, effort)).kpps ?? 0);
      p50.push((await roundTrip(loaded, effort)).p50 ?? 0);
    }
    return { 'resident, MB': resident, kpps: median(kpps), 'p50, µs': median(p50) };
  } finally {
    await loaded.restart();
  }
}

const FIB_PROGRAM = fileURLToPath(new URL('./fib-memory.js', import.meta.url));

async function fib(family: 4 | 6, count: number): Promise<ScalePoint> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    FIB_PROGRAM,
    String(family),
    String(count),
  ]);
  const { bytes, seconds } = JSON.parse(stdout) as { bytes: number; seconds: number };
  return {
    what: `routes of the IPv${family} FIB`,
    count,
    figures: {
      'memory, MB': bytes / 1e6,
      'bytes a route': bytes / count,
      'insert, µs a route': (seconds * 1e6) / count,
    },
  };
}
