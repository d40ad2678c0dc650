/**
 * The routes of a node and where they go: the route table, what fills it at start and at each change of configuration or
 * underlay, and what follows it (the engine, the kernel's table, masquerading).
 */
import type { PodRoutes } from '../cni/host.ts';
import { type Fib, fibSync } from '../routing/fib-sync.ts';
import { RouteTable } from '../routing/route-table.ts';
import { encapOverhead, type Surroundings, staticRoutes } from '../routing/static.ts';
import type { Address } from '../wire/address.ts';
import { formatPrefix, hostPrefix, type Prefix, parsePrefix, prefixContains } from '../wire/prefix.ts';
import type { NodeConfig } from './config/node-config.ts';
import { Covered } from './covered.ts';
import { WeftError } from './errors.ts';
import type { NodeRoutes } from './kernel-routes.ts';
import type { Nat, NatRules } from './nat.ts';
import { inPortions } from './portions.ts';
import type { Underlay } from './underlay.ts';

export interface FabricOptions {
  readonly engine: Fib;
  readonly kernel: NodeRoutes;
  readonly nat: Nat;
  readonly underlay: Underlay;
  /** The node's port in the engine, its addresses and MTU there, and its pod ranges. */
  readonly hostPort: number;
  readonly hostAddresses: readonly Address[];
  readonly hostMtu: number;
  readonly cidrs: readonly Prefix[];
}

export interface Fabric extends PodRoutes {
  readonly table: RouteTable;
  /** Changes of the table inside are carried to engine and kernel together. */
  batch(work: () => void): void;
  /** The same for many; resolves when the kernel has them too. */
  batchInBackground(work: () => void): Promise<void>;
  /** Makes routes and masquerading those of the configuration. Rejects, with everything as before, when that cannot be. */
  apply(config: NodeConfig): Promise<void>;
  /** Works the paths of static routes out anew on the underlay as it is now. */
  refresh(): void;
}

const DEFAULTS = ['0.0.0.0/0', '::/0'].map(parsePrefix);
const BOTH_FAMILIES_MINIMUM = 1280; // RFC 8200 section 5

export function openFabric(options: FabricOptions, initial: NodeConfig): Fabric {
  const { underlay, kernel, nat, cidrs } = options;
  let config = initial;
  /** Of pods whose addresses somebody else has chosen, outside the node's ranges. */
  const foreign = new Map<string, Prefix>();
  const natRules = async (current: NodeConfig): Promise<NatRules> => ({
    outgoing: current.host.natOutgoing && cidrs.length + foreign.size > 0,
    pods: [...cidrs, ...foreign.values()],
    fabric: await routed(),
  });
  /** Where routes lead. */
  const routed = async (): Promise<NatRules['fabric']> => {
    const covered = new Covered();
    for (const prefix of cidrs) covered.add(prefix);
    await inPortions(table, ({ prefix }) => {
      if (prefix.length > 0 && !isOwn(prefix)) covered.add(prefix);
    });
    return covered.ranges();
  };
  const isOwn = (prefix: Prefix) =>
    cidrs.some((own) => own.length <= prefix.length && prefixContains(own, prefix.address));
  const sync = fibSync(options.engine, kernel, () => config.bgp?.kernelRoutes ?? true);
  const table = new RouteTable((prefix, best) => {
    sync.listener(prefix, best);
    if (!isOwn(prefix)) nat.schedule(() => natRules(config));
  });

  const host = [{ kind: 'port', port: options.hostPort }] as const;
  for (const prefix of DEFAULTS) table.set(prefix, { source: 'host', paths: host, lastResort: true });
  for (const address of options.hostAddresses)
    table.set(hostPrefix(address), { source: 'host', paths: host });
  // What no pod has must not leave by the default route.
  for (const prefix of cidrs) {
    table.set(prefix, { source: 'local', paths: [{ kind: 'unreachable' }] });
    kernel.set(prefix, { kind: 'fabric', mtu: options.hostMtu });
  }

  const setStatic = staticRoutes(table);
  const use = async (next: NodeConfig) => {
    setStatic(next.routes, surroundings(next, underlay));
    config = next;
    await nat.apply(await natRules(next));
  };
  return {
    table,
    batch: sync.batch,
    batchInBackground: sync.batchInBackground,
    async apply(next) {
      const before = config;
      try {
        await use(next);
      } catch (error) {
        await use(before).catch(() => {});
        throw error;
      }
    },
    refresh: () => setStatic(config.routes, surroundings(config, underlay)),
    async add(prefix, port) {
      table.set(prefix, { source: 'local', paths: [{ kind: 'port', port }] });
      if (isOwn(prefix)) return;
      foreign.set(formatPrefix(prefix), prefix);
      kernel.set(prefix, { kind: 'fabric', mtu: options.hostMtu });
      await nat.apply(await natRules(config));
    },
    remove(prefix) {
      if (foreign.delete(formatPrefix(prefix))) kernel.remove(prefix);
      table.remove(prefix, 'local');
    },
  };
}

export function surroundings({ encap }: NodeConfig, underlay: Underlay): Surroundings {
  return {
    encap: encap.type,
    when: encap.when,
    vni: encap.vxlan.vni,
    udpPort: encap.vxlan.port,
    onLink: (via) => underlay.onLink(via),
    mtu: (via) => underlay.mtu(via),
  };
}

/** MTU of new pods, bytes: as configured, or the largest that fits every encapsulation in use on every underlay address. */
export function podMtu({ pods, encap, routes }: NodeConfig, underlay: Underlay): number {
  const encaps = new Set([encap.type, ...routes.flatMap((route) => route.encap ?? [])]);
  const fitting = underlay.addresses.flatMap(({ mtu, address: { family } }) =>
    [...encaps]
      .filter((one) => one !== 'ipip' || family === 4)
      .map((one) => mtu - encapOverhead(one, family)),
  );
  const mtu = pods.mtu === 'auto' ? Math.min(...fitting) : pods.mtu;
  if (mtu < BOTH_FAMILIES_MINIMUM && pods.cidrs.some(({ address }) => address.family === 6)) {
    throw new WeftError(
      'failed',
      `pods.mtu: ${mtu} bytes are too few for the IPv6 pods of this node, which need ${BOTH_FAMILIES_MINIMUM}; ` +
        'raise the MTU of the underlay, or leave the IPv6 range out of pods.cidrs',
    );
  }
  return mtu;
}
