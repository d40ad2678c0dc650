/** Nodes of Weft whose plugin is executed. */
import { join } from 'node:path';
import { install } from '../../control/cni-install.ts';
import { link } from '../../lab/link.ts';
import type { Run } from '../../lab/run.ts';
import { WeftNode } from '../../lab/weft-node.ts';
import type { Contestant } from './executions.ts';

/** @param workers default: as many as there are cores */
export async function buildNode(
  run: Run,
  name: string,
  workers: number | 'auto' = 'auto',
): Promise<WeftNode> {
  const [node, peer] = [run.namespace(name), run.namespace(`${name}-peer`)];
  link(
    { namespace: node, name: 'u0', addresses: ['192.168.77.1/24'] },
    { namespace: peer, name: 'u0', addresses: ['192.168.77.2/24'] },
    { mtu: 1500 },
  );
  const config = {
    node: { name, address: ['192.168.77.1'] },
    pods: { cidrs: ['10.244.0.0/16'] },
    engine: { workers },
  };
  return WeftNode.start(run, node, { config, logLevel: 'warn' });
}

/** Installed as `weft cni install` does. */
export function pluginOf(run: Run, { socket, namespace }: WeftNode): Contestant {
  const folder = run.folderOf(namespace);
  const { plugin } = install(
    { bin: join(folder, 'bin'), conf: join(folder, 'conf') },
    { name: 'weft', socket },
  );
  return { plugin, config: { cniVersion: '1.0.0', name: 'weft', type: 'weft-cni', socket } };
}
