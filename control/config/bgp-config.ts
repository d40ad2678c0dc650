/**
 * The section `bgp` of the configuration as the rest of the service sees it: defaults applied, addresses parsed, secrets
 * read from their files, contradictions excluded. Types only.
 */
import type { Community, LargeCommunity } from '../../routing/bgp/codec/community.ts';
import type { Term } from '../../routing/policy/policy.ts';
import type { LocalRole } from '../../routing/rib/peer.ts';
import type { Address } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';

export interface BgpConfig {
  readonly asn: number;
  /** Undefined: the first IPv4 underlay address. */
  readonly routerId: Address | undefined;
  /** As route reflector (RFC 4456); undefined: the router ID. */
  readonly clusterId: Address | undefined;
  readonly listen: { readonly address: Address; readonly port: number };
  readonly advertise: readonly Advertisement[];
  /** Equal paths of a prefix that share its flows, at most. */
  readonly maxPaths: number;
  /** RFC 8212: without `import` nothing is taken from an external peer, without `export` it is told nothing. */
  readonly requirePolicy: boolean;
  /** Learned routes go into the node's kernel table too. */
  readonly kernelRoutes: boolean;
  readonly gracefulRestart: {
    /** Seconds that peers keep forwarding to this node while it restarts, 0..4095 (RFC 4724). */
    readonly restartTime: number;
    /** Seconds that routes of a peer that restarts are kept until it has sent them again. */
    readonly stalePathTime: number;
    /** Seconds that they are kept as a last resort after that (RFC 9494); 0: not. */
    readonly longLivedTime: number;
    /** Seconds after its start that this node waits for its peers' End-of-RIB before it announces anything. */
    readonly selectionDeferral: number;
  };
  /** By name. */
  readonly policies: Readonly<Record<string, readonly Term[]>>;
  readonly peers: readonly BgpPeerConfig[];
  /** Monitoring stations that are told what peers tell (RFC 7854). */
  readonly bmp: readonly BmpStationConfig[];
}

export interface BmpStationConfig {
  readonly name: string;
  readonly address: Address;
  readonly port: number;
  /** Before import policy, after it. */
  readonly routes: readonly ('received' | 'accepted')[];
  /** Seconds between reports of what is counted; 0: none. */
  readonly statistics: number;
}

/** What is told to peers: a prefix, or the node's pod ranges as they are configured. */
export interface Advertisement {
  readonly prefix: 'pods' | Prefix;
  readonly communities: readonly Community[];
  readonly largeCommunities: readonly LargeCommunity[];
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  /** 'pods': while this node has a pod. A prefix: while there is a route to just that. */
  readonly when: 'always' | 'pods' | Prefix;
}

/** Which peer it is: one of the three. */
export interface PeerEndpoint {
  readonly address: Address | undefined;
  /** Name of the interface whose only other speaker is the peer, met by its link-local address. */
  readonly interface: string | undefined;
  /** Whoever connects from there. */
  readonly prefix: Prefix | undefined;
}

export interface BgpPeerConfig extends PeerEndpoint {
  readonly name: string;
  readonly asn: number;
  readonly port: number;
  /** TCP MD5 (RFC 2385), 1..80 bytes; what stood in `passwordFile` if that was given. */
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
  /** Seconds: 0 or 3..65535 (RFC 4271 section 4.2). */
  readonly holdTime: number;
  /** Hops to the peer at most, 1..255. */
  readonly multihop: number;
  /** Waits to be connected to. */
  readonly passive: boolean;
  /** RFC 5082: packets that come from more than `multihop` hops away are dropped. */
  readonly ttlSecurity: boolean;
  readonly families: readonly (4 | 6)[];
  readonly gracefulRestart: boolean;
  /** RFC 7911. */
  readonly addPath: 'off' | 'send' | 'receive' | 'both';
  readonly routeReflectorClient: boolean;
  readonly nextHopSelf: boolean;
  readonly nextHopUnchanged: boolean;
  /** Of this node towards the peer (RFC 9234). */
  readonly role: LocalRole | undefined;
  /** Names of policies, asked in this order; none: see `requirePolicy`. */
  readonly import: readonly string[];
  readonly export: readonly string[];
  readonly maxPrefixes: MaxPrefixes;
  /** Shown to this peer in place of `bgp.asn`. */
  readonly localAsn: number | undefined;
  /** How often the own AS may be in a path. */
  readonly allowAsIn: number;
  /** Private ASes are left out of paths that are sent. */
  readonly removePrivate: boolean;
  /** Sends a default route whether there is one or not. */
  readonly defaultOriginate: boolean;
  readonly bfd?: BfdConfig | undefined;
  /** True or the words for the peer (RFC 9003): no session. */
  readonly shutdown: boolean | string;
}

export interface MaxPrefixes {
  /** Routes taken from the peer, by family. */
  readonly ipv4: number;
  readonly ipv6: number;
  /** Percent from which the log warns. */
  readonly warnAt: number;
  /** Seconds after which a session that ended for it is tried again; 0: when it is cleared by hand. */
  readonly restartAfter: number;
}

/** RFC 5880. */
export interface BfdConfig {
  /** Milliseconds between packets, both ways. */
  readonly interval: number;
  /** So many missing packets in a row, and the peer is lost. */
  readonly multiplier: number;
  /** RFC 5883, and not only on a link; undefined: when the session itself is of several hops. */
  readonly multihop: boolean | undefined;
}
