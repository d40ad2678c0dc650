/** Whether a route is what a term asks for. Functions of their arguments; nothing is compiled or remembered. */
import type { Address } from '../../wire/address.ts';
import { familyBits, hostPrefix, type Prefix, prefixContains } from '../../wire/prefix.ts';
import { type AsPath, firstAs, lastAs, pathHasAs, pathLength } from '../bgp/codec/as-path.ts';
import { type Attributes, DEFAULT_LOCAL_PREF } from '../bgp/codec/attributes.ts';
import { matchesPath } from './as-path-pattern.ts';
import type { AsPathMatch, CommunityPattern, Match, NumberRange, Policy, PrefixRange } from './policy.ts';

/** What terms look at. */
export interface PolicyRoute {
  readonly prefix: Prefix;
  readonly attributes: Attributes;
  readonly source: 'local' | 'external' | 'internal';
  /** Whom it came from; absent for routes made on this node. */
  readonly peer?: string;
}

export const matches = (match: Match, route: PolicyRoute): boolean => {
  const { prefix, attributes, source, peer } = route;
  const { nextHop, communities, extendedCommunities, largeCommunities } = attributes;
  return (
    (match.family === undefined || match.family === prefix.address.family) &&
    (match.sources?.includes(source) ?? true) &&
    (match.peers === undefined || (peer !== undefined && match.peers.includes(peer))) &&
    (match.prefixes?.some((range) => inRange(prefix, range)) ?? true) &&
    (match.nextHops?.some((range) => nextHop !== undefined && isInside(nextHop, range)) ?? true) &&
    (match.origins?.includes(attributes.origin ?? 0) ?? true) &&
    within(attributes.med ?? 0, match.med) &&
    within(attributes.localPref ?? DEFAULT_LOCAL_PREF, match.localPref) &&
    hasOne(communities, match.communities, matchesCommunity) &&
    hasOne(extendedCommunities, match.extendedCommunities, matchesFields) &&
    hasOne(largeCommunities, match.largeCommunities, matchesFields) &&
    (match.asPath === undefined || matchesAsPath(match.asPath, attributes.asPath ?? [])) &&
    (match.not === undefined || !matches(match.not, route))
  );
};

/** False: what a policy does to a route depends on its attributes and its source only, and may be remembered by these. */
export const asksForPrefix = ({ terms }: Policy): boolean => {
  const asks = (match: Match | undefined): boolean =>
    match !== undefined && (match.prefixes !== undefined || asks(match.not));
  return terms.some(({ match }) => asks(match));
};

export const inRange = ({ address, length }: Prefix, { prefix, ge, le }: PrefixRange): boolean => {
  const least = ge ?? prefix.length;
  const greatest = le ?? (ge === undefined ? prefix.length : familyBits(prefix.address.family));
  return length >= prefix.length && length >= least && length <= greatest && prefixContains(prefix, address);
};

/** An address as a prefix list has it: without `ge` and `le`, anywhere inside the prefix. */
const isInside = (address: Address, { prefix, ge, le }: PrefixRange): boolean =>
  ge === undefined && le === undefined
    ? prefixContains(prefix, address)
    : inRange(hostPrefix(address), {
        prefix,
        ...(ge !== undefined && { ge }),
        ...(le !== undefined && { le }),
      });

const within = (value: number, range: NumberRange | undefined): boolean =>
  range === undefined || (value >= (range.min ?? 0) && value <= (range.max ?? Number.POSITIVE_INFINITY));

const hasOne = <Item, Pattern>(
  items: readonly Item[] | undefined,
  patterns: readonly Pattern[] | undefined,
  fits: (item: Item, pattern: Pattern) => boolean,
): boolean =>
  patterns === undefined ||
  (items !== undefined && patterns.some((pattern) => items.some((item) => fits(item, pattern))));

export const matchesCommunity = (community: number, { asn, value }: CommunityPattern): boolean =>
  (asn === undefined || asn === community >>> 16) && (value === undefined || value === (community & 0xffff));

/** Extended and large ones: each part of the pattern as in the community. */
export const matchesFields = <Item extends object>(item: Item, pattern: Partial<Item>): boolean =>
  (Object.keys(pattern) as (keyof Item)[]).every(
    (key) => pattern[key] === undefined || pattern[key] === item[key],
  );

const matchesAsPath = (match: AsPathMatch, path: AsPath): boolean => {
  const [first, last] = [firstAs(path), lastAs(path)];
  return (
    (match.contains?.some((asn) => pathHasAs(path, asn)) ?? true) &&
    (match.originated === undefined || (last !== undefined && match.originated.includes(last))) &&
    (match.from === undefined || (first !== undefined && match.from.includes(first))) &&
    within(pathLength(path), match.length) &&
    (match.pattern === undefined || matchesPath(match.pattern, path))
  );
};
