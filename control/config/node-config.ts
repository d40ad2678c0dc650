/**
 * The configuration of a node as the rest of the service sees it: defaults applied, addresses parsed, contradictions
 * excluded. 'auto' is left where only the machine can tell. Types only.
 */
import type { StaticRoute } from '../../routing/static.ts';
import type { Address } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { BgpConfig } from './bgp-config.ts';

export interface NodeConfig {
  readonly node: {
    /** Undefined: the hostname. */
    readonly name: string | undefined;
    /** Underlay addresses, at least one. 'auto': source address of the default route. */
    readonly address: readonly Address[] | 'auto';
  };
  readonly pods: {
    /** Disjoint; none on a node without pods. */
    readonly cidrs: readonly Prefix[];
    /** Bytes. 'auto': underlay MTU less the overhead of `encap.type`. */
    readonly mtu: number | 'auto';
  };
  readonly encap: {
    readonly type: EncapType;
    /** 'cross-subnet': direct inside the subnet of an underlay address. */
    readonly when: 'always' | 'cross-subnet';
    readonly vxlan: { readonly vni: number; readonly port: number };
    /** Tunnels that are open, to receive and to send: those that routes use, and any other that peers may send. */
    readonly receive: readonly Exclude<EncapType, 'direct'>[];
  };
  readonly engine: {
    readonly workers: number | 'auto';
    /** Processors that workers stay on, dealt in turn; none: the scheduler's choice. */
    readonly cpus: readonly number[];
    /** What may be used; each is probed as well. */
    readonly offload: OffloadConfig;
    /** Sending sockets a worker: a power of two, 1..64. */
    readonly sourcePorts: number;
    /** Microseconds that a worker may look for packets before it sleeps, while packets come as fast: 0..1000. */
    readonly busyPoll: number | 'auto';
  };
  readonly host: { readonly interface: string; readonly natOutgoing: boolean };
  /** Several with the same `to` share its flows (ECMP). */
  readonly routes: readonly StaticRoute[];
  readonly bgp?: BgpConfig | undefined;
  /** Absolute path of a folder. */
  readonly state: string;
  readonly api: {
    /** Absolute path. */
    readonly socket: string;
    /** Name or number of the group that may use it too. */
    readonly group: string | number | undefined;
  };
  readonly metrics?: { readonly listen: ListenAddress } | undefined;
}

export type EncapType = 'vxlan' | 'ipip' | 'direct';

export interface OffloadConfig {
  /** Pods leave transport checksums to the engine, and accept packets it has verified. */
  readonly checksum: boolean;
  /** Pods hand over TCP in pieces of up to 64 KB. */
  readonly segmentation: boolean;
  /** The same for UDP. */
  readonly udpSegmentation: boolean;
  /** Several datagrams in one send to the underlay (UDP_SEGMENT). */
  readonly udpSegment: boolean;
  /** TCP in VXLAN over IPv4 leaves in pieces of up to 64 KB where the underlay's device cuts inside of tunnels. */
  readonly tunnelSegmentation: boolean;
  /** Datagrams of the underlay arrive joined (UDP_GRO). */
  readonly udpGro: boolean;
  /** Several packets of a pod in one read (io_uring). */
  readonly batchedReads: boolean;
  /** What arrives in sequence is written to the pod as one piece. */
  readonly coalesce: boolean;
}

export interface ListenAddress {
  /** IP address or 'localhost', without brackets. */
  readonly host: string;
  readonly port: number;
}
