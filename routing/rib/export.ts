/**
 * From Loc-RIB to an Adj-RIB-Out: whether a peer is told of a route, and with which attributes. A function of its
 * arguments.
 */
import { addressEquals } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import { type AsPath, prependAs } from '../bgp/codec/as-path.ts';
import { DEFAULT_LOCAL_PREF } from '../bgp/codec/attributes.ts';
import { isTransitive, WellKnown } from '../bgp/codec/community.ts';
import { type Accepted, applyPolicy } from '../policy/apply.ts';
import type { PolicyRoute } from '../policy/match.ts';
import { has, type Self, withoutTunnels } from './import.ts';
import { nextHopFor } from './next-hop.ts';
import type { RibPeer } from './peer.ts';
import { otcOut } from './roles.ts';
import type { RouteAttributes } from './route.ts';

type Mutable = { -readonly [K in keyof RouteAttributes]: RouteAttributes[K] };

/**
 * @param from whom the route came from; absent: it was made on this node
 * @returns what the peer is told; a string: it is not told, and why
 */
export const exportRoute = (
  attributes: RouteAttributes,
  prefix: Prefix,
  from: RibPeer | undefined,
  to: RibPeer,
  self: Self,
): RouteAttributes | string => {
  const held = heldBack(attributes, from, to);
  if (held !== undefined) return held;
  const otc = otcOut(attributes.onlyToCustomer, to);
  if (typeof otc === 'string') return otc;
  const external = to.source === 'external';
  if (external && to.export === undefined) return 'no export policy for an external peer (RFC 8212)';

  const source: PolicyRoute['source'] = from?.source ?? 'local';
  // RFC 4271 section 5.1.4: a MED of a neighbour is not for its neighbours. What the policy sets stays.
  const strips = external && source !== 'local' && attributes.med !== undefined;
  const offered = strips ? withoutMed(attributes) : attributes;
  const route = { prefix, attributes: offered, source, ...(from !== undefined && { peer: from.name }) };
  const outcome =
    to.export === undefined ? { attributes: offered } : applyPolicy(to.export, route, to.localAsn);
  if ('rejectedBy' in outcome) return `export policy: ${outcome.rejectedBy}`;

  const reflected = source === 'internal' && !external;
  const { attributes: chosen } = outcome;
  const out = external ? towardsExternal(chosen, to, self) : towardsInternal(chosen);
  if (reflected && from !== undefined) {
    out.originatorId ??= from.routerId;
    out.clusterList = [self.clusterId, ...(out.clusterList ?? [])];
  }
  if (otc !== undefined) out.onlyToCustomer = otc;
  const { nextHop: action } = outcome as Accepted<RouteAttributes>;
  const nextHop = nextHopFor(prefix.address.family, chosen.nextHop, reflected, to, action);
  if (typeof nextHop === 'string') return nextHop;
  out.nextHop = nextHop.nextHop;
  if (nextHop.linkLocal !== undefined) out.linkLocal = nextHop.linkLocal;
  else if (out.linkLocal !== undefined) delete out.linkLocal;
  return shutDown(dropCommunities(out, to), to);
};

/** Why no attribute or policy could make this peer be told. */
const heldBack = (
  attributes: RouteAttributes,
  from: RibPeer | undefined,
  to: RibPeer,
): string | undefined => {
  const external = to.source === 'external';
  if (from?.name === to.name) return 'it came from this peer';
  if (from?.source === 'internal' && !external) {
    // RFC 4456 section 6: what came from a client goes to all, anything else to clients.
    if (!from.client && !to.client) return 'from one internal peer to another, neither of them a client';
    if (attributes.originatorId !== undefined && addressEquals(attributes.originatorId, to.routerId)) {
      return 'the peer is its originator';
    }
  }
  if (has(attributes, WellKnown.noAdvertise)) return 'NO_ADVERTISE';
  if (external && has(attributes, WellKnown.noExport)) return 'NO_EXPORT';
  if (external && has(attributes, WellKnown.noExportSubconfed)) return 'NO_EXPORT_SUBCONFED';
  if (has(attributes, WellKnown.llgrStale) && to.longLived !== true) {
    return 'long-lived stale, and the peer does not know such routes (RFC 9494)';
  }
  return undefined;
};

const towardsInternal = (attributes: RouteAttributes): Mutable => {
  const out: Mutable = { ...attributes };
  out.asPath ??= [];
  out.origin ??= 0;
  out.localPref ??= DEFAULT_LOCAL_PREF;
  return out;
};

/** By name, so that nothing that is for inside goes out. */
const towardsExternal = (chosen: RouteAttributes, to: RibPeer, self: Self): Mutable => {
  const attributes = to.options.tunnels === true ? chosen : withoutTunnels(chosen);
  let asPath = attributes.asPath ?? [];
  if (to.options.removePrivate) asPath = withoutPrivate(asPath, to.asn);
  // RFC 7705 section 3.2: the AS that the peer knows us by stands before the own one.
  if (to.localAsn !== self.asn && to.options.replaceAs !== true) asPath = prependAs(asPath, self.asn);
  const { nextHop, med, atomicAggregate, aggregator, communities, extendedCommunities } = attributes;
  const { tunnels, largeCommunities, onlyToCustomer, unknown } = attributes;
  const out: Mutable = { origin: attributes.origin ?? 0, asPath: prependAs(asPath, to.localAsn), nextHop };
  if (med !== undefined) out.med = med;
  if (atomicAggregate !== undefined) out.atomicAggregate = atomicAggregate;
  if (aggregator !== undefined) out.aggregator = aggregator;
  if (communities !== undefined) out.communities = communities;
  if (extendedCommunities !== undefined) out.extendedCommunities = extendedCommunities.filter(isTransitive);
  if (tunnels !== undefined) out.tunnels = tunnels;
  if (largeCommunities !== undefined) out.largeCommunities = largeCommunities;
  if (onlyToCustomer !== undefined) out.onlyToCustomer = onlyToCustomer;
  if (unknown !== undefined) out.unknown = unknown;
  return out;
};

/** RFC 6996 section 5. */
const isPrivate = (asn: number): boolean =>
  (asn >= 64512 && asn <= 65534) || (asn >= 4_200_000_000 && asn <= 4_294_967_294);

/** @param kept the peer's own AS, by which it finds loops */
const withoutPrivate = (path: AsPath, kept: number): AsPath =>
  path.flatMap(({ type, asns }) => {
    const left = asns.filter((asn) => asn === kept || !isPrivate(asn));
    return left.length === 0 ? [] : [{ type, asns: left }];
  });

/** Those that are not to be sent, and lists that became empty, which would be malformed. */
const dropCommunities = (out: Mutable, { options: { sendCommunities: send } }: RibPeer): Mutable => {
  if (send?.plain === false || out.communities?.length === 0) delete out.communities;
  if (send?.extended === false || out.extendedCommunities?.length === 0) delete out.extendedCommunities;
  if (send?.large === false || out.largeCommunities?.length === 0) delete out.largeCommunities;
  return out;
};

/** RFC 8326 section 4.2. */
const shutDown = (out: Mutable, { source, options }: RibPeer): RouteAttributes => {
  if (options.gracefulShutdown !== true) return out;
  if (source === 'internal') out.localPref = 0;
  else if (!has(out, WellKnown.gracefulShutdown)) {
    out.communities = [...(out.communities ?? []), WellKnown.gracefulShutdown];
  }
  return out;
};

const withoutMed = ({ med: _, ...rest }: RouteAttributes): RouteAttributes => rest;
