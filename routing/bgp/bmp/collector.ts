/**
 * The connection to a monitoring station (RFC 7854 section 3.2): opened by us, opened anew when it ends, written to as fast as
 * the station reads. A station that does not read costs its connection, and no memory but what marks changed prefixes.
 */
import { connect, type Socket } from 'node:net';
import { type Address, formatAddress } from '../../../wire/address.ts';
import type { FeedView } from '../../rib/adj-rib-in-feed.ts';
import type { PeerDown } from './encode.ts';
import { type Monitored, Station } from './station.ts';

export interface CollectorSettings {
  readonly name: string;
  readonly address: Address;
  readonly port: number;
  /** What it is told of. */
  readonly views: readonly FeedView[];
  /** Seconds between reports of what is counted; 0: none. */
  readonly statisticsInterval: number;
  /** As the station is to know this speaker. */
  readonly identity: { readonly name: string; readonly description: string };
}

export interface CollectorView {
  readonly name: string;
  readonly address: Address;
  readonly port: number;
  readonly connected: boolean;
  /** Milliseconds since 1970: since when it is so. */
  readonly since: number;
  readonly connections: number;
  /** Sent, of all connections. */
  readonly bytes: number;
  /** In words; null: none so far. */
  readonly lastError: string | null;
}

type Log = (level: 'info' | 'warn', fields: Readonly<Record<string, unknown>>, text: string) => void;

/** Bytes that may wait in Node, and bytes that are made at once: some milliseconds. */
const HIGH_WATER = 256 << 10;
const PORTION = 64 << 10;
/** Between attempts, doubled with each that fails: milliseconds. */
const RETRY = 1000;
const LONGEST_RETRY = 60_000;
/** What is written and not read for so long ends the connection, milliseconds. */
const PATIENCE = 60_000;

export class Collector {
  readonly settings: CollectorSettings;
  readonly #peers: () => Iterable<Monitored>;
  readonly #log: Log;
  #socket: Socket | undefined;
  #station: Station | undefined;
  #retry: NodeJS.Timeout | undefined;
  #report: NodeJS.Timeout | undefined;
  #pump: NodeJS.Immediate | undefined;
  #wait = RETRY;
  #since = Date.now();
  #connections = 0;
  #bytes = 0;
  #lastError: string | null = null;

  /** @param peers whose sessions are up, when a connection begins */
  constructor(settings: CollectorSettings, peers: () => Iterable<Monitored>, log: Log) {
    this.settings = settings;
    this.#peers = peers;
    this.#log = log;
    this.#connect();
  }

  peerUp(peer: Monitored): void {
    this.#station?.peerUp(peer, Date.now());
  }

  peerDown(name: string, how: PeerDown): void {
    this.#station?.peerDown(name, Date.now(), how);
  }

  view(): CollectorView {
    const { name, address, port } = this.settings;
    return {
      name,
      address,
      port,
      connected: this.#station !== undefined,
      since: this.#since,
      connections: this.#connections,
      bytes: this.#bytes,
      lastError: this.#lastError,
    };
  }

  /** @param why for the station */
  close(why: string): void {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = undefined;
    const last = this.#leave(why);
    if (last !== undefined) socket?.end(last);
    else socket?.destroy();
    socket?.unref();
  }

  #connect(): void {
    const { address, port, statisticsInterval } = this.settings;
    const socket = connect({ host: formatAddress(address), port });
    this.#socket = socket;
    socket.setKeepAlive(true, PATIENCE);
    socket.setTimeout(PATIENCE, () => {
      if (socket.writableLength > 0)
        socket.destroy(new Error(`it has read nothing for ${PATIENCE / 1000} s`));
    });
    socket.once('connect', () => {
      this.#wait = RETRY;
      this.#since = Date.now();
      this.#connections++;
      this.#log('info', this.#fields(), 'a monitoring station is connected');
      this.#begin();
      if (statisticsInterval > 0) {
        this.#report = setInterval(() => this.#station?.statistics(Date.now()), 1000 * statisticsInterval);
      }
    });
    // It has nothing to say (section 3.2), but its end is heard only by who reads.
    socket.resume();
    socket.on('drain', () => this.#schedule());
    let why = 'the station closed the connection';
    socket.on('error', ({ message }) => {
      why = message;
    });
    socket.once('close', () => {
      if (this.#socket === socket) this.#ended(why);
    });
  }

  #begin(): void {
    const { identity, views } = this.settings;
    const station = new Station(identity, views, () => this.#schedule());
    this.#station = station;
    for (const peer of this.#peers()) station.peerUp(peer, Date.now());
    this.#schedule();
  }

  #ended(why: string): void {
    // Of attempts that fail one after the other, the log hears once.
    const isNews = this.#station !== undefined || this.#lastError !== why;
    this.#leave(why);
    this.#lastError = why;
    if (isNews) this.#log('warn', { ...this.#fields(), why }, 'a monitoring station is not connected');
    this.#retry = setTimeout(() => this.#connect(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_RETRY);
  }

  /** @returns what there would be to say */
  #leave(why: string): Uint8Array | undefined {
    clearInterval(this.#report);
    clearImmediate(this.#pump);
    this.#pump = undefined;
    const station = this.#station;
    if (station === undefined) return undefined;
    this.#station = undefined;
    this.#since = Date.now();
    return station.close(why);
  }

  /** A portion a turn: sessions and the node have theirs between. */
  #schedule(): void {
    this.#pump ??= setImmediate(() => {
      this.#pump = undefined;
      const [socket, station] = [this.#socket, this.#station];
      if (socket === undefined || station === undefined || socket.writableLength >= HIGH_WATER) return;
      const bytes = station.take(PORTION, Date.now());
      if (bytes.length > 0) {
        this.#bytes += bytes.length;
        socket.write(bytes);
      }
      if (station.hasPending && socket.writableLength < HIGH_WATER) this.#schedule();
    });
  }

  #fields(): Readonly<Record<string, unknown>> {
    const { name, address, port } = this.settings;
    return { station: name, address: formatAddress(address), port };
  }
}
