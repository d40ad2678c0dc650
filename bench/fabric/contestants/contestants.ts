/** Who is compared: the same topology for everyone, with another way to carry packets between the two nodes. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Namespace } from '../../../lab/namespace.ts';
import type { Run } from '../../../lab/run.ts';
import { allowedCpus } from '../../../sys/cpus.ts';
import type { Setting } from '../setting.ts';
import { cable, kernelVxlan, routing } from './kernel.ts';
import { oneByOne } from './one-by-one.ts';
import { openVswitch } from './open-vswitch.ts';
import { createSite, joinNodes, masquerade, PODS, type Site } from './site.ts';
import { tinc } from './tinc.ts';
import { weft, weftApart } from './weft.ts';
import { wireguard } from './wireguard.ts';

interface Kind {
  readonly title: string;
  /** Builds both nodes. @returns the processes that carry packets; none for what the kernel does */
  build(site: Site): Promise<number[]>;
  /** A program that has to be installed, how to ask it for its version, and the Debian package that has it. */
  readonly needs?: { readonly program: string; readonly package: string };
  /** Processors without which it is not what its title says. */
  readonly cpus?: number;
  /** Whether its nodes masquerade by themselves where the setting says so. */
  readonly masquerades?: true;
  /** Families that it carries, both by default. */
  readonly families?: readonly (4 | 6)[];
}

export const contestants = {
  cable: { title: 'no network: the load generator alone', build: cable },
  routing: { title: 'plain routing, no tunnel', build: routing },
  'kernel-vxlan': { title: 'kernel VXLAN', build: kernelVxlan },
  weft: { title: 'Weft, VXLAN', build: weft('vxlan'), masquerades: true },
  'weft-apart': {
    title: 'Weft, VXLAN, workers on processors of their own',
    build: weftApart,
    cpus: 2,
    masquerades: true,
  },
  'weft-ipip': { title: 'Weft, IPIP', build: weft('ipip'), masquerades: true },
  'weft-direct': { title: 'Weft, direct', build: weft('direct'), masquerades: true },
  'weft-2-workers': { title: 'Weft, VXLAN, 2 workers', build: weft('vxlan', 2), masquerades: true },
  'weft-4-workers': { title: 'Weft, VXLAN, 4 workers', build: weft('vxlan', 4), masquerades: true },
  'one-by-one': { title: 'one packet a call (as Flannel udp)', build: oneByOne },
  'wireguard-go': {
    title: 'wireguard-go (encrypts)',
    build: wireguard,
    needs: { program: 'wireguard-go', package: 'wireguard-go' },
  },
  tinc: {
    title: 'tinc, no cipher',
    build: tinc,
    needs: { program: 'tincd', package: 'tinc' },
  },
  'open-vswitch': {
    title: 'Open vSwitch in user space, VXLAN',
    build: openVswitch,
    needs: { program: 'ovs-vswitchd', package: 'openvswitch-switch' },
  },
} as const satisfies Record<string, Kind>;

export type ContestantName = keyof typeof contestants;
export const contestantNames = Object.keys(contestants) as ContestantName[];

/** One that is up. */
export interface Contestant {
  readonly name: ContestantName;
  readonly setting: Setting;
  readonly a: Namespace;
  readonly b: Namespace;
  /** Addresses of the pods. */
  readonly addressOfA: string;
  readonly addressOfB: string;
  readonly processes: readonly number[];
}

/** Why it cannot take part on this machine; undefined when it can. */
export function missing(name: ContestantName): string | undefined {
  const { needs, cpus = 1 }: Kind = contestants[name];
  if (allowedCpus().length < cpus) return `takes ${cpus} processors`;
  if (!needs || findProgram(needs.program)) return undefined;
  return `not installed (Debian: apt-get install ${needs.package})`;
}

/** What a program that is not ours says of its version, on one line. */
export function versionOf(name: ContestantName): string | undefined {
  const { needs }: Kind = contestants[name];
  const path = needs && findProgram(needs.program);
  if (!path) return undefined;
  const { stdout, stderr } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return `${stdout}${stderr}`.trim().split('\n')[0];
}

/** Also where daemons are, which not everyone's path has. */
function findProgram(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/** Builds the topology with one contestant in it; the run takes it away again. */
export async function build(
  run: Run,
  name: ContestantName,
  label: string,
  setting: Setting,
): Promise<Contestant> {
  const site = createSite(run, label, setting);
  joinNodes(site);
  const { masquerades }: Kind = contestants[name];
  if (setting.masquerade && !masquerades) masquerade(site);
  const processes = await contestants[name].build(site);
  const [a, b] = site.pods;
  if (!setting.podOffload) {
    for (const pod of site.pods) pod.run('ethtool', '-K', 'eth0', 'tx', 'off', 'tso', 'off', 'gso', 'off');
  }
  const [addressOfA, addressOfB] = PODS[setting.family];
  return { name, setting, a, b, addressOfA, addressOfB, processes };
}
