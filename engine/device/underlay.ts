// The underlay sockets of all workers: opened by control before any worker starts, so that an address in use or a
// missing privilege is an error at start and not a silent worker. Closed together when one of them fails.
//
//   receive: one UDP socket an underlay address and worker, sharing address and port (SO_REUSEPORT, split by flow)
//   send:    `sourcePorts` UDP sockets a family and worker, for the flow hash; the n-th of all workers have one port
//   IPIP:    one raw socket an inner family and worker; each takes the flows that its filter leaves it

import * as ipip from '../../encap/ipip.ts';
import { SysError } from '../../sys/errors.ts';
import { attachFilter, type BpfInstruction } from '../../sys/filter.ts';
import { libc } from '../../sys/libc.ts';
import { localAddress, probeUdpOffload, rawSocket, setOption, udpSocket } from '../../sys/socket.ts';
import { MtuDiscover, SocketLevel, SocketOption } from '../../sys/socket-options.ts';
import { type Address, addressToBytes, formatAddress } from '../../wire/address.ts';
import { vtepMac } from '../../wire/mac.ts';
import type { Receiver } from '../arrivals.ts';

const RECEIVE_BUFFER = 16 << 20;
const SEND_BUFFER = 4 << 20;
/** Sending sockets hear nothing that matters. */
const NO_BUFFER = 4096;
/** RFC 7348 section 5: source ports from the dynamic range. */
const FIRST_SOURCE_PORT = 49152;
const SOURCE_PORTS = 65536 - FIRST_SOURCE_PORT;
const PORT_TRIES = 64;
const TTL = 64;

export interface UnderlayOptions {
  readonly addresses: readonly Address[];
  /** UDP port that VXLAN is received on. */
  readonly vxlanPort: number;
  readonly workers: number;
  /** Source ports, and sending sockets a family and worker: a power of two. */
  readonly sourcePorts: number;
  readonly vxlan: boolean;
  readonly ipip: boolean;
  /** Join datagrams on arrival (UDP_GRO); false also where the kernel has none. */
  readonly gro: boolean;
}

/** The descriptors of one worker; empty where a family or kind is not in use. */
export interface WorkerSockets {
  readonly receivers: readonly Receiver[];
  readonly vxlan4: readonly number[];
  /** Ports of these. */
  readonly vxlan4Ports: readonly number[];
  readonly vxlan6: readonly number[];
  readonly ipip4: readonly number[];
  readonly ipip6: readonly number[];
}

export const probeUdp = probeUdpOffload;

/** Opens everything. @throws SysError naming the socket that could not be had; nothing is left open then. */
export const openUnderlay = (options: UnderlayOptions): WorkerSockets[] => {
  const opened: number[] = [];
  const keep = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  try {
    const senders = ([4, 6] as const).map((family) => openSenders(options, family, keep));
    return Array.from({ length: options.workers }, (_, worker) => {
      const [vxlan4, vxlan6] = senders.map((ofWorkers) => ofWorkers[worker]);
      const vxlan4Ports = vxlan4.map((fd) => localAddress(fd).port);
      return { vxlan4, vxlan4Ports, vxlan6, ...openReceivers(options, worker, keep) };
    });
  } catch (error) {
    for (const fd of opened) libc.close(fd);
    throw error;
  }
};

export const closeUnderlay = (sockets: readonly WorkerSockets[]): void => {
  for (const { receivers, vxlan4, vxlan6, ipip4, ipip6 } of sockets) {
    const fds = new Set([...receivers.map(({ fd }) => fd), ...vxlan4, ...vxlan6, ...ipip4, ...ipip6]);
    for (const fd of fds) libc.close(fd);
  }
};

type Keep = (fd: number) => number;

const openReceivers = (
  options: UnderlayOptions,
  worker: number,
  keep: Keep,
): Omit<WorkerSockets, 'vxlan4' | 'vxlan4Ports' | 'vxlan6'> => {
  const { addresses, vxlan } = options;
  const v4 = firstOf(addresses, 4);
  const receivers: Receiver[] = vxlan
    ? addresses.map((address) => vxlanReceiver(options, address, keep))
    : [];
  const ipip4 = options.ipip && v4 ? [keep(rawOpen(v4, ipip.Protocol.ipv4, options, worker))] : [];
  const ipip6 = options.ipip && v4 ? [keep(rawOpen(v4, ipip.Protocol.ipv6, options, worker))] : [];
  for (const fd of [...ipip4, ...ipip6]) receivers.push({ kind: 'ipip', fd });
  return { receivers, ipip4, ipip6 };
};

const firstOf = (addresses: readonly Address[], family: 4 | 6): Address | undefined =>
  addresses.find((address) => address.family === family);

/**
 * The sending sockets of each worker. A flow can move from one worker to another, when the kernel reads its answers from
 * another queue; its source port must not change with that, or a network in between might reorder it.
 */
const openSenders = (
  { addresses, vxlan, workers, sourcePorts }: UnderlayOptions,
  family: 4 | 6,
  keep: Keep,
): number[][] => {
  const ofWorkers: number[][] = Array.from({ length: workers }, () => []);
  const address = firstOf(addresses, family);
  if (!vxlan || !address) return ofWorkers;
  for (let n = 0; n < sourcePorts; n++) {
    const first = keep(firstSender(address));
    // Only now, so that the port was free of others who share theirs.
    setOption(first, SocketLevel.socket, SocketOption.reusePort, 1);
    const { port } = localAddress(first);
    for (const [worker, fds] of ofWorkers.entries()) {
      fds.push(worker === 0 ? first : keep(sender(address, port, true)));
    }
  }
  return ofWorkers;
};

const vxlanReceiver = (options: UnderlayOptions, address: Address, keep: Keep): Receiver => {
  const fd = udpSocket({
    family: address.family,
    address: addressToBytes(address),
    port: options.vxlanPort,
    reusePort: true,
    receiveBuffer: RECEIVE_BUFFER,
    receiveTos: true,
    gro: options.gro,
  });
  return { kind: 'vxlan', fd: keep(fd), mac: vtepMac(address) };
};

/** A sending socket on a free port of the dynamic range. */
const firstSender = (address: Address): number => {
  let refused: unknown;
  for (let attempt = 0; attempt < PORT_TRIES; attempt++) {
    try {
      return sender(address, FIRST_SOURCE_PORT + Math.floor(Math.random() * SOURCE_PORTS), false);
    } catch (error) {
      if (!(error instanceof SysError) || error.code !== 'EADDRINUSE') throw error;
      refused = error;
    }
  }
  throw new Error(
    `opening a VXLAN sending socket on ${formatAddress(address)}: ${PORT_TRIES} ports tried from ` +
      `${FIRST_SOURCE_PORT} to 65535, all taken; free some or lower engine.sourcePorts`,
    { cause: refused },
  );
};

const sender = (address: Address, port: number, reusePort: boolean): number =>
  udpSocket({
    family: address.family,
    address: addressToBytes(address),
    port,
    reusePort,
    sendBuffer: SEND_BUFFER,
    receiveBuffer: NO_BUFFER,
    ttl: TTL,
    mtuDiscover: MtuDiscover.do,
  });

const rawOpen = (address: Address, protocol: number, options: UnderlayOptions, worker: number): number => {
  const fd = rawSocket({
    family: 4,
    protocol,
    address: addressToBytes(address),
    receiveBuffer: RECEIVE_BUFFER,
    sendBuffer: SEND_BUFFER,
    ttl: TTL,
    mtuDiscover: MtuDiscover.do,
  });
  if (options.workers > 1) attachFilter(fd, shareOfWorker(protocol, options.workers, worker));
  return fd;
};

/**
 * Every raw socket gets a copy of every packet; this lets one worker keep the flows whose inner addresses, added up,
 * fall to it. Begins at the outer IPv4 header.
 */
const shareOfWorker = (protocol: number, workers: number, worker: number): BpfInstruction[] => {
  const LDX_MSH = 0xb1; // X = 4 * (byte & 15): the outer header's length
  const LD_IND_W = 0x40; // A = word at X + k
  const ST = 0x02;
  const LDX_W_MEM = 0x61;
  const ADD_X = 0x0c;
  const RSH_K = 0x74;
  const MOD_K = 0x94;
  const TAX = 0x07;
  const JEQ_K = 0x15;
  const RET_K = 0x06;
  const [source, destination] = protocol === ipip.Protocol.ipv4 ? [12, 16] : [20, 36];
  const op = (code: number, k: number, jt = 0, jf = 0): BpfInstruction => ({ code, jt, jf, k });
  return [
    op(LDX_MSH, 0),
    op(LD_IND_W, source),
    op(ST, 0),
    op(LD_IND_W, destination),
    op(LDX_W_MEM, 0),
    op(ADD_X, 0),
    op(TAX, 0),
    op(RSH_K, 16),
    op(ADD_X, 0),
    op(MOD_K, workers),
    op(JEQ_K, worker, 0, 1),
    op(RET_K, 0xffffffff),
    op(RET_K, 0),
  ];
};
