/** Routes in one notation, whichever speaker has told of them, so that both ends can be compared. */
import type { RouteView } from '../../routing/bgp/bgp.ts';
import { Origin } from '../../routing/bgp/codec/attributes.ts';
import { formatCommunity, formatLarge } from '../../routing/bgp/codec/community.ts';
import { formatAddress } from '../../wire/address.ts';

export interface Route {
  /** AS numbers, nearest first. */
  readonly asPath: readonly number[];
  readonly nextHop: string;
  readonly origin: 'igp' | 'egp' | 'incomplete';
  readonly med?: number;
  readonly localPref?: number;
  /** '65001:100', sorted. */
  readonly communities: readonly string[];
  /** '65001:1:2' */
  readonly large: readonly string[];
  /** 'rt:65001:7': route targets alone. */
  readonly extended: readonly string[];
  readonly originatorId?: string;
  readonly clusterList: readonly string[];
  readonly onlyToCustomer?: number;
  readonly pathId?: number;
}

/** A route that a speaker makes itself. */
export interface OwnRoute {
  readonly prefix: string;
  readonly med?: number;
  readonly communities?: readonly string[];
  readonly large?: readonly string[];
  readonly extended?: readonly string[];
}

/** What is left out of it has no value; numbers that a speaker prints as 0 where there is none are left to it. */
export const route = (parts: Partial<Route>): Route => ({
  asPath: [],
  nextHop: '',
  origin: 'igp',
  communities: [],
  large: [],
  extended: [],
  clusterList: [],
  ...parts,
});

const ROUTE_TARGET = 2;
const AS_SPECIFIC = 0;

/** 'rt:65001:7' as 48 bits behind type 0, subtype 2 (RFC 4360 section 4). */
export const parseTarget = (text: string) => {
  const [, asn, value] = text.split(':');
  return { type: AS_SPECIFIC, subtype: ROUTE_TARGET, value: Number(asn) * 2 ** 32 + Number(value) };
};

export const parseCommunity = (text: string): number => {
  const [asn, value] = text.split(':').map(Number);
  return asn * 0x10000 + value;
};

export const parseLarge = (text: string) => {
  const [global, local1, local2] = text.split(':').map(Number);
  return { global, local1, local2 };
};

/** Weft's own view of a route, in the common notation. */
export const routeOf = ({ attributes, pathId }: RouteView): Route => {
  const { asPath = [], nextHop, origin, med, localPref, originatorId, clusterList = [] } = attributes;
  const { communities = [], largeCommunities = [], extendedCommunities = [], onlyToCustomer } = attributes;
  const names = Object.entries(Origin) as [Route['origin'], number][];
  return route({
    asPath: asPath.flatMap(({ asns }) => asns),
    nextHop: formatAddress(nextHop),
    origin: names.find(([, value]) => value === origin)?.[0] ?? 'incomplete',
    ...(med !== undefined && { med }),
    ...(localPref !== undefined && { localPref }),
    communities: communities.map(formatCommunity).sort(),
    large: largeCommunities.map(formatLarge).sort(),
    extended: extendedCommunities
      .filter(({ type, subtype }) => type === AS_SPECIFIC && subtype === ROUTE_TARGET)
      .map(({ value }) => `rt:${Math.floor(value / 2 ** 32)}:${value % 2 ** 32}`)
      .sort(),
    ...(originatorId !== undefined && { originatorId: formatAddress(originatorId) }),
    clusterList: clusterList.map(formatAddress),
    ...(onlyToCustomer !== undefined && { onlyToCustomer }),
    ...(pathId !== 0 && { pathId }),
  });
};
