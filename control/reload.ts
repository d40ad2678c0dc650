/** Which parts of a configuration cannot change while the node runs. Compares only. */
import type { NodeConfig } from './config/node-config.ts';
import { WeftError } from './errors.ts';

/** Sockets, threads, interfaces and addresses that are made at start, by the name of their setting. */
const FIXED: Readonly<Record<string, (config: NodeConfig) => unknown>> = {
  'node.name': ({ node }) => node.name,
  'node.address': ({ node }) => node.address,
  'pods.cidrs': ({ pods }) => pods.cidrs,
  'encap.vxlan': ({ encap }) => encap.vxlan,
  'encap.receive': ({ encap }) => encap.receive,
  engine: ({ engine }) => engine,
  'host.interface': ({ host }) => host.interface,
  state: ({ state }) => state,
  api: ({ api }) => api,
  metrics: ({ metrics }) => metrics,
};

/** Throws, naming each setting, when the difference needs a restart. */
export function refuseRestartOnly(before: NodeConfig, after: NodeConfig): void {
  const changed = Object.entries(FIXED)
    .filter(([, part]) => JSON.stringify(part(before)) !== JSON.stringify(part(after)))
    .map(([name]) => name);
  if (changed.length === 0) return;
  throw new WeftError(
    'config',
    `${changed.join(', ')} cannot change while the node runs; nothing was changed: restart weft, pods keep their interfaces`,
  );
}
