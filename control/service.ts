/**
 * What a running node answers and does, as the API, the metrics and through them every command see it. Types only: the
 * JSON that `--json` prints is these values as they are, field names as documented. Requests arrive validated.
 */
import type { Bandwidth, StatedBandwidth } from '../cni/bandwidth.ts';
import type { Finding, RangeUse } from '../cni/leases.ts';
import type { Call } from '../cni/plugin/call.ts';
import type { Answer } from '../cni/plugin/plugin.ts';
import type { BfdStateName } from '../routing/bfd/bfd.ts';
import type { AgreedView, MessageCounts } from '../routing/bgp/bgp.ts';
import type { StateName } from '../routing/bgp/fsm.ts';
import type { Address } from '../wire/address.ts';
import type { Prefix } from '../wire/prefix.ts';
import type { NodeConfig } from './config/node-config.ts';

/** Addresses, prefixes and MACs in results are text: dotted decimal or RFC 5952, address/length, six pairs of digits. */
export interface NodeService {
  status(): Promise<Status>;
  /** Rejects with AttachError when the request cannot be carried out; nothing is then left of it. */
  attach(request: AttachRequest): Promise<AttachResult>;
  /** Resolves as well when there is no such attachment. */
  detach(request: DetachRequest): Promise<void>;
  ipam(): Promise<Ipam>;
  /** Leases against the pods that are there. @param fix also frees what is nobody's any more */
  ipamCheck(fix: boolean): Promise<readonly Finding[]>;
  /** Rejects with WeftError 'not-found', or 'in-use' when its pod is there and it is not to be taken by force. */
  ipamRelease(request: IpamReleaseRequest): Promise<void>;
  /** What a container runtime asks of the CNI plugin. @param gone aborted when it no longer waits for the answer */
  cni(call: Call, gone: AbortSignal): Promise<Answer>;
  pods(): Promise<Pod[]>;
  /**
   * All routes, sorted by prefix, some hundred at a time; with an address the one that a packet to it takes, and none when there is
   * no route.
   */
  routes(address?: Address): AsyncIterable<readonly Route[]>;
  tunnels(): Promise<Tunnel[]>;
  /** BGP peers; none where BGP is not configured. */
  bgp(): Promise<BgpPeer[]>;
  /** Monitoring stations. */
  bgpStations(): Promise<BmpStation[]>;
  /** Some hundred at a time. */
  bgpRoutes(query: BgpRoutesQuery): AsyncIterable<readonly BgpRoute[]>;
  /** Rejects with WeftError 'not-found' without BGP, as the following do, and for a peer that there is not. */
  bgpWhy(prefix: Prefix): Promise<BgpWhy>;
  /** Of the session with a peer, as it goes on; bytes for `weft bgp replay`. */
  bgpRecord(request: BgpRecord): AsyncIterable<Uint8Array>;
  /** RIBs as an MRT file. */
  bgpDump(request: BgpDump): AsyncIterable<Uint8Array>;
  bgpClear(request: BgpClear): Promise<void>;
  bgpShutdown(request: BgpShutdown): Promise<void>;
  bgpEnable(request: { readonly peer: string }): Promise<void>;
  /** What is not in the engine or the kernel's table as the route table has it; empty when all agree. */
  routesCheck(): Promise<readonly string[]>;
  /** Packets dropped by reason since start; every reason that exists is there, zero included. */
  drops(): Promise<Drops>;
  why(packet: PacketDescription): Promise<WhyResult>;
  /** One consistent reading for the metrics. */
  metrics(): Promise<MetricsSnapshot>;
}

/** A node that forwards. */
export interface RunningNode {
  readonly service: NodeService;
  /** Applies the difference. Rejects, with everything as before, when that is not possible. */
  reload(config: NodeConfig): Promise<void>;
  /** Stops forwarding; pod interfaces and their addresses stay. */
  stop(): Promise<void>;
}

export interface Status {
  readonly node: string;
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  /** Number of worker threads. */
  readonly workers: number;
  /** By the names of `engine.offload`. */
  readonly offload: Readonly<Record<string, OffloadState>>;
  /** The first of `vteps`. */
  readonly vtep: Vtep;
  /** One an underlay address. */
  readonly vteps: readonly Vtep[];
  readonly encap: { readonly type: string; readonly when: string };
  /** Number of attachments. */
  readonly pods: number;
  /** Number of prefixes that have a route. */
  readonly routes: number;
  readonly bgp: BgpSummary;
  /** The node's pod ranges. */
  readonly cidrs: readonly string[];
  /** MTU of new pods, bytes. */
  readonly mtu: number;
  /** The node's own port into the fabric. */
  readonly host: {
    readonly interface: string;
    readonly ips: readonly string[];
    readonly natOutgoing: boolean;
  };
  /** Paths, as the daemon knows them. */
  readonly config: string;
  readonly state: string;
}

export interface OffloadState {
  readonly on: boolean;
  /** Why it is off. */
  readonly why?: string;
}

/** What another node has to know of this one. */
export interface Vtep {
  readonly address: string;
  /** Inner destination MAC that this node answers to on that address. */
  readonly mac: string;
  readonly vni: number;
  /** UDP port. */
  readonly port: number;
  /** Interface of the underlay address, and the largest IP packet it takes, bytes. */
  readonly interface: string;
  readonly mtu: number;
}

export interface AttachmentName {
  readonly id: string;
  readonly ifname: string;
}

export interface AttachRequest extends AttachmentName {
  /** Absolute path of the pod's network namespace. */
  readonly netns: string;
  /** Addresses wanted, at most one a family; the others are chosen. */
  readonly ips: readonly Address[];
  readonly bandwidth?: Bandwidth | undefined;
}

export type DetachRequest = AttachmentName;

export interface AttachResult {
  /** Its name in the pod. */
  readonly interface: string;
  readonly ips: readonly string[];
  /** Bytes. */
  readonly mtu: number;
  readonly mac: string;
}

export interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

export interface Pod extends AttachmentName {
  readonly netns: string;
  readonly ips: readonly string[];
  readonly mtu: number;
  readonly mac: string;
  /** Limits in bits a second and bits, 0 for none: ingress is what the pod receives. */
  readonly bandwidth: StatedBandwidth;
  /** 'waiting': known, but its interface could not be taken over yet. */
  readonly state: 'forwarding' | 'waiting';
  /** As seen from the pod: rx is what was delivered to it, tx what it sent. */
  readonly rx: Traffic;
  readonly tx: Traffic;
  /** Packets from it or for it that were dropped. */
  readonly drops: number;
}

export interface Ipam {
  readonly ranges: readonly RangeUse[];
  /** Sorted by address. */
  readonly leases: readonly Lease[];
}

export interface Lease extends AttachmentName {
  readonly ip: string;
  /** CNI network, null for one that was attached by hand. */
  readonly network: string | null;
  readonly netns: string;
  readonly state: Pod['state'];
}

export interface IpamReleaseRequest {
  readonly ip: Address;
  readonly force: boolean;
}

export interface Route {
  readonly prefix: string;
  readonly source: 'static' | 'bgp' | 'local' | 'host';
  /** Several share the flows (ECMP). */
  readonly nextHops: readonly NextHop[];
  /** Whether the engine forwards by it; others are there in case it goes away. */
  readonly best: boolean;
  /** Of a learned route: why it, or some of its paths, cannot be used. */
  readonly problems?: readonly string[];
}

export interface NextHop {
  /** Remote underlay address; null when it is none ('local', 'unreachable'). */
  readonly via: string | null;
  readonly encap: 'vxlan' | 'ipip' | 'direct' | 'local' | 'unreachable';
  /** vxlan: UDP port. local: the port of the engine, 'ID/IFNAME' of a pod or the name of the node's own interface. */
  readonly port?: number | string;
  /** vxlan. */
  readonly vni?: number;
  /** vxlan: inner destination MAC. */
  readonly mac?: string;
  /** Largest inner IP packet, bytes. */
  readonly mtu?: number;
  /** Relative to the other next hops, where they are not equal. */
  readonly weight?: number;
}

export interface Tunnel {
  /** Remote underlay address. */
  readonly remote: string;
  /** What packets to it travel in; several joined by '+'. */
  readonly encap: string;
  /** Largest inner IP packet, bytes; of several the smallest. */
  readonly mtu: number;
  /** Prefixes routed to it. */
  readonly routes: number;
  /** Received from it and sent to it: inner packets and their bytes. */
  readonly rx: Traffic;
  readonly tx: Traffic;
  /** When something was last received from it, ISO 8601; null: not since start. */
  readonly lastSeen: string | null;
}

export interface BgpSummary {
  readonly peers: number;
  readonly established: number;
  readonly asn?: number;
  /** Prefixes learned, and those of them that cannot be used. */
  readonly learned: number;
  readonly unusable: number;
}

export interface BgpPeer {
  readonly name: string;
  /** Null: not met yet (a peer by interface). */
  readonly address: string | null;
  readonly asn: number | null;
  /** 'established' and the other states of RFC 4271 section 8.2.2. */
  readonly state: StateName;
  /** Of the state. */
  readonly uptimeSeconds: number;
  /** Routes: taken in, used after policy, told. */
  readonly received: number;
  readonly accepted: number;
  readonly advertised: number;
  /** In words; null: none so far. */
  readonly lastError: string | null;
  /** ISO 8601. */
  readonly lastErrorAt: string | null;
  readonly interface: string | null;
  /** Met by its prefix. */
  readonly dynamic: boolean;
  readonly routerId: string | null;
  readonly localAddress: string | null;
  /** What both ends agreed on; null: no session. */
  readonly agreed: AgreedView | null;
  readonly messages: { readonly received: MessageCounts; readonly sent: MessageCounts };
  readonly bytes: { readonly received: number; readonly sent: number };
  readonly malformedUpdates: number;
  readonly sessions: number;
  /** What keeps routes from being taken or told, and the setting that opens it. */
  readonly notes: readonly string[];
  /** Null: not watched, or there was no session to watch yet. */
  readonly bfd: BgpPeerBfd | null;
}

/** RFC 7854. */
export interface BmpStation {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly connected: boolean;
  /** For how long it is so. */
  readonly uptimeSeconds: number;
  readonly connections: number;
  /** Sent, of all connections. */
  readonly bytes: number;
  /** In words; null: none so far. */
  readonly lastError: string | null;
}

/** RFC 5880. */
export interface BgpPeerBfd {
  readonly state: BfdStateName;
  /** Milliseconds without a packet after which the peer is lost; null: nothing was heard yet. */
  readonly detectionMs: number | null;
  /** Milliseconds between our packets; null: the peer wants none. */
  readonly intervalMs: number | null;
  /** How often the peer was lost. */
  readonly losses: number;
  /** In words; null: none so far. */
  readonly lastLoss: string | null;
}

export interface BgpRoutesQuery {
  /** 'local': what is best of all; of a peer, or of each: received and told. */
  readonly rib: 'local' | 'in' | 'out';
  readonly peer?: string | undefined;
  /** As received. */
  readonly beforePolicy: boolean;
  /** Those inside. */
  readonly prefix?: Prefix | undefined;
}

export interface BgpTunnel {
  /** 'vxlan', 'ipip', or the number of its type. */
  readonly type: string;
  /** Null: the next hop. */
  readonly endpoint: string | null;
  readonly vni?: number;
  readonly mac?: string;
}

export interface BgpAttributes {
  readonly nextHop: string;
  readonly linkLocal?: string;
  readonly asPath: string;
  readonly origin: string;
  readonly med?: number;
  readonly localPref?: number;
  readonly communities?: readonly string[];
  readonly extendedCommunities?: readonly string[];
  readonly largeCommunities?: readonly string[];
  /** How the origin wants to be reached. */
  readonly tunnels?: readonly BgpTunnel[];
  readonly originatorId?: string;
  readonly clusterList?: readonly string[];
  readonly onlyToCustomer?: number;
}

export interface BgpRoute extends BgpAttributes {
  readonly prefix: string;
  /** Whose route it is, or whom it was told; null: made on this node. */
  readonly peer: string | null;
  readonly pathId?: number;
  readonly best: boolean;
  readonly staleness?: string;
  /** Why policy or the protocol's rules do not let it be used. */
  readonly rejected?: string;
  /** Why it cannot be forwarded by. */
  readonly problems?: readonly string[];
}

export interface BgpWhy {
  readonly prefix: string;
  readonly routes: readonly {
    readonly peer: string | null;
    readonly pathId?: number;
    readonly outcome: 'best' | 'equal' | 'lost' | 'rejected';
    readonly reason: string;
    readonly before: BgpAttributes;
    readonly after?: BgpAttributes;
    readonly staleness?: string;
  }[];
  /** Why the best cannot be forwarded by. */
  readonly problems: readonly string[];
}

export interface BgpRecord {
  readonly peer: string;
  readonly seconds: number;
  /** Messages in both directions after which it ends too. */
  readonly messages: number | undefined;
}

export interface BgpDump {
  /** Received before policy, after it, or what of it is in use, with what this node made. */
  readonly rib: 'received' | 'accepted' | 'local';
  readonly peer: string | undefined;
}

export interface BgpClear {
  readonly peer: string;
  /** 'hard' ends the session, 'in' asks for the peer's routes again, 'out' sends ours again. */
  readonly how: 'hard' | 'in' | 'out';
}

export interface BgpShutdown {
  readonly peer: string;
  /** For the peer's operator. */
  readonly text: string;
}

/** Packets by drop reason. */
export type Drops = Readonly<Record<string, number>>;

export interface PacketDescription {
  readonly source: Address;
  /** Of the family of `source`. */
  readonly destination: Address;
  /** IP protocol or next header, 0..255. */
  readonly protocol: number;
  /** 0 where the protocol has no ports. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Total length of the IP packet, bytes. */
  readonly length: number;
  /** TTL or hop limit, 0..255. */
  readonly ttl: number;
  /** IPv4 DF; IPv6 behaves as if it were set. */
  readonly dontFragment: boolean;
}

/** In the order in which the engine took them. */
export interface WhyStep {
  /** What was looked at: 'parse', 'admit', 'route', 'rewrite', … */
  readonly step: string;
  /** What was found, for people. */
  readonly detail: string;
}

export interface WhyResult {
  /** A name of `weft drops`, or 'delivered', 'encapsulated', 'fragmented'. */
  readonly verdict: string;
  /** The verdict in a sentence. */
  readonly reason: string;
  readonly steps: readonly WhyStep[];
}

export interface MetricsSnapshot {
  /** Packets by every verdict that exists, drops included, zero included. */
  readonly verdicts: Readonly<Record<string, number>>;
  readonly drops: Drops;
  readonly pods: readonly Pod[];
  readonly tunnels: readonly Tunnel[];
  /** Number of prefixes by source of their best route. */
  readonly routes: Readonly<Record<Route['source'], number>>;
  readonly bgp: readonly BgpPeer[];
}
