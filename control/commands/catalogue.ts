/**
 * All commands, each loaded when it is the one that is asked for: `weft status` has no use for what `weft node` takes
 * a quarter of a second to load.
 */
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
    summary: 'take it away again',
    load: async () => (await import('./detach.ts')).detachCommand(),
  },
];

/** Names that are taken for commands of later versions. */
export const later: readonly string[] = ['bgp', 'capture', 'top', 'doctor', 'ipam', 'cni'];
