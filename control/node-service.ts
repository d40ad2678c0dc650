/**
 * What a running node answers: `NodeService` on the parts of a node. Values are put into words in views.ts; what a request
 * does is done by the parts.
 */
import { hostname } from 'node:os';
import type { Attachments } from '../cni/attachments.ts';
import type { Leases } from '../cni/leases.ts';
import type { Plugin } from '../cni/plugin/plugin.ts';
import type { Engine } from '../engine/engine.ts';
import { type Address, formatAddress } from '../wire/address.ts';
import { formatPrefix } from '../wire/prefix.ts';
import type { BgpService } from './bgp/bgp-service.ts';
import type { NodeConfig } from './config/node-config.ts';
import { WeftError } from './errors.ts';
import { type Fabric, podMtu } from './fabric.ts';
import type { NodeRoutes } from './kernel-routes.ts';
import type { Offloads } from './offload.ts';
import { checkRoutes } from './routes-check.ts';
import type { NodeService, Status } from './service.ts';
import type { Underlay } from './underlay.ts';
import type { Uplink } from './uplink.ts';
import {
  attachResult,
  dropsView,
  leasesView,
  podsView,
  portNames,
  routeCounts,
  routesView,
  tunnelsView,
  vtepView,
  whyView,
} from './views.ts';

export interface NodeParts {
  /** As it is now. */
  config(): NodeConfig;
  readonly configPath: string;
  readonly version: string;
  readonly underlay: Underlay;
  readonly engine: Pick<Engine, 'counters' | 'explain' | 'route' | 'routeCount'>;
  readonly kernel: NodeRoutes;
  readonly fabric: Fabric;
  readonly bgp: BgpService;
  readonly attachments: Attachments;
  readonly leases: Leases;
  readonly plugin: Plugin;
  readonly workers: number;
  readonly offloads: Offloads;
  readonly uplink: Pick<Uplink, 'state'>;
  /** The node's port in the engine and its addresses there. */
  readonly hostPort: number;
  readonly hostAddresses: readonly Address[];
}

export function createNodeService(parts: NodeParts): NodeService {
  const { engine, attachments, bgp } = parts;
  const { table } = parts.fabric;
  const started = performance.now();
  return {
    status: async () => ({
      ...statusView(parts),
      bgp: bgp.summary(),
      uptimeSeconds: Math.floor((performance.now() - started) / 1000),
    }),
    attach: async (request) => attachResult(await attachments.attach(request)),
    detach: (request) => attachments.detach(request),
    ipam: async () => ({ ranges: parts.leases.ranges(), leases: leasesView(attachments) }),
    ipamCheck: (fix) => parts.leases.check(fix),
    async ipamRelease({ ip, force }) {
      const text = formatAddress(ip);
      const result = await parts.leases.release(ip, force);
      if (result === 'unknown')
        throw new WeftError('not-found', `${text}: no pod has it; nothing to release`);
      if (result === 'alive') {
        throw new WeftError(
          'in-use',
          `${text}: its pod is there; delete the pod, or take its interface away: weft ipam release --force ${text}`,
        );
      }
    },
    cni: (call, gone) => parts.plugin.run(call, gone),
    pods: async () => podsView(attachments, engine.counters()),
    routes(address) {
      const names = portNames(attachments, parts.hostPort, parts.config().host.interface);
      return routesView(table, names, bgp, address);
    },
    routesCheck: () => checkRoutes(table, engine, parts.kernel),
    bgp: () => bgp.peers(),
    bgpStations: () => bgp.stations(),
    bgpRoutes: (query) => bgp.routes(query),
    bgpWhy: (prefix) => bgp.why(prefix),
    bgpRecord: (request) => bgp.record(request),
    bgpDump: (request) => bgp.dump(request),
    bgpClear: (request) => bgp.clear(request),
    bgpShutdown: ({ peer, text }) => bgp.shutdown(peer, text),
    bgpEnable: ({ peer }) => bgp.enable(peer),
    tunnels: async () => tunnelsView(table, engine.counters()),
    drops: async () => dropsView(engine.counters()),
    why: async (packet) => whyView(engine.explain(packet)),
    async metrics() {
      const counters = engine.counters();
      return {
        verdicts: counters.verdicts,
        drops: dropsView(counters),
        pods: podsView(attachments, counters),
        tunnels: tunnelsView(table, counters),
        routes: routeCounts(table),
        bgp: await bgp.peers(),
      };
    },
  };
}

function statusView(parts: NodeParts): Omit<Status, 'uptimeSeconds' | 'bgp'> {
  const config = parts.config();
  const { node, encap, pods, host } = config;
  const vteps = parts.underlay.addresses.map((address) => vtepView(address, encap.vxlan));
  return {
    node: node.name ?? hostname(),
    version: parts.version,
    pid: process.pid,
    workers: parts.workers,
    offload: { ...parts.offloads.states, tunnelSegmentation: parts.uplink.state },
    vtep: vteps[0],
    vteps,
    encap: { type: encap.type, when: encap.when },
    pods: parts.attachments.list().length,
    routes: parts.fabric.table.size,
    cidrs: pods.cidrs.map(formatPrefix),
    mtu: podMtu(config, parts.underlay),
    host: {
      interface: host.interface,
      ips: parts.hostAddresses.map(formatAddress),
      natOutgoing: host.natOutgoing,
    },
    config: parts.configPath,
    state: config.state,
  };
}
