/**
 * From Adj-RIB-In before to after policy: whether a received route may take part in the decision, and with which
 * attributes. A function of its arguments.
 */
import { type Address, addressEquals } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import { type AsPath, firstAs, prependAs } from '../bgp/codec/as-path.ts';
import { type ExtendedCommunity, WellKnown } from '../bgp/codec/community.ts';
import { applyPolicy } from '../policy/apply.ts';
import { isUnspecified } from './hops.ts';
import type { RibPeer } from './peer.ts';
import { otcIn } from './roles.ts';
import type { RouteAttributes } from './route.ts';

/** What this node is to all its peers. */
export interface Self {
  readonly asn: number;
  readonly routerId: Address;
  /** RFC 4456 section 7. */
  readonly clusterId: Address;
}

/** The attributes after policy; a string: it is rejected, and why. */
export const importRoute = (
  received: RouteAttributes,
  prefix: Prefix,
  from: RibPeer,
  self: Self,
): RouteAttributes | string => {
  const { options, source } = from;
  const unusable = loops(received, from, self) ?? badNextHop(received.nextHop, from);
  if (unusable !== undefined) return unusable;
  const otc = otcIn(received.onlyToCustomer, from);
  if (typeof otc === 'string') return otc;

  let attributes = received;
  if (otc !== received.onlyToCustomer && otc !== undefined) {
    attributes = { ...attributes, onlyToCustomer: otc };
  }
  if (source === 'external' && options.tunnels !== true) attributes = withoutTunnels(attributes);
  const hidden = options.replaceAs === true || from.localAsn === self.asn;
  if (source === 'external' && !hidden) {
    // RFC 7705 section 3.3: as if the old AS stood between the peer and us.
    attributes = { ...attributes, asPath: prependAs(attributes.asPath ?? [], from.localAsn) };
  }
  if (from.import === undefined && source === 'external') {
    return 'no import policy for an external peer (RFC 8212)';
  }
  if (from.import !== undefined) {
    const outcome = applyPolicy(from.import, { prefix, attributes, source, peer: from.name }, from.localAsn);
    if ('rejectedBy' in outcome) return `import policy: ${outcome.rejectedBy}`;
    ({ attributes } = outcome);
    const { nextHop } = outcome;
    if (nextHop === 'self') attributes = withNextHop(attributes, from.localAddress);
    else if (nextHop === 'peer') attributes = withNextHop(attributes, from.address);
    else if (typeof nextHop === 'object') attributes = withNextHop(attributes, nextHop);
  }
  // Behind the policy, so that it cannot make a route good again that is about to go (RFC 8326 section 4.1).
  const going = options.gracefulShutdown === true || has(received, WellKnown.gracefulShutdown);
  if (source === 'external' && going) attributes = { ...attributes, localPref: 0 };
  return attributes;
};

/** RFC 9494 section 4.2: what becomes of a route that outlived its peer's restart time. A string: it is not kept. */
export const asLongLivedStale = (attributes: RouteAttributes | string): RouteAttributes | string => {
  if (typeof attributes === 'string' || has(attributes, WellKnown.llgrStale)) return attributes;
  if (has(attributes, WellKnown.noLlgr)) return 'NO_LLGR, and its peer is gone';
  return { ...attributes, communities: [...(attributes.communities ?? []), WellKnown.llgrStale] };
};

/** Neither the attribute nor the community that stands for it. */
export const withoutTunnels = (attributes: RouteAttributes): RouteAttributes => {
  if (attributes.tunnels === undefined && attributes.extendedCommunities === undefined) return attributes;
  const { tunnels, extendedCommunities, ...rest } = attributes;
  const kept = extendedCommunities?.filter((community) => !isEncapsulation(community));
  if (tunnels === undefined && kept?.length === extendedCommunities?.length) return attributes;
  return kept === undefined || kept.length === 0 ? rest : { ...rest, extendedCommunities: kept };
};

/** RFC 9012 section 4.1. */
const isEncapsulation = ({ type, subtype }: ExtendedCommunity): boolean => type === 0x03 && subtype === 0x0c;

export const has = ({ communities }: RouteAttributes, community: number): boolean =>
  communities?.includes(community) ?? false;

const loops = (
  { asPath = [], originatorId, clusterList }: RouteAttributes,
  { source, asn, localAsn, role, options }: RibPeer,
  self: Self,
): string | undefined => {
  // A route server does not put its own AS there (RFC 7947 section 2.2.2.1).
  const firstAsCounts = options.enforceFirstAs ?? role !== 'routeServerClient';
  if (source === 'external' && firstAsCounts && firstAs(asPath) !== asn) {
    return `AS_PATH does not begin with the peer's AS ${asn}`;
  }
  const allowed = options.allowAsIn ?? 0;
  for (const own of self.asn === localAsn ? [localAsn] : [localAsn, self.asn]) {
    const times = countAs(asPath, own);
    if (times > allowed) return `AS loop: ${own} stands ${times} times in AS_PATH, ${allowed} allowed`;
  }
  if (originatorId !== undefined && addressEquals(originatorId, self.routerId)) {
    return 'reflected back to its originator (ORIGINATOR_ID)';
  }
  if (clusterList?.some((cluster) => addressEquals(cluster, self.clusterId))) {
    return 'cluster loop: the own cluster ID stands in CLUSTER_LIST';
  }
  return undefined;
};

const countAs = (path: AsPath, asn: number): number => {
  let times = 0;
  for (const { asns } of path) for (const one of asns) if (one === asn) times++;
  return times;
};

/** RFC 4271 sections 5.1.3 and 6.3. */
const badNextHop = (nextHop: Address, from: RibPeer): string | undefined => {
  const own = [from.localAddress, from.localLinkLocal, from.nextHops?.[4], from.nextHops?.[6]];
  if (own.some((address) => address !== undefined && addressEquals(address, nextHop))) {
    return 'its next hop is this node';
  }
  const [word] = nextHop.words;
  const high = word >>> 24;
  const useless =
    isUnspecified(nextHop) ||
    (nextHop.family === 4 ? high === 0 || high === 127 || high >= 224 : high === 0xff);
  return useless ? 'its next hop is no address of a host' : undefined;
};

/** A link-local address belongs to the next hop that it came with. */
const withNextHop = (
  { linkLocal: _, ...attributes }: RouteAttributes,
  nextHop: Address,
): RouteAttributes => ({
  ...attributes,
  nextHop,
});
