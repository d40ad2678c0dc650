/**
 * All commands, each loaded when it is the one that is asked for: `weft status` has no use for what `weft node` takes
 * a quarter of a second to load.
 */
import { extname } from 'node:path';
import type { Command } from 'commander';

export interface CatalogueEntry {
  readonly name: string;
  /** One line for `weft --help`. */
  readonly summary: string;
  load(): Promise<Command>;
}

export const catalogue: readonly CatalogueEntry[] = [
  {
    name: 'node',
    summary: 'run the fabric service of this machine',
    load: async () => (await import('./node.ts')).nodeCommand(),
  },
  {
    name: 'status',
    summary: 'what the node is and does',
    load: async () => (await import('./status.ts')).statusCommand(),
  },
  {
    name: 'attach',
    summary: 'give a network namespace an interface in the fabric',
    load: async () => (await import('./attach.ts')).attachCommand(),
  },
  {
    name: 'detach',
    summary: 'take that interface away',
    load: async () => (await import('./detach.ts')).detachCommand(),
  },
  {
    name: 'pods',
    summary: 'interfaces that are attached, and their traffic',
    load: async () => (await import('./pods.ts')).podsCommand(),
  },
  {
    name: 'routes',
    summary: 'all routes, or the one to an address',
    load: async () => (await import('./routes.ts')).routesCommand(),
  },
  {
    name: 'tunnels',
    summary: 'other nodes, and the traffic with them',
    load: async () => (await import('./tunnels.ts')).tunnelsCommand(),
  },
  {
    name: 'bgp',
    summary: 'BGP peers, their routes, and why a route is used',
    load: async () => (await import('./bgp.ts')).bgpCommand(),
  },
  {
    name: 'ipam',
    summary: 'addresses of pods: who has which, whether they are still there',
    load: async () => (await import('./ipam.ts')).ipamCommand(),
  },
  {
    name: 'cni',
    summary: 'put the CNI plugin in place, or take it away',
    load: async () => (await import('./cni.ts')).cniCommand(),
  },
  {
    name: 'drops',
    summary: 'dropped packets by reason',
    load: async () => (await import('./drops.ts')).dropsCommand(),
  },
  {
    name: 'why',
    summary: 'what would become of a packet, step by step',
    load: async () => (await import('./why.ts')).whyCommand(),
  },
  {
    name: 'lab',
    summary: 'a whole fabric in network namespaces of this machine',
    load: () => loadBeside('lab', 'labCommand'),
  },
  {
    name: 'bench',
    summary: 'the benchmarks',
    load: () => loadBeside('bench', 'benchCommand'),
  },
];

/** Names that are taken for commands of later versions. */
export const later: readonly string[] = ['capture', 'top', 'doctor'];

/**
 * A command of a folder that stands on the service, which therefore does not import it (bench may be imported by nothing):
 * it is found by its place beside this file, compiled or not.
 */
async function loadBeside(folder: string, factory: string): Promise<Command> {
  const file = new URL(`../../${folder}/cli${extname(import.meta.url)}`, import.meta.url);
  const module: Readonly<Record<string, () => Command>> = await import(file.href);
  return module[factory]();
}
