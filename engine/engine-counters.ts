// Counters as people and metrics read them: summed over the workers, by name.

import { type Address, formatAddress } from '../wire/address.ts';
import type { PortId } from './paths.ts';
import {
  type Counters,
  maxCell,
  PortCounter,
  portCell,
  RemoteCounter,
  remoteCell,
  sumCell,
  verdictCell,
} from './tables/counters.ts';
import { Verdict, verdictNames } from './verdict.ts';

export interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

export interface PortCounters {
  /** Delivered to the port's owner. */
  readonly rx: Traffic;
  /** Sent by the port's owner. */
  readonly tx: Traffic;
  /** Of either direction. */
  readonly drops: number;
}

export interface RemoteCounters {
  readonly rx: Traffic;
  readonly tx: Traffic;
  /** Milliseconds since 1970, 0 for never. */
  readonly lastSeen: number;
}

export interface EngineCounters {
  /** Packets by display name of the verdict, every name there is. */
  readonly verdicts: Readonly<Record<string, number>>;
  port(id: PortId): PortCounters;
  /** By underlay address as formatAddress writes it. */
  readonly remotes: ReadonlyMap<string, RemoteCounters>;
}

export const readCounters = (
  blocks: readonly Counters[],
  remotes: readonly { readonly id: number; readonly address: Address }[],
): EngineCounters => {
  const ofPort = (id: PortId, counter: number): number => sumCell(blocks, portCell(id, counter));
  const ofRemote = (id: number, counter: number): number => sumCell(blocks, remoteCell(id, counter));
  return {
    verdicts: Object.fromEntries(
      Object.values(Verdict)
        .filter((verdict) => verdict !== Verdict.pending)
        .map((verdict) => [verdictNames[verdict], sumCell(blocks, verdictCell(verdict))]),
    ),
    port: (id) => ({
      rx: {
        packets: ofPort(id, PortCounter.deliveredPackets),
        bytes: ofPort(id, PortCounter.deliveredBytes),
      },
      tx: { packets: ofPort(id, PortCounter.takenPackets), bytes: ofPort(id, PortCounter.takenBytes) },
      drops: ofPort(id, PortCounter.drops),
    }),
    remotes: new Map(
      remotes.map(({ id, address }) => [
        formatAddress(address),
        {
          rx: {
            packets: ofRemote(id, RemoteCounter.receivedPackets),
            bytes: ofRemote(id, RemoteCounter.receivedBytes),
          },
          tx: {
            packets: ofRemote(id, RemoteCounter.sentPackets),
            bytes: ofRemote(id, RemoteCounter.sentBytes),
          },
          lastSeen: maxCell(blocks, remoteCell(id, RemoteCounter.lastSeen)),
        },
      ]),
    ),
  };
};
