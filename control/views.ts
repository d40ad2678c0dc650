/**
 * A node's state as `weft status`, `pods`, `routes`, `tunnels`, `drops` and the metrics show it: values of other parts put
 * into the words of the interface. Changes nothing.
 */
import type { Attachment } from '../cni/attachment.ts';
import type { Attachments } from '../cni/attachments.ts';
import { statedBandwidth } from '../cni/bandwidth.ts';
import { compareAddresses } from '../cni/ipam/pool.ts';
import type { EngineCounters, Step } from '../engine/engine.ts';
import { isDrop, Verdict, verdictNames } from '../engine/verdict.ts';
import type { Path } from '../routing/path.ts';
import type { Candidate, RouteTable } from '../routing/route-table.ts';
import { type Address, formatAddress } from '../wire/address.ts';
import { formatMac, vtepMac } from '../wire/mac.ts';
import { formatPrefix, hostPrefix, type Prefix } from '../wire/prefix.ts';
import { inPortions } from './portions.ts';
import { PrefixOrder } from './prefix-order.ts';
import type { AttachResult, Drops, Lease, NextHop, Pod, Route, Tunnel, Vtep, WhyResult } from './service.ts';
import type { UnderlayAddress } from './underlay.ts';

const NO_TRAFFIC = { packets: 0, bytes: 0 };

export function attachResult({ ifname, ips, mtu, mac }: Attachment): AttachResult {
  return { interface: ifname, ips: ips.map((ip) => formatPrefix(hostPrefix(ip))), mtu, mac };
}

/** What another node has to know of this one. */
export function vtepView(
  underlay: UnderlayAddress,
  vxlan: { readonly vni: number; readonly port: number },
): Vtep {
  const { address, mtu } = underlay;
  return {
    address: formatAddress(address),
    mac: formatMac(vtepMac(address)),
    ...vxlan,
    interface: underlay.interface,
    mtu,
  };
}

export function podsView(attachments: Attachments, counters: EngineCounters): Pod[] {
  return attachments.list().map(({ attachment, port }) => {
    const { id, ifname, netns, mtu, mac, bandwidth } = attachment;
    const traffic = port === undefined ? undefined : counters.port(port);
    return {
      id,
      ifname,
      netns,
      ips: attachResult(attachment).ips,
      mtu,
      mac,
      bandwidth: statedBandwidth(bandwidth),
      state: port === undefined ? 'waiting' : 'forwarding',
      rx: traffic?.rx ?? NO_TRAFFIC,
      tx: traffic?.tx ?? NO_TRAFFIC,
      drops: traffic?.drops ?? 0,
    };
  });
}

export function leasesView(attachments: Attachments): Lease[] {
  const leases = attachments.list().flatMap(({ attachment, port }) => {
    const { id, ifname, netns, network = null } = attachment;
    const state = port === undefined ? ('waiting' as const) : ('forwarding' as const);
    return attachment.ips.map((ip) => ({
      ip,
      lease: { ip: formatAddress(ip), id, ifname, network, netns, state },
    }));
  });
  return leases.sort((a, b) => byAddress(a.ip, b.ip)).map(({ lease }) => lease);
}

/** What a port of the engine is called: 'ID/IFNAME' of a pod, the name of the node's own interface. */
export type PortNames = (port: number) => string;

export function portNames(attachments: Attachments, hostPort: number, hostInterface: string): PortNames {
  const names = new Map(
    attachments.list().map(({ attachment, port }) => [port, `${attachment.id}/${attachment.ifname}`]),
  );
  return (port) => (port === hostPort ? hostInterface : (names.get(port) ?? String(port)));
}

/** With an address the best of the longest prefix that contains it; else all, sorted by prefix, some at a time. */
export async function* routesView(
  table: RouteTable,
  names: PortNames,
  learned: LearnedProblems,
  address?: Address,
): AsyncGenerator<readonly Route[]> {
  const view = (prefix: Prefix, candidate: Candidate, best: boolean) => {
    const problems = candidate.source === 'bgp' ? learned.problems(prefix) : [];
    return routeView(prefix, candidate, best, problems, names);
  };
  if (address) {
    const route = table.lookup(address);
    if (route) yield [view(route.prefix, route.candidates[0], true)];
    return;
  }
  const order = new PrefixOrder();
  await inPortions(table, ({ prefix }) => order.add(prefix));
  await inPortions(learned.prefixes(), (prefix) => {
    if (learned.isUnusable(prefix) && !table.get(prefix)) order.add(prefix);
  });
  for await (const prefixes of order.inOrder()) {
    yield prefixes.flatMap((prefix) => {
      const candidates = table.get(prefix)?.candidates ?? [];
      const routes = candidates.map((candidate, i) => view(prefix, candidate, i === 0));
      return learned.isUnusable(prefix) ? [...routes, view(prefix, UNUSABLE, false)] : routes;
    });
  }
}

const UNUSABLE: Candidate = { source: 'bgp', paths: [] };

/** Learned routes, of which some cannot be used, or not by all their paths, and why. */
export interface LearnedProblems {
  prefixes(): Iterable<Prefix>;
  problems(prefix: Prefix): readonly string[];
  isUnusable(prefix: Prefix): boolean;
}

function routeView(
  prefix: Prefix,
  { source, paths }: Candidate,
  best: boolean,
  problems: readonly string[],
  names: PortNames,
): Route {
  const nextHops = paths.map((path) => nextHopView(path, names));
  return {
    prefix: formatPrefix(prefix),
    source,
    nextHops,
    best,
    ...(problems.length > 0 && { problems }),
  };
}

function nextHopView(path: Path, names: PortNames): NextHop {
  switch (path.kind) {
    case 'port':
      return { via: null, encap: 'local', port: names(path.port) };
    case 'unreachable':
      return { via: null, encap: 'unreachable' };
    case 'vxlan': {
      const { via, mac, vni, udpPort, mtu } = path;
      const weight = path.weight === undefined ? {} : { weight: path.weight };
      return {
        via: formatAddress(via),
        encap: 'vxlan',
        port: udpPort,
        vni,
        mac: formatMac(mac),
        mtu,
        ...weight,
      };
    }
    default: {
      const weight = path.weight === undefined ? {} : { weight: path.weight };
      return { via: formatAddress(path.via), encap: path.kind, mtu: path.mtu, ...weight };
    }
  }
}

function byAddress(a: Address, b: Address): number {
  return a.family - b.family || compareAddresses(a, b);
}

export function tunnelsView(table: RouteTable, counters: EngineCounters): Tunnel[] {
  const remotes = new Map<string, { encaps: Set<string>; mtu: number; routes: number }>();
  for (const { best, prefixes } of table.bests()) {
    for (const path of best.paths) {
      if (path.kind === 'port' || path.kind === 'unreachable') continue;
      const key = formatAddress(path.via);
      const known = remotes.get(key) ?? { encaps: new Set(), mtu: path.mtu, routes: 0 };
      remotes.set(key, known);
      known.encaps.add(path.kind);
      known.mtu = Math.min(known.mtu, path.mtu);
      known.routes += prefixes;
    }
  }
  return [...remotes].sort().map(([remote, { encaps, mtu, routes }]) => {
    const traffic = counters.remotes.get(remote);
    return {
      remote,
      encap: [...encaps].sort().join('+'),
      mtu,
      routes,
      rx: traffic?.rx ?? NO_TRAFFIC,
      tx: traffic?.tx ?? NO_TRAFFIC,
      lastSeen: traffic?.lastSeen ? new Date(traffic.lastSeen).toISOString() : null,
    };
  });
}

const DROP_NAMES = Object.values(Verdict)
  .filter(isDrop)
  .map((verdict) => verdictNames[verdict]);

export function dropsView({ verdicts }: EngineCounters): Drops {
  return Object.fromEntries(DROP_NAMES.map((name) => [name, verdicts[name]]));
}

export function whyView(steps: readonly Step[]): WhyResult {
  const last = steps[steps.length - 1];
  return {
    verdict: last.verdict ?? '',
    reason: last.detail,
    steps: steps.slice(0, -1).map(({ step, detail }) => ({ step, detail })),
  };
}

/** Number of prefixes by source of their best route. */
export function routeCounts(table: RouteTable): Record<Route['source'], number> {
  const counts = { static: 0, bgp: 0, local: 0, host: 0 };
  for (const { best, prefixes } of table.bests()) counts[best.source] += prefixes;
  return counts;
}
