/**
 * The decision process (RFC 4271 section 9.1.2 with route reflection, RFC 4456 section 9, and long-lived stale routes,
 * RFC 9494 section 4.3): which of the routes to a prefix is best, and by which step. A function of its arguments:
 * whether a next hop resolves and at what cost is found out elsewhere.
 *
 * The steps stand in one table in the order in which they are asked. Two routes compare by all of them; several do not
 * simply sort, because MEDs count between routes of one neighbouring AS only: each AS's best is found first.
 */
import type { Address } from '../../wire/address.ts';
import { firstAs, pathLength } from '../bgp/codec/as-path.ts';
import { type Attributes, DEFAULT_LOCAL_PREF } from '../bgp/codec/attributes.ts';
import { WellKnown } from '../bgp/codec/community.ts';

/** What the process looks at of a route's attributes. */
export interface Merits {
  readonly isLongLivedStale: boolean;
  readonly localPref: number;
  readonly pathLength: number;
  readonly origin: number;
  readonly med: number;
  /** The AS that MEDs come from; 0: a route of the own AS. */
  readonly neighbourAs: number;
  /** ORIGINATOR_ID as a number; undefined: its peer's router ID counts. */
  readonly originator: number | undefined;
  /** Of CLUSTER_LIST. */
  readonly clusterLength: number;
}

export const meritsOf = (attributes: Attributes): Merits => {
  const { asPath = [], communities, originatorId, clusterList } = attributes;
  return {
    isLongLivedStale: communities?.includes(WellKnown.llgrStale) === true,
    localPref: attributes.localPref ?? DEFAULT_LOCAL_PREF,
    pathLength: pathLength(asPath),
    origin: attributes.origin ?? 0,
    med: attributes.med ?? 0,
    neighbourAs: firstAs(asPath) ?? 0,
    originator: originatorId?.words[0],
    clusterLength: clusterList?.length ?? 0,
  };
};

/** What the process looks at; the RIBs' routes have these and more. */
export interface Candidate {
  readonly merits: Merits;
  /** 'local': made on this node. */
  readonly source: 'local' | 'external' | 'internal';
  /** From the peer's OPEN; the own one for local routes. */
  readonly routerId: Address;
  readonly peerAddress: Address;
  /** RFC 7911; 0 without. */
  readonly pathId: number;
  /** Cost of the way to the next hop; undefined: it does not resolve, and the route is no candidate. */
  readonly nextHopCost: number | undefined;
}

export interface DecisionOptions {
  /** Compare MEDs also between routes of different neighbouring ASes. */
  readonly alwaysCompareMed?: boolean;
}

interface Step {
  readonly name: string;
  /** The lesser is the better. */
  readonly rank: (route: Candidate) => number;
  readonly onlyBetween?: (a: Candidate, b: Candidate, options: DecisionOptions) => boolean;
}

const steps = [
  {
    name: 'not long-lived stale',
    rank: ({ merits }) => (merits.isLongLivedStale ? 1 : 0),
  },
  { name: 'higher LOCAL_PREF', rank: ({ merits }) => -merits.localPref },
  { name: 'made on this node', rank: ({ source }) => (source === 'local' ? 0 : 1) },
  { name: 'shorter AS_PATH', rank: ({ merits }) => merits.pathLength },
  { name: 'lower ORIGIN', rank: ({ merits }) => merits.origin },
  {
    name: 'lower MED',
    rank: ({ merits }) => merits.med,
    onlyBetween: (a, b, { alwaysCompareMed }) =>
      alwaysCompareMed === true || a.merits.neighbourAs === b.merits.neighbourAs,
  },
  { name: 'external before internal', rank: ({ source }) => (source === 'internal' ? 1 : 0) },
  { name: 'nearer next hop', rank: ({ nextHopCost }) => nextHopCost ?? Number.POSITIVE_INFINITY },
  {
    name: 'lower router ID',
    rank: ({ merits, routerId }) => merits.originator ?? routerId.words[0],
  },
  { name: 'shorter CLUSTER_LIST', rank: ({ merits }) => merits.clusterLength },
  // IPv4 before IPv6, which no RFC orders; then the address's words, most significant first.
  { name: 'lower peer address', rank: ({ peerAddress }) => peerAddress.family },
  { name: 'lower peer address', rank: ({ peerAddress }) => peerAddress.words[0] },
  { name: 'lower peer address', rank: ({ peerAddress }) => peerAddress.words[1] ?? 0 },
  { name: 'lower peer address', rank: ({ peerAddress }) => peerAddress.words[2] ?? 0 },
  { name: 'lower peer address', rank: ({ peerAddress }) => peerAddress.words[3] ?? 0 },
  { name: 'lower path identifier', rank: ({ pathId }) => pathId },
] as const satisfies readonly Step[];

/** What made the difference, in words for people. */
export type Reason = (typeof steps)[number]['name'] | 'equal';

/** How many steps come before routes count as equally good: the rest only breaks ties (RFC 4271 section 9.1.2.2 f). */
const EQUAL_COST_STEPS = steps.findIndex(({ name }) => name === 'lower router ID');

export interface Comparison {
  /** Negative: `a` is better; 0 only when nothing at all tells them apart. */
  readonly order: number;
  readonly why: Reason;
}

/** Two routes, whose next hops resolve. */
export const compareRoutes = (a: Candidate, b: Candidate, options: DecisionOptions = {}): Comparison =>
  compareBy(steps, a, b, options);

const compareBy = (
  asked: readonly Step[],
  a: Candidate,
  b: Candidate,
  options: DecisionOptions,
): Comparison => {
  for (const { name, rank, onlyBetween } of asked) {
    if (onlyBetween !== undefined && !onlyBetween(a, b, options)) continue;
    const [ours, theirs] = [rank(a), rank(b)];
    if (ours !== theirs) return { order: ours < theirs ? -1 : 1, why: name as Reason };
  }
  return { order: 0, why: 'equal' };
};

export interface Decision<Route extends Candidate> {
  readonly best: Route | undefined;
  /** Of the routes that lost: by what. 'next hop unreachable' never took part. */
  readonly lost: ReadonlyMap<Route, Reason | 'next hop unreachable'>;
}

/**
 * The best of the routes to one prefix. The result does not depend on the order in which they are given, as long as no
 * two are 'equal' (which two routes of one peer and path identifier would have to be).
 */
export const decide = <Route extends Candidate>(
  routes: readonly Route[],
  options: DecisionOptions = {},
): Decision<Route> => {
  const lost = new Map<Route, Reason | 'next hop unreachable'>();
  const champion = (contenders: Iterable<Route>): Route | undefined => {
    let best: Route | undefined;
    const losers: Route[] = [];
    for (const route of contenders) {
      if (best === undefined) best = route;
      else if (compareRoutes(route, best, options).order < 0) {
        losers.push(best);
        best = route;
      } else losers.push(route);
    }
    // Against the one that won, not against whom each met on the way.
    for (const loser of losers) lost.set(loser, compareRoutes(best as Route, loser, options).why);
    return best;
  };
  const groups = new Map<number, Route[]>();
  for (const route of routes) {
    if (route.nextHopCost === undefined) {
      lost.set(route, 'next hop unreachable');
      continue;
    }
    const key = options.alwaysCompareMed ? 0 : route.merits.neighbourAs;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [route]);
    else group.push(route);
  }
  const winners = [...groups.values()].flatMap((group) => champion(group) ?? []);
  return { best: champion(winners), lost };
};

/** The same for who does not ask why the others lost: mostly there are two. */
export const bestOf = <Route extends Candidate>(
  routes: readonly Route[],
  options: DecisionOptions = {},
): Route | undefined => {
  const [a, b] = routes;
  if (routes.length !== 2 || a.nextHopCost === undefined || b.nextHopCost === undefined) {
    return decide(routes, options).best;
  }
  return compareRoutes(b, a, options).order < 0 ? b : a;
};

/**
 * The routes that share traffic with the best (ECMP), it being the first: equal in every step that says how good a
 * route is. That their next hops differ is for whom resolves these.
 */
export const equalRoutes = <Route extends Candidate>(
  best: Route,
  routes: readonly Route[],
  options: DecisionOptions = {},
): Route[] => {
  const quality = steps.slice(0, EQUAL_COST_STEPS);
  const equal = routes.filter(
    (route) =>
      route !== best &&
      route.nextHopCost !== undefined &&
      compareBy(quality, route, best, options).order === 0,
  );
  return [best, ...equal.sort((a, b) => compareRoutes(a, b, options).order)];
};
