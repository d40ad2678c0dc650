/**
 * What a speaker is told to be, and whom to speak to: plain values, which can be compared and handed to another thread.
 * Everything is decided here (defaults, policies by name, passwords from files); what is only asked for is in the
 * configuration.
 */
import type { Address } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Policy } from '../policy/policy.ts';
import type { DecisionOptions } from '../rib/decision.ts';
import type { LocalRole, PeerOptions } from '../rib/peer.ts';
import type { CollectorSettings } from './bmp/collector.ts';
import type { Family } from './codec/family.ts';

export interface BgpSettings {
  readonly asn: number;
  /** Not 0 (RFC 6286). */
  readonly routerId: Address;
  /** As route reflector (RFC 4456); default the router ID. */
  readonly clusterId?: Address;
  /** Absent: nobody can connect. Address '::' is any address of either family. */
  readonly listen?: { readonly address: Address; readonly port: number };
  readonly decision?: DecisionOptions;
  /** Equal paths of a prefix that share its flows, at most. */
  readonly maxPaths: number;
  readonly gracefulRestart: RestartSettings;
  /** Names are theirs alone. */
  readonly peers: readonly PeerSettings[];
  /** Monitoring stations (RFC 7854). */
  readonly collectors?: readonly CollectorSettings[];
}

export interface RestartSettings {
  /** Seconds that peers are asked to keep our routes while we restart, 0..4095 (RFC 4724 section 3). */
  readonly restartTime: number;
  /** Seconds, at most, that routes of a peer that restarts are kept. */
  readonly stalePathTime: number;
  /** Seconds that they are kept as last resort after that (RFC 9494), 24 bits; 0: not. */
  readonly longLivedTime: number;
  /** Seconds after a restart that peers' End-of-RIBs are waited for before anything is announced. */
  readonly selectionDeferral: number;
}

/** Which peer it is. */
export type PeerEndpoint =
  | { readonly kind: 'address'; readonly address: Address; readonly interface?: string }
  /** The only other speaker on an interface, met by its link-local address, which router advertisements tell. */
  | { readonly kind: 'interface'; readonly interface: string }
  /** Whoever connects from there; each becomes a peer of its own with this one's settings. */
  | { readonly kind: 'prefix'; readonly prefix: Prefix; readonly limit: number };

export type AddPathMode = 'off' | 'send' | 'receive' | 'both';

export interface PeerSettings {
  readonly name: string;
  readonly endpoint: PeerEndpoint;
  /** 'external': any but ours. */
  readonly asn: number | 'external';
  /** Where it listens. */
  readonly port: number;
  /** Own end of the session; default: as the kernel chooses. */
  readonly localAddress?: Address;
  /** Shown to this peer in place of the speaker's AS (RFC 7705). */
  readonly localAsn?: number;
  /** Seconds, 0 or at least 3 (RFC 4271 section 4.2). */
  readonly holdTime: number;
  /** Seconds between attempts to connect. */
  readonly connectRetry: number;
  /** Waits to be connected to. */
  readonly passive: boolean;
  /** Seconds between advertisements (RFC 4271 section 9.2.1.1); 0: at once. */
  readonly advertisementInterval: number;
  /** Hops to the peer at most: 1 for one on a link of ours. Internal peers may be further away. */
  readonly multihop: number;
  /** RFC 5082: what comes from more than `multihop` hops away is dropped. */
  readonly ttlSecurity: boolean;
  /** TCP MD5 (RFC 2385), 1..80 bytes. */
  readonly password?: string;
  readonly families: readonly Family[];
  readonly addPath: AddPathMode;
  /** RFC 8654. */
  readonly extendedMessages: boolean;
  /** RFC 4724 and 8538, both roles. */
  readonly gracefulRestart: boolean;
  /** RFC 8950: IPv4 routes with IPv6 next hops. */
  readonly extendedNextHop: boolean;
  /** Of us as a route reflector (RFC 4456). */
  readonly client: boolean;
  /** Ours towards the peer (RFC 9234); `strict`: a peer without one is refused. */
  readonly role?: LocalRole;
  readonly strictRole?: boolean;
  /** Own addresses to give as next hop where the session's own is of the other family. */
  readonly nextHops?: { readonly 4?: Address; readonly 6?: Address };
  readonly options: PeerOptions;
  /** Seconds until a session that ended for too many prefixes is tried again; 0: when cleared by the operator. */
  readonly maxPrefixRestart: number;
  /** Absent towards an external peer: nothing is accepted, nothing announced (RFC 8212). */
  readonly import?: Policy;
  readonly export?: Policy;
  /** No session; the words are for the peer's operator (RFC 9003). */
  readonly shutdown?: { readonly text: string };
}
