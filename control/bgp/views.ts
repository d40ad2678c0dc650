/** BGP as `weft bgp` shows it: values of the speaker put into the words of the interface. Changes nothing. */
import type { BfdView } from '../../routing/bfd/bfd.ts';
import type { PeerView, RouteQuery, RouteView } from '../../routing/bgp/bgp.ts';
import type { CollectorView } from '../../routing/bgp/bmp/collector.ts';
import { formatAsPath } from '../../routing/bgp/codec/as-path.ts';
import {
  type Community,
  formatCommunity,
  formatLarge,
  WellKnown,
} from '../../routing/bgp/codec/community.ts';
import { type Tunnel, TunnelType } from '../../routing/bgp/codec/tunnel.ts';
import type { Explanation, RouteAttributes } from '../../routing/rib/route.ts';
import { formatAddress } from '../../wire/address.ts';
import { formatMac } from '../../wire/mac.ts';
import { formatPrefix, type Prefix } from '../../wire/prefix.ts';
import type { BgpConfig } from '../config/bgp-config.ts';
import type {
  BgpAttributes,
  BgpPeer,
  BgpPeerBfd,
  BgpRoute,
  BgpTunnel,
  BgpWhy,
  BmpStation,
} from '../service.ts';

/** @param now milliseconds since 1970 */
export function stationView({ address, since, ...view }: CollectorView, now: number): BmpStation {
  const uptimeSeconds = Math.max(0, Math.floor((now - since) / 1000));
  return { ...view, address: formatAddress(address), uptimeSeconds };
}

export function peerView(view: PeerView, config: BgpConfig | undefined, bfd: BfdView | undefined): BgpPeer {
  const configured = config?.peers.find(({ name }) => name === view.name);
  return {
    name: view.name,
    address: view.address ? formatAddress(view.address) : null,
    asn: view.asn ?? configured?.asn ?? null,
    state: view.state,
    uptimeSeconds: view.uptimeSeconds,
    received: view.received,
    accepted: view.accepted,
    advertised: view.advertised,
    lastError: view.lastError?.text ?? null,
    lastErrorAt: view.lastError ? new Date(view.lastError.at).toISOString() : null,
    interface: view.interface ?? null,
    dynamic: view.dynamic,
    routerId: view.routerId ? formatAddress(view.routerId) : null,
    localAddress: view.localAddress ? formatAddress(view.localAddress) : null,
    agreed: view.agreed ?? null,
    messages: view.messages,
    bytes: view.bytes,
    malformedUpdates: view.malformedUpdates,
    sessions: view.sessions,
    notes: view.notes,
    bfd: bfd ? bfdView(bfd) : null,
  };
}

const bfdView = ({ state, detectionMs, intervalMs, losses, lastLoss }: BfdView): BgpPeerBfd => ({
  state,
  detectionMs,
  intervalMs,
  losses,
  lastLoss,
});

export function routeView(view: RouteView, { peer, rib }: RouteQuery, problems: readonly string[]): BgpRoute {
  const from = view.peer ?? (rib === 'local' ? undefined : peer);
  return {
    prefix: formatPrefix(view.prefix),
    peer: from ?? null,
    ...(view.pathId !== 0 && { pathId: view.pathId }),
    best: view.best,
    ...attributesView(view.attributes),
    ...(view.staleness !== 'fresh' && { staleness: view.staleness }),
    ...(view.rejected !== undefined && { rejected: view.rejected }),
    ...(problems.length > 0 && { problems }),
  };
}

export function whyView(prefix: Prefix, routes: readonly Explanation[], problems: readonly string[]): BgpWhy {
  return {
    prefix: formatPrefix(prefix),
    routes: routes.map(({ peer, pathId, before, after, staleness, outcome }) => ({
      peer: peer ?? null,
      ...(pathId !== 0 && { pathId }),
      outcome: outcome.kind,
      reason:
        'why' in outcome ? outcome.why : outcome.kind === 'best' ? 'best of all' : 'as good as the best',
      before: attributesView(before),
      ...(after && { after: attributesView(after) }),
      ...(staleness !== 'fresh' && { staleness }),
    })),
    problems,
  };
}

const ORIGINS = ['igp', 'egp', 'incomplete'];

function attributesView(attributes: RouteAttributes): BgpAttributes {
  const { nextHop, linkLocal, asPath, origin, med, localPref, communities, extendedCommunities } = attributes;
  const { largeCommunities, tunnels, originatorId, clusterList, onlyToCustomer } = attributes;
  return {
    nextHop: formatAddress(nextHop),
    ...(linkLocal && { linkLocal: formatAddress(linkLocal) }),
    asPath: formatAsPath(asPath ?? []),
    origin: ORIGINS[origin ?? 0],
    ...(med !== undefined && { med }),
    ...(localPref !== undefined && { localPref }),
    ...(communities && { communities: communities.map(communityText) }),
    ...(extendedCommunities && {
      extendedCommunities: extendedCommunities.map(
        ({ type, subtype, value }) => `${hex(type, 2)}:${hex(subtype, 2)}:${hex(value, 12)}`,
      ),
    }),
    ...(largeCommunities && { largeCommunities: largeCommunities.map(formatLarge) }),
    ...(tunnels && { tunnels: tunnels.map(tunnelView) }),
    ...(originatorId && { originatorId: formatAddress(originatorId) }),
    ...(clusterList && { clusterList: clusterList.map(formatAddress) }),
    ...(onlyToCustomer !== undefined && { onlyToCustomer }),
  };
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

const COMMUNITY_NAMES = new Map<Community, string>(
  Object.entries(WellKnown).map(([name, value]) => [
    value,
    name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
  ]),
);

const communityText = (community: Community): string =>
  COMMUNITY_NAMES.get(community >>> 0) ?? formatCommunity(community);

const TUNNEL_NAMES = new Map<number, string>([
  [TunnelType.vxlan, 'vxlan'],
  [TunnelType.ipInIp, 'ipip'],
]);

function tunnelView({ type, subTlvs }: Tunnel): BgpTunnel {
  const vxlan = subTlvs.find((each) => each.kind === 'vxlan');
  const endpoint = subTlvs.find((each) => each.kind === 'egressEndpoint');
  return {
    type: TUNNEL_NAMES.get(type) ?? String(type),
    endpoint:
      endpoint?.kind === 'egressEndpoint' && endpoint.address ? formatAddress(endpoint.address) : null,
    ...(vxlan?.kind === 'vxlan' && vxlan.vni !== undefined && { vni: vxlan.vni }),
    ...(vxlan?.kind === 'vxlan' && vxlan.mac !== undefined && { mac: formatMac(vxlan.mac) }),
  };
}
