/** What the RIBs know of a BGP peer: agreed on when the session came up, fixed while it lasts. */
import type { Address } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Coding } from '../bgp/codec/attributes.ts';
import type { Family } from '../bgp/codec/family.ts';
import type { Policy } from '../policy/policy.ts';

/** RFC 9234 section 4.1: what we are to the peer. */
export type LocalRole = 'provider' | 'routeServer' | 'routeServerClient' | 'customer' | 'peer';

export interface RibPeer {
  readonly name: string;
  readonly address: Address;
  readonly asn: number;
  /** The AS that we are to this peer: the own one, unless local-as is set for it. */
  readonly localAsn: number;
  readonly source: 'external' | 'internal';
  readonly routerId: Address;
  /** The session's own end. */
  readonly localAddress: Address;
  /** The own link-local address on the link to the peer, when it is on one. */
  readonly localLinkLocal?: Address;
  /** Own addresses to give as next hop where `localAddress` is of the other family. */
  readonly nextHops?: { readonly 4?: Address; readonly 6?: Address };
  /** The subnet shared with a peer one hop away: next hops on it may be handed on as they are (RFC 4271 section 5.1.3). */
  readonly link?: Prefix;
  readonly families: readonly Family[];
  /** Of what we send; ADD-PATH in the other direction shows in the path identifiers that come. */
  readonly coding: Coding;
  /** RFC 8950 agreed: IPv4 routes may have IPv6 next hops. */
  readonly extendedNextHop: boolean;
  /** RFC 7313 agreed. */
  readonly enhancedRefresh?: boolean;
  /** The peer spoke of long-lived graceful restart (RFC 9494 section 4.3): only then it is told of routes long stale. */
  readonly longLived?: boolean;
  /** Of us as a route reflector (RFC 4456). */
  readonly client: boolean;
  readonly role?: LocalRole;
  readonly options: PeerOptions;
  /** Absent towards an external peer: nothing is accepted (RFC 8212). */
  readonly import?: Policy;
  readonly export?: Policy;
}

/**
 * Some 200,000 different sets of attributes, as a full table of the internet has them, come to 50 MB; five times as much has
 * nobody to tell but who wants to take memory.
 */
export const MOST_ATTRIBUTE_BYTES = 256 << 20;

export interface PeerOptions {
  /** Towards internal peers; 'all': reflected routes as well, which RFC 4456 section 10 advises against. */
  readonly nextHopSelf?: boolean | 'all';
  /** Towards external peers. */
  readonly nextHopUnchanged?: boolean;
  /** How often the own AS may stand in a received path; default never. */
  readonly allowAsIn?: number;
  /** External paths have to begin with the peer's AS (RFC 4271 section 6.3); default unless the peer is a route server. */
  readonly enforceFirstAs?: boolean;
  /** Private AS numbers (RFC 6996) but the peer's own are left out of paths towards it. */
  readonly removePrivate?: boolean;
  /** With local-as (RFC 7705): the own AS does not show behind it, neither in what is sent nor in what is received. */
  readonly replaceAs?: boolean;
  readonly maxPrefixes?: { readonly 4?: PrefixLimit; readonly 6?: PrefixLimit };
  /** Memory, about, that attributes of its routes may take; default MOST_ATTRIBUTE_BYTES. */
  readonly maxAttributeBytes?: number;
  /** The default route is announced to this peer, whether there is one or not. */
  readonly defaultOriginate?: readonly Family[];
  /** All, where not said otherwise. */
  readonly sendCommunities?: {
    readonly plain?: boolean;
    readonly extended?: boolean;
    readonly large?: boolean;
  };
  /**
   * Towards an external peer: tunnels (RFC 9012) are told and believed. Default not (section 11): how to reach inside is
   * nobody's business outside. Internal peers always are.
   */
  readonly tunnels?: boolean;
  /** ADD-PATH: how many paths of a prefix are announced at most, best first; default all. */
  readonly maxPathsSent?: number;
  /** We are about to go: routes to external peers carry GRACEFUL_SHUTDOWN, to internal ones a LOCAL_PREF of 0 (RFC 8326). */
  readonly gracefulShutdown?: boolean;
}

export interface PrefixLimit {
  readonly limit: number;
  /** From this many on a warning is due, once; default 80 % of the limit. */
  readonly warnAt?: number;
}

/** What a peer that restarts is trusted to find again (RFC 4724 section 4.2, RFC 9494 section 4.2). */
export interface Retain {
  readonly families: readonly Family[];
  /** How long until it has to be back, from its capability. */
  readonly staleSeconds: number;
  /** By family: how long its routes are kept as long-lived stale ones after that. */
  readonly longLivedSeconds?: { readonly 4?: number; readonly 6?: number };
}
