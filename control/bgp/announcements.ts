/**
 * What this node tells its peers: its pod ranges as a whole and whatever else `bgp.advertise` names, each with how the node
 * wants to be reached (RFC 9012). A function of the configuration and of what is there now.
 */
import type { OriginatedRoute } from '../../routing/bgp/bgp.ts';
import { Origin } from '../../routing/bgp/codec/attributes.ts';
import { announcedTunnels } from '../../routing/learned.ts';
import type { Address } from '../../wire/address.ts';
import { type Prefix, prefixEquals } from '../../wire/prefix.ts';
import type { Advertisement } from '../config/bgp-config.ts';
import type { NodeConfig } from '../config/node-config.ts';
import { ownNextHops } from './settings.ts';

export interface AnnouncementFacts {
  /** Underlay addresses. */
  readonly underlay: readonly Address[];
  /** Pods that are attached. */
  readonly pods: number;
  /** Whether there is a route to just that prefix. */
  hasRoute(prefix: Prefix): boolean;
}

export function announcements(config: NodeConfig, facts: AnnouncementFacts): OriginatedRoute[] {
  const wanted = (config.bgp?.advertise ?? []).filter(({ when }) => {
    if (when === 'always') return true;
    return when === 'pods' ? facts.pods > 0 : facts.hasRoute(when);
  });
  const all = wanted.flatMap((each) => prefixesOf(each, config).map((prefix) => ({ prefix, each })));
  // Of a prefix that is named twice the first counts.
  const unique = all.filter(
    ({ prefix }, i) => all.findIndex((other) => prefixEquals(other.prefix, prefix)) === i,
  );
  return unique.map(({ prefix, each }) => routeOf(prefix, each, config, facts.underlay));
}

function prefixesOf({ prefix }: Advertisement, { pods }: NodeConfig): readonly Prefix[] {
  return prefix === 'pods' ? pods.cidrs : [prefix];
}

function routeOf(
  prefix: Prefix,
  { communities, largeCommunities, med, localPref }: Advertisement,
  { encap }: NodeConfig,
  underlay: readonly Address[],
): OriginatedRoute {
  const nextHop = ownNextHops(underlay)[prefix.address.family];
  const way = { encap: encap.type, vni: encap.vxlan.vni, udpPort: encap.vxlan.port };
  const tunnels = endpoints(underlay).flatMap((endpoint) => announcedTunnels(way, endpoint));
  return {
    prefix,
    attributes: {
      origin: Origin.igp,
      ...(nextHop && { nextHop }),
      ...(tunnels.length > 0 && { tunnels }),
      ...(communities.length > 0 && { communities }),
      ...(largeCommunities.length > 0 && { largeCommunities }),
      ...(med !== undefined && { med }),
      ...(localPref !== undefined && { localPref }),
    },
  };
}

/**
 * IPv4 first, whatever is inside and whichever tunnel it is: two nodes that have both families then send to each other from
 * and to the same addresses, as the engine's check of where packets come from wants it.
 */
function endpoints(underlay: readonly Address[]): Address[] {
  const first = (wanted: 4 | 6) => underlay.find(({ family }) => family === wanted);
  return [first(4), first(6)].filter((address) => address !== undefined);
}
