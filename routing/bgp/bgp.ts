/**
 * A running speaker as the rest of the node sees it: what can be asked of it and what it tells. Values only, since it
 * runs in a thread of its own (spawn.ts starts it); nothing here knows threads, sockets or the engine.
 */
import type { Address } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { RibView } from '../rib/rib.ts';
import type { Explanation, RouteAttributes, Staleness } from '../rib/route.ts';
import type { CollectorView } from './bmp/collector.ts';
import type { Attributes } from './codec/attributes.ts';
import type { Family } from './codec/family.ts';
import type { Tunnel } from './codec/tunnel.ts';
import type { StateName } from './fsm.ts';
import type { RecordBounds } from './record/recorder.ts';
import type { RouteBatch } from './route-batch.ts';
import type { BgpSettings } from './settings.ts';

/** One way to a learned prefix. */
export interface BgpPath {
  /** Whose route it is. */
  readonly peer: string;
  readonly source: 'external' | 'internal';
  readonly nextHop: Address;
  /** Of a link-local next hop: the name of the interface it is on. */
  readonly interface?: string;
  /** How the next hop wants to be reached (RFC 9012); absent: it did not say. */
  readonly tunnels?: readonly Tunnel[];
}

/** What is best now for a prefix: paths that share traffic, best first; none: it is gone. */
export interface RouteChange {
  readonly prefix: Prefix;
  readonly paths: readonly BgpPath[];
}

export interface OriginatedRoute {
  readonly prefix: Prefix;
  /** ORIGIN and AS_PATH are added where missing; the next hop is our end of each session unless it is given. */
  readonly attributes: Attributes;
}

/** What a next hop that routes use resolves to. */
export interface ResolvedNextHop {
  readonly address: Address;
  /** Null: it cannot be reached, and its routes are no candidates. */
  readonly cost: number | null;
}

/** What the speaker tells. Nothing that is called may throw; a batch is answered before the next one comes. */
export interface BgpEvents {
  onRoutes(batch: RouteBatch): void | Promise<void>;
  /** All peers of before have told all (End-of-RIB), or have had their time; what is stale may be removed. Once. */
  onInitialRoutes(): void;
  /** Next hops that routes began to use, or use no longer: answered with `Bgp.nextHops`, and again when they change. */
  onNextHops(change: { readonly added: readonly Address[]; readonly removed: readonly Address[] }): void;
  /** A session came up or went down; for the log, and for BFD, which watches where this says. */
  onPeer(event: PeerEvent): void;
  onLog(
    level: 'debug' | 'info' | 'warn' | 'error',
    fields: Readonly<Record<string, unknown>>,
    text: string,
  ): void;
  /** The thread cannot go on. */
  onFailure(error: Error): void;
}

export interface PeerEvent {
  readonly peer: string;
  readonly up: boolean;
  readonly address: Address;
  /** Own end. */
  readonly localAddress?: Address;
  readonly interface?: string;
  /** Of a session that went down: why. */
  readonly why?: string;
}

/** What both ends agreed on in their OPENs. */
export interface AgreedView {
  readonly families: readonly Family[];
  readonly holdTime: number;
  readonly asBytes: 2 | 4;
  readonly extendedMessages: boolean;
  readonly extendedNextHop: boolean;
  readonly routeRefresh: boolean;
  readonly enhancedRefresh: boolean;
  readonly addPath: { readonly send: readonly Family[]; readonly receive: readonly Family[] };
  readonly gracefulRestart: readonly Family[];
  readonly longLived: readonly Family[];
  /** NOTIFICATIONs are survived too (RFC 8538). */
  readonly notifications: boolean;
  readonly role?: string;
}

export interface MessageCounts {
  readonly open: number;
  readonly update: number;
  readonly notification: number;
  readonly keepalive: number;
  readonly routeRefresh: number;
}

export interface PeerView {
  readonly name: string;
  /** Absent while the peer of an interface is not known. */
  readonly address?: Address;
  readonly interface?: string;
  /** Configured, or met by its prefix. */
  readonly dynamic: boolean;
  /** Absent: 'external' and no session yet. */
  readonly asn?: number;
  readonly state: StateName;
  /** Of the state: seconds. */
  readonly uptimeSeconds: number;
  readonly routerId?: Address;
  readonly localAddress?: Address;
  readonly agreed?: AgreedView;
  /** Routes: taken in, used after policy, told. */
  readonly received: number;
  readonly accepted: number;
  readonly advertised: number;
  readonly messages: { readonly received: MessageCounts; readonly sent: MessageCounts };
  readonly bytes: { readonly received: number; readonly sent: number };
  /** UPDATEs with an error that cost routes or attributes only (RFC 7606). */
  readonly malformedUpdates: number;
  readonly sessions: number;
  /** In words, with a time in milliseconds since 1970; null: none so far. */
  readonly lastError: { readonly text: string; readonly at: number } | null;
  /** RFC 8212, or whatever else keeps routes from being taken or told, with the setting that opens it. */
  readonly notes: readonly string[];
}

export interface RouteQuery {
  /** Of a peer: as received, after policy, as told; 'local' what is best of all. */
  readonly rib: 'received' | 'accepted' | 'advertised' | 'local';
  /** Needed for all but 'local'. */
  readonly peer?: string;
  /** Just this prefix, or with `longer` all inside of it. */
  readonly prefix?: Prefix;
  readonly longer?: boolean;
}

export interface RouteView {
  readonly prefix: Prefix;
  readonly pathId: number;
  readonly peer?: string;
  readonly attributes: RouteAttributes;
  readonly staleness: Staleness;
  /** Of 'local': the first that shares traffic. */
  readonly best: boolean;
  /** Why a received route is not used. */
  readonly rejected?: string;
}

/** What is long, and bytes. */
export type DownloadQuery =
  /** Of a session, as of now: see record/format.ts. */
  | { readonly kind: 'recording'; readonly peer: string; readonly bounds: RecordBounds }
  /** RIBs (RFC 6396); of one peer, where it is named. */
  | { readonly kind: 'mrt'; readonly view: RibView; readonly peer?: string };

export interface Bgp {
  /** A reload: sessions whose settings did not change stay. Rejects, with nothing changed, what cannot be. */
  apply(settings: BgpSettings): Promise<void>;
  /** All that this node announces: what is not among them any more is withdrawn. */
  originate(routes: readonly OriginatedRoute[]): void;
  nextHops(resolved: readonly ResolvedNextHop[]): void;
  peers(): Promise<readonly PeerView[]>;
  /** Monitoring stations (RFC 7854). */
  collectors(): Promise<readonly CollectorView[]>;
  /** Some hundred routes at a time, so that a million of them do not stop the speaker. */
  routes(query: RouteQuery): AsyncIterable<readonly RouteView[]>;
  /** Pieces, some of them empty. Rejects what cannot be had; who stops reading ends it. */
  download(query: DownloadQuery): AsyncIterable<Uint8Array>;
  explain(prefix: Prefix): Promise<readonly Explanation[]>;
  /** 'hard' ends the session, 'in' asks the peer for its routes again, 'out' sends ours again. Rejects for an unknown peer. */
  clear(peer: string, how: 'hard' | 'in' | 'out'): Promise<void>;
  /** Until `enable`: no session, and the peer's operator reads the text (RFC 9003). */
  shutdown(peer: string, text: string): Promise<void>;
  enable(peer: string): Promise<void>;
  /** BFD has lost it (RFC 9384). */
  peerLost(peer: string, why: string): void;
  /** `restart`: connections are closed without a word, so that peers keep what they know of us (RFC 4724). */
  stop(how: { readonly restart: boolean }): Promise<void>;
}

export interface StartOptions {
  /** This node ran here a moment ago, and peers were left without a word (RFC 4724 section 4.1). */
  readonly restarting: boolean;
}

/** What spawn.ts offers, and a fake in its place. */
export type StartBgp = (settings: BgpSettings, events: BgpEvents, options: StartOptions) => Bgp;
