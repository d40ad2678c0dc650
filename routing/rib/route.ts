/** Routes as the RIBs show them to others. */
import type { Address } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Attributes } from '../bgp/codec/attributes.ts';
import type { Family } from '../bgp/codec/family.ts';
import type { Candidate, Reason } from './decision.ts';

/** A route's attributes, wherever in the message its next hop stood. */
export interface RouteAttributes extends Attributes {
  readonly nextHop: Address;
  /** Beside a global next hop (RFC 2545 section 3). */
  readonly linkLocal?: Address;
}

/** What a route is to graceful restart: fresh, waiting for its peer to be back, or long-lived stale (RFC 9494). */
export type Staleness = 'fresh' | 'stale' | 'longLivedStale';

/** A route that takes part in the decision. */
export interface RibRoute extends Omit<Candidate, 'merits'> {
  /** After policy. */
  readonly attributes: RouteAttributes;
  /** Its name; undefined for routes made on this node. */
  readonly peer: string | undefined;
  readonly staleness: Staleness;
}

/** One route of an Adj-RIB-In. */
export interface ReceivedRoute {
  readonly prefix: Prefix;
  readonly pathId: number;
  readonly attributes: RouteAttributes;
  readonly staleness: Staleness;
  /** Why it does not take part in the decision. */
  readonly rejected?: string;
}

/** One route of an Adj-RIB-Out: what the peer was told. */
export interface SentRoute {
  readonly prefix: Prefix;
  /** With ADD-PATH. */
  readonly pathId?: number;
  readonly attributes: RouteAttributes;
}

export interface LocalRoute {
  readonly prefix: Prefix;
  /** Those that share traffic, the best first; never empty. */
  readonly routes: readonly RibRoute[];
}

/** What there is of a prefix. */
export interface PrefixRoutes {
  readonly prefix: Prefix;
  /** Never empty. */
  readonly routes: readonly {
    /** Absent: made on this node. */
    readonly peer?: string;
    readonly pathId: number;
    readonly attributes: RouteAttributes;
  }[];
}

/** What became of each route to a prefix, and why. */
export interface Explanation {
  /** Absent for routes made on this node. */
  readonly peer?: string;
  readonly pathId: number;
  /** As received. */
  readonly before: RouteAttributes;
  /** After policy; absent when rejected. */
  readonly after?: RouteAttributes;
  readonly staleness: Staleness;
  readonly outcome:
    | { readonly kind: 'best' }
    /** Shares traffic with the best. */
    | { readonly kind: 'equal' }
    | { readonly kind: 'lost'; readonly why: Reason | 'next hop unreachable' }
    | { readonly kind: 'rejected'; readonly why: string };
}

/** What a received UPDATE means for the session. */
export interface Verdict {
  /** More prefixes than allowed: what is beyond was not kept, and the session is to end (RFC 4486, maximum prefixes). */
  readonly exceeded?: PrefixCount;
  /** The attributes of its routes take more memory than allowed, bytes: the session is to end (RFC 4486, out of resources). */
  readonly exhausted?: number;
  /** The number at which a warning is wanted was reached with this UPDATE. */
  readonly warning?: PrefixCount;
}

export interface PrefixCount {
  readonly family: Family;
  readonly count: number;
  readonly limit: number;
}

export interface PeerCounts {
  readonly received: number;
  /** After policy. */
  readonly accepted: number;
  readonly advertised: number;
}
