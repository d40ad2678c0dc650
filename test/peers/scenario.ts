/**
 * One cell of the matrix at work: a daemon that is started for it alone, and as many of Weft's speakers as it needs.
 * Everything is new in each, so that what one has left behind decides nothing in the next.
 */
import { expect } from 'vitest';
import { type Daemon, type DaemonConfig, eventually, type Place, type SessionConfig } from './daemon.ts';
import { address, type Network } from './network.ts';
import type { OwnRoute, Route } from './route.ts';
import { peerOf, Weft, type WeftOptions } from './weft.ts';

/** Four octets, each of the daemon's and ours. */
export const PEER_ASN = 4200000001;
export const WEFT_ASN = 4200000010;

/** The daemon's first address with Weft's n-th. */
export const session = (
  n: number,
  parts: Partial<SessionConfig> & { readonly family?: 4 | 6 } = {},
): SessionConfig => {
  const { family = 4, ...rest } = parts;
  return {
    name: `s${n}`,
    local: address(11, family),
    remote: address(n, family),
    remoteAsn: WEFT_ASN,
    families: [family],
    ...rest,
  };
};

/** Where peers differ without being wrong. */
export interface Traits {
  /** Made a 2-octet speaker, it still puts AS4_PATH in its place. */
  readonly mergesAs4Path: boolean;
  /** Sends ROUTE-REFRESH when its operator wants everything again; false: it has kept all and looks at that. */
  readonly asksAgain: boolean;
  /** Sends its routes again when asked. */
  readonly answers: boolean;
  /** As next hop of IPv6 routes in an IPv4 session it gives an address that it can be reached at; false: ::1. */
  readonly knowsOwnIpv6: boolean;
  readonly words: {
    /** How it says that we shut the session down, with our words if it shows them. */
    readonly shutdown: RegExp;
    /** Its operator can give words when ending a session. */
    readonly sendsText: boolean;
  };
}

export class Scenario {
  readonly traits: Traits;
  readonly network: Network;
  daemon: Daemon;
  /** To the daemon, by speakers that are gone. */
  routeMessagesSent = 0;
  readonly #make: (place: Place) => Daemon;
  readonly #place: Place;
  readonly #wefts: Weft[] = [];

  constructor(network: Network, make: (place: Place) => Daemon, traits: Traits) {
    this.traits = traits;
    this.network = network;
    this.#make = make;
    this.#place = network.place();
    this.daemon = make(this.#place);
  }

  async start(sessions: readonly SessionConfig[], parts: Partial<DaemonConfig> = {}): Promise<void> {
    await this.daemon.start(this.config(sessions, parts));
  }

  config(sessions: readonly SessionConfig[], parts: Partial<DaemonConfig> = {}): DaemonConfig {
    return { asn: PEER_ASN, routerId: address(11), routes: [], ...parts, sessions };
  }

  /** A new one in the place of one that is gone, in its folder. */
  again(): Daemon {
    this.daemon = this.#make(this.#place);
    return this.daemon;
  }

  weft(options: Partial<WeftOptions> & Pick<WeftOptions, 'peers'>): Weft {
    const weft = new Weft({ asn: WEFT_ASN, address: address(1), ...options });
    this.#wefts.push(weft);
    return weft;
  }

  /** Weft's end of the session. */
  end(one: SessionConfig, more: Parameters<typeof peerOf>[2] = {}) {
    return peerOf(one, PEER_ASN, more);
  }

  async close(): Promise<void> {
    for (const weft of [...this.#wefts]) this.leave(weft);
    await this.daemon.stop();
  }

  /** Ends one of Weft's speakers. */
  leave(weft: Weft, restart = false): void {
    if (!this.#wefts.includes(weft)) return;
    this.#wefts.splice(this.#wefts.indexOf(weft), 1);
    this.routeMessagesSent += weft.routeMessagesSent();
    weft.stop(restart);
  }

  /** What both ends have said, for a cell that failed. */
  said(): string {
    return `--- the daemon:\n${this.daemon.log()}\n--- Weft:\n${this.#wefts.flatMap(({ log }) => log).join('\n')}`;
  }
}

/** Waits until both ends say that the session stands. */
export const established = async (weft: Weft, daemon: Daemon, one: SessionConfig): Promise<void> => {
  await eventually(() => {
    const { state, lastError } = weft.peer(one.name);
    if (state !== 'established') throw new Error(`the session is ${state}: ${lastError?.text}`);
  });
  await eventually(async () => {
    const { established: stands, errors } = await daemon.status(one);
    if (!stands) throw new Error(`the daemon has no session: ${errors}`);
  });
};

/** Waits until Weft has these routes to a prefix from a peer. */
export const weftHas = (
  weft: Weft,
  peer: string,
  prefix: string,
  wanted: readonly Partial<Route>[],
): Promise<void> => eventually(() => expect(weft.received(peer, prefix)).toMatchObject(wanted));

/** Waits until the daemon has these routes to a prefix from Weft. */
export const daemonHas = (
  daemon: Daemon,
  one: SessionConfig,
  prefix: string,
  wanted: readonly Partial<Route>[],
): Promise<void> => eventually(async () => expect(await daemon.received(one, prefix)).toMatchObject(wanted));

export const prefixes = (...all: readonly string[]): OwnRoute[] => all.map((prefix) => ({ prefix }));
