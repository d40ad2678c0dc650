/**
 * Which offloads a node uses: what the configuration allows and the kernel has. Decides; sets nothing.
 */

import type { GsoLimits } from '../cni/host.ts';
import { TunOffload } from '../sys/tun.ts';
import type { OffloadConfig } from './config/node-config.ts';
import type { OffloadState } from './service.ts';

/** What the kernel has. */
export interface KernelOffloads {
  /** TunOffload, as probed. */
  readonly tun: number;
  /** UDP_SEGMENT. */
  readonly segment: boolean;
  /** UDP_GRO. */
  readonly gro: boolean;
  /** Why several packets cannot be read by one system call; undefined: they can. */
  readonly ringProblem: string | undefined;
}

export interface Offloads {
  /** TunOffload of every TUN. */
  readonly tun: number;
  /** Several datagrams in one send (UDP_SEGMENT). */
  readonly segment: boolean;
  /** Datagrams arrive joined (UDP_GRO). */
  readonly gro: boolean;
  /** Several packets of a TUN queue by one system call. */
  readonly batchedReads: boolean;
  readonly join: { readonly joinTcp: boolean; readonly joinUdp: boolean };
  /** Of all but that which is found out again and again (uplink.ts). */
  readonly states: Readonly<Record<Exclude<keyof OffloadConfig, 'tunnelSegmentation'>, OffloadState>>;
}

const TSO = TunOffload.tso4 | TunOffload.tso6 | TunOffload.tsoEcn;
const USO = TunOffload.uso4 | TunOffload.uso6;

export function decideOffloads(wanted: OffloadConfig, kernel: KernelOffloads): Offloads {
  const checksum = state(wanted.checksum, (kernel.tun & TunOffload.checksum) !== 0);
  // The kernel segments only what it may leave without checksum.
  const onChecksum = (on: boolean, has: boolean): OffloadState =>
    on && has && !checksum.on ? { on: false, why: 'needs checksum, which is off' } : state(on, has);
  const states = {
    checksum,
    segmentation: onChecksum(wanted.segmentation, (kernel.tun & TSO) !== 0),
    udpSegmentation: onChecksum(wanted.udpSegmentation, (kernel.tun & USO) !== 0),
    udpSegment: state(wanted.udpSegment, kernel.segment),
    udpGro: state(wanted.udpGro, kernel.gro),
    batchedReads: state(wanted.batchedReads, kernel.ringProblem === undefined, kernel.ringProblem),
    coalesce: state(wanted.coalesce, true),
  };
  const tun =
    (states.checksum.on ? TunOffload.checksum : 0) |
    (states.segmentation.on ? TSO : 0) |
    (states.udpSegmentation.on ? USO : 0);
  return {
    tun: tun & kernel.tun,
    segment: states.udpSegment.on,
    gro: states.udpGro.on,
    batchedReads: states.batchedReads.on,
    // Joined UDP is taken by the kernels that hand it out: both came with Linux 6.2.
    join: { joinTcp: states.coalesce.on, joinUdp: states.coalesce.on && (kernel.tun & USO) !== 0 },
    states,
  };
}

function state(wanted: boolean, has: boolean, why = 'this kernel does not have it'): OffloadState {
  if (!wanted) return { on: false, why: 'engine.offload' };
  return has ? { on: true } : { on: false, why };
}

/** UDP_SEGMENT: at most this many segments a send, and this many bytes (65,535 less the IPv4 and UDP headers). */
const SEND_SEGMENTS = 64;
const SEND_BYTES = 65507;
/** VXLAN header and inner Ethernet header: what is added to each segment within the UDP payload. */
const SEGMENT_OVERHEAD = 22;

/** What pods may hand over in one piece so that it leaves in one send: each segment is at most as long as the MTU. */
export function gsoLimits(mtu: number): GsoLimits {
  const maxSegments = Math.min(SEND_SEGMENTS, Math.floor(SEND_BYTES / (mtu + SEGMENT_OVERHEAD)));
  return { maxSegments: Math.max(1, maxSegments), maxSize: 65536 };
}
