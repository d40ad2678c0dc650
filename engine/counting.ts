// Counting on the data path: a packet once, by its verdict, and what ports and remotes show for it.

import {
  type Counters,
  PortCounter,
  portCell,
  RemoteCounter,
  remoteCell,
  verdictCell,
} from './tables/counters.ts';
import { Verdict } from './verdict.ts';

export type { Counters };

export const countVerdict = (counters: Counters, verdict: number, packets: number): void => {
  counters[verdictCell(verdict)] += packets;
};

/** Packets that a port's owner sent; whatever becomes of them. */
export const countTaken = (counters: Counters, port: number, packets: number, bytes: number): void => {
  counters[portCell(port, PortCounter.takenPackets)] += packets;
  counters[portCell(port, PortCounter.takenBytes)] += bytes;
};

/** A drop of packets from or to `port`. */
export const countPortDrop = (counters: Counters, verdict: number, port: number, packets: number): void => {
  counters[verdictCell(verdict)] += packets;
  counters[portCell(port, PortCounter.drops)] += packets;
};

export const countDelivered = (counters: Counters, port: number, packets: number, bytes: number): void => {
  counters[verdictCell(Verdict.delivered)] += packets;
  counters[portCell(port, PortCounter.deliveredPackets)] += packets;
  counters[portCell(port, PortCounter.deliveredBytes)] += bytes;
};

/** @param bytes of the inner packets */
export const countEncapsulated = (
  counters: Counters,
  remote: number,
  packets: number,
  bytes: number,
): void => {
  counters[verdictCell(Verdict.encapsulated)] += packets;
  counters[remoteCell(remote, RemoteCounter.sentPackets)] += packets;
  counters[remoteCell(remote, RemoteCounter.sentBytes)] += bytes;
};

/** One packet from a remote, taken out of its tunnel; whatever becomes of it. */
export const countArrived = (counters: Counters, remote: number, bytes: number): void => {
  counters[remoteCell(remote, RemoteCounter.receivedPackets)]++;
  counters[remoteCell(remote, RemoteCounter.receivedBytes)] += bytes;
};

export const countSeen = (counters: Counters, remote: number, wall: number): void => {
  counters[remoteCell(remote, RemoteCounter.lastSeen)] = wall;
};

/** Its device is gone; control reads this and frees the port. */
export const markDead = (counters: Counters, port: number): void => {
  counters[portCell(port, PortCounter.dead)] = 1;
};
