/**
 * Policy as data: what is done with routes of a peer on their way in or out. Terms are asked in order; the first that
 * matches and does not say 'next' decides. Plain values, so that a policy can be written down, compared and handed to
 * another thread; match.ts and set.ts say what they mean.
 */
import type { Address } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Origin } from '../bgp/codec/attributes.ts';
import type { Community, ExtendedCommunity, LargeCommunity } from '../bgp/codec/community.ts';
import type { Family } from '../bgp/codec/family.ts';

export interface Policy {
  readonly terms: readonly Term[];
  /** What becomes of a route that no term decided about. */
  readonly otherwise: 'accept' | 'reject';
}

export interface Term {
  /** For `explain`. */
  readonly name?: string;
  /** Absent: every route. */
  readonly match?: Match;
  readonly set?: Actions;
  /** 'next': go on with the next term, with what was set. */
  readonly action: 'accept' | 'reject' | 'next';
}

/** Everything that is given has to hold; of a list one item. */
export interface Match {
  readonly family?: Family;
  readonly prefixes?: readonly PrefixRange[];
  /** Names of peers: those the route came from. */
  readonly peers?: readonly string[];
  readonly sources?: readonly ('local' | 'external' | 'internal')[];
  readonly nextHops?: readonly PrefixRange[];
  readonly origins?: readonly Origin[];
  /** A route without has a MED of 0 and a LOCAL_PREF of 100. */
  readonly med?: NumberRange;
  readonly localPref?: NumberRange;
  readonly communities?: readonly CommunityPattern[];
  readonly extendedCommunities?: readonly ExtendedPattern[];
  readonly largeCommunities?: readonly LargePattern[];
  readonly asPath?: AsPathMatch;
  /** What must not hold. */
  readonly not?: Match;
}

/** Prefixes inside `prefix` with a length in a range; without `ge` and `le` that prefix alone. */
export interface PrefixRange {
  readonly prefix: Prefix;
  /** Least length; with `le` alone: that of the prefix. */
  readonly ge?: number;
  /** Greatest length; with `ge` alone: that of an address. */
  readonly le?: number;
}

/** Both ends belong to it; absent: no bound. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
}

/** Parts that are absent match any number. */
export interface CommunityPattern {
  readonly asn?: number;
  readonly value?: number;
}

export interface ExtendedPattern {
  readonly type?: number;
  readonly subtype?: number;
  readonly value?: number;
}

export interface LargePattern {
  readonly global?: number;
  readonly local1?: number;
  readonly local2?: number;
}

/** Everything that is given has to hold. */
export interface AsPathMatch {
  /** One of them stands anywhere in the path. */
  readonly contains?: readonly number[];
  /** One of them made the route: the last of the path. */
  readonly originated?: readonly number[];
  /** One of them handed it on: the first of the path. */
  readonly from?: readonly number[];
  /** As the decision process counts: a set is one. */
  readonly length?: NumberRange;
  /** The whole path, from the nearest AS on; the members of a set stand for one place. */
  readonly pattern?: readonly PathToken[];
}

export type PathToken =
  | number
  /** One AS, whichever. */
  | 'any'
  /** Any number of ASes, none as well. */
  | 'rest'
  | { readonly from: number; readonly to: number };

export interface Actions {
  readonly localPref?: number;
  readonly med?: number | { readonly add: number } | 'remove';
  readonly origin?: Origin;
  /** Without `asn`: the AS that we are to the peer. */
  readonly prepend?: { readonly asn?: number; readonly times: number };
  /** 'self': our own address, 'peer': the other's, 'unchanged': as it is, whatever the rules for such a peer say. */
  readonly nextHop?: Address | 'self' | 'peer' | 'unchanged';
  readonly communities?: ListAction<Community, CommunityPattern>;
  readonly extendedCommunities?: ListAction<ExtendedCommunity, ExtendedPattern>;
  readonly largeCommunities?: ListAction<LargeCommunity, LargePattern>;
}

/** First `remove`, then `add`; `set` stands in the place of what was there. */
export interface ListAction<Item, Pattern> {
  readonly set?: readonly Item[];
  readonly remove?: readonly Pattern[];
  readonly add?: readonly Item[];
}

export const ACCEPT_ALL: Policy = { terms: [], otherwise: 'accept' };
export const REJECT_ALL: Policy = { terms: [], otherwise: 'reject' };
