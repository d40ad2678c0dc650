/** A namespace that is a node's, with an underlay interface u0 that has 192.168.77.1/24, and others for its pods. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeNamespace, type TestNamespace } from './pod-namespace.ts';
import type { Daemon, DaemonOptions } from './weft.ts';
import { startDaemon } from './weft.ts';

export interface NodeWorld {
  readonly node: TestNamespace;
  readonly folder: string;
  /** Command that runs what follows it in the node's namespace. */
  readonly within: readonly string[];
  namespace(): TestNamespace;
  /** Starts a daemon in the node's namespace; it is ended with the world. */
  start(options?: Partial<DaemonOptions>): Promise<Daemon>;
  /** What a daemon leaves in the node's namespace: nothing, after a start that failed. */
  leftovers(): string[];
  close(): void;
}

export function makeNodeWorld(): NodeWorld {
  const namespaces: TestNamespace[] = [];
  const daemons: Daemon[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'weft-cli-'));
  const namespace = () => {
    const made = makeNamespace();
    namespaces.push(made);
    return made;
  };
  const node = namespace();
  const ip = (command: string) => node.run('ip', ...command.split(' '));
  ip('link set lo up');
  ip('link add u0 type veth peer name u1');
  ip('link set u1 up');
  ip('link set u0 up');
  ip('addr add 192.168.77.1/24 dev u0');
  const within = ['nsenter', `--net=${node.path}`];
  return {
    node,
    folder,
    within,
    namespace,
    async start(options = {}) {
      const daemon = await startDaemon({ folder, within, ...options });
      daemons.push(daemon);
      return daemon;
    },
    leftovers: () => [
      ...ip('-o link')
        .split('\n')
        .filter((line) => /^\d+: weft/.test(line)),
      ...`${ip('route show proto 87')}${ip('-6 route show proto 87')}${node.run('nft', 'list', 'tables')}`
        .split('\n')
        .filter(Boolean),
    ],
    close() {
      for (const { child } of daemons) child.kill('SIGKILL');
      for (const one of namespaces) one.delete();
      rmSync(folder, { recursive: true });
    },
  };
}
