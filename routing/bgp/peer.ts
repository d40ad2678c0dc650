/**
 * A peer of the running speaker: its session and sockets, joined to the RIB. What happens between peers is the speaker's.
 */
import { type Address, formatAddress } from '../../wire/address.ts';
import type { RibPeer } from '../rib/peer.ts';
import type { Rib } from '../rib/rib.ts';
import type { BgpEvents, PeerView } from './bgp.ts';
import type { PeerDown } from './bmp/encode.ts';
import type { Monitored } from './bmp/station.ts';
import type { Clock } from './clock.ts';
import { Cease, ErrorCode, NO_BYTES, type SessionError, sessionError } from './codec/errors.ts';
import { afiOf, type Family, Safi } from './codec/family.ts';
import { RefreshSubtype } from './codec/message.ts';
import { endOfRibOf, type ReceivedUpdate } from './codec/update.ts';
import type { Source } from './downloads.ts';
import type { Agreement, Speaker } from './negotiate.ts';
import { describePeer } from './peer-view.ts';
import { type RecordBounds, Recorder, tapped } from './record/recorder.ts';
import { type Ends, type Input, Session, type SessionIo, type SessionSink } from './session.ts';
import type { PeerSettings } from './settings.ts';

/** What all peers of a speaker share. */
export interface PeerContext {
  readonly speaker: Speaker;
  readonly rib: Rib;
  readonly events: BgpEvents;
  readonly clock: Clock;
  /** Makes the connections of a session. */
  sockets(peer: Peer): Pick<SessionIo, 'connect' | 'write' | 'close'>;
  random(): number;
  onUp(peer: Peer): void;
  onDown(peer: Peer, how: PeerDown): void;
  onEndOfRib(peer: Peer, family: Family): void;
  /** Something was done that others may have to send for, or wait for. */
  onHandled(peer: Peer): void;
}

/** Milliseconds. */
const COMPLAINT_INTERVAL = 1000;

export class Peer {
  readonly name: string;
  readonly session: Session;
  /** Configured one that it came by: of dynamic peers. */
  readonly template: string | undefined;
  settings: PeerSettings;
  /** Where it is; undefined: an interface on which no speaker has shown itself. */
  address: Address | undefined;
  /** Families whose End-of-RIB has come in this session. */
  readonly told = new Set<Family>();
  readonly #context: PeerContext;
  #unwake = (): void => {};
  #recorder: Recorder | undefined;
  /** Of malformed UPDATEs: when the log hears of them again, and how many it has not heard of. */
  #silentUntil = 0;
  #unsaid = 0;

  constructor(context: PeerContext, settings: PeerSettings, template?: string) {
    this.#context = context;
    this.name = settings.name;
    this.settings = settings;
    this.template = template;
    if (settings.endpoint.kind === 'address') this.address = settings.endpoint.address;
    const sockets = context.sockets(this);
    const io: SessionIo = {
      connect: (connection) => sockets.connect(connection),
      write: (connection, bytes) => sockets.write(connection, bytes),
      close: (connection) => sockets.close(connection),
      wake: (at) => this.#wake(at),
      random: () => context.random(),
    };
    const world = tapped(io, this.#sink(), () => this.#recorder);
    this.session = new Session(context.speaker, settings, world.io, world.sink);
  }

  get isUp(): boolean {
    return this.session.state === 'established';
  }

  handle(input: Input): void {
    const now = this.#context.clock.now();
    this.#recorder?.input(input, now);
    this.session.handle(input, now);
    this.#context.onHandled(this);
  }

  /** Ends the session and, with `hold`, stays away. */
  reset(subcode: number, why: string, hold?: number): void {
    const error = sessionError(ErrorCode.cease, subcode, why);
    this.handle({ kind: 'reset', error, ...(hold !== undefined && { hold }) });
  }

  /** Asks for everything again (RFC 2918). False: it cannot be asked. */
  askAgain(): boolean {
    const { agreement } = this.session;
    if (agreement?.routeRefresh !== true) return false;
    const messages = agreement.families.map((family) => ({
      kind: 'routeRefresh' as const,
      refresh: { afi: afiOf(family), safi: Safi.unicast, subtype: RefreshSubtype.request },
    }));
    this.handle({ kind: 'send', messages });
    return true;
  }

  /** Writes down what the session is told and does from now on. @throws Error when that is being done */
  record(bounds: RecordBounds): Source {
    if (this.#recorder?.ended === false) throw new Error(`the peer ${this.name} is being recorded already`);
    const { speaker, clock } = this.#context;
    const recorder = new Recorder(this.name, this.session, speaker, bounds, clock.now());
    this.#recorder = recorder;
    return {
      fetch: () => recorder.fetch(clock.now()),
      close: () => {
        if (this.#recorder === recorder) this.#recorder = undefined;
      },
    };
  }

  /** No more of it: timers, connections. */
  dispose(): void {
    this.handle({ kind: 'leave' });
    this.#recorder?.end('the peer is not there any more, or configured anew');
    this.#unwake();
  }

  /** Undefined: there is no session. */
  monitored(): Monitored | undefined {
    const { rib } = this.#context;
    const { name, session } = this;
    const { agreement, ends, pdus } = session;
    if (agreement === undefined || ends === undefined) return undefined;
    const { local = 0, remote = 0 } = ends.ports ?? {};
    return {
      name,
      address: ends.remote,
      asn: agreement.asn,
      routerId: agreement.routerId,
      localAddress: ends.local,
      localPort: local,
      remotePort: remote,
      sentOpen: pdus.sentOpen ?? NO_BYTES,
      receivedOpen: pdus.receivedOpen ?? NO_BYTES,
      coding: agreement.receiving,
      follow: (views, options) => rib.follow(name, views, options),
      unfollow: (feeds) => rib.unfollow(name, feeds),
      statistics: () => ({ ...rib.counts(name), treatedAsWithdraw: session.counters.treatedAsWithdraw }),
    };
  }

  view(): PeerView {
    const { rib, speaker } = this.#context;
    const counts = this.isUp ? rib.counts(this.name) : { received: 0, accepted: 0, advertised: 0 };
    return describePeer(this, counts, speaker, this.#context.clock.now());
  }

  #wake(at: number): void {
    this.#unwake();
    if (at === Number.POSITIVE_INFINITY) return;
    this.#unwake = this.#context.clock.at(at, () => this.handle({ kind: 'tick' }));
  }

  #sink(): SessionSink {
    const { rib, events } = this.#context;
    return {
      up: (agreement, ends) => this.#up(agreement, ends),
      down: (why, retain) => {
        rib.peerDown(this.name, this.#context.clock.now(), retain);
        events.onPeer({ ...this.#event(), up: false, why });
        events.onLog('warn', { peer: this.name, why, kept: retain?.families ?? [] }, 'a BGP session ended');
        this.#context.onDown(this, this.#endOf());
      },
      update: (received) => this.#update(received),
      refresh: (family, subtype) => {
        if (subtype === RefreshSubtype.request) rib.resend(this.name, family);
        else if (subtype === RefreshSubtype.begin)
          rib.beginRefresh(this.name, family, this.#context.clock.now());
        else if (subtype === RefreshSubtype.end) rib.endRefresh(this.name, family);
      },
      take: (maxBytes) => rib.take(this.name, maxBytes),
      pending: () => rib.hasPending(this.name),
    };
  }

  #up(agreement: Agreement, ends: Ends): void {
    const { rib, events } = this.#context;
    this.told.clear();
    rib.peerUp(
      this.#ribPeer(agreement, ends),
      this.#context.clock.now(),
      agreement.restart?.forwarding ?? [],
    );
    events.onPeer({ ...this.#event(ends), up: true });
    const { asn, families, holdTime } = agreement;
    events.onLog('info', { peer: this.name, asn, families, holdTime }, 'a BGP session is established');
    this.#context.onUp(this);
  }

  #update(received: ReceivedUpdate): { error: SessionError; hold: number } | undefined {
    const { rib, events } = this.#context;
    if (received.errors.length > 0) this.#complain(received);
    const family = received.errors.length === 0 ? endOfRibOf(received.update) : undefined;
    if (family !== undefined) {
      rib.endOfRib(this.name, family);
      this.told.add(family);
      this.#context.onEndOfRib(this, family);
      return undefined;
    }
    const { exceeded, exhausted, warning } = rib.receive(this.name, received);
    if (warning !== undefined) {
      events.onLog(
        'warn',
        { peer: this.name, ...warning },
        'a BGP peer nears the number of routes it may send',
      );
    }
    const after = this.settings.maxPrefixRestart;
    const hold = after > 0 ? after : -1;
    const next = after > 0 ? `; tried again in ${after} s` : `; 'clear' it to try again`;
    if (exhausted !== undefined) {
      const why = `the attributes of the peer's routes take more than ${exhausted >> 20} MiB${next}`;
      return { error: sessionError(ErrorCode.cease, Cease.outOfResources, why), hold };
    }
    if (exceeded === undefined) return undefined;
    const { limit } = exceeded;
    const data = new Uint8Array(7);
    const view = new DataView(data.buffer);
    view.setUint16(0, afiOf(exceeded.family));
    view.setUint8(2, Safi.unicast);
    view.setUint32(3, limit);
    const why = `the peer sent more than ${limit} IPv${exceeded.family} routes (maxPrefixes)${next}`;
    const error = sessionError(ErrorCode.cease, Cease.maximumPrefixes, why, data);
    return { error, hold };
  }

  /** One line for many: a peer that sends nothing else does not fill the log. */
  #complain({ errors: [{ type, why }] }: ReceivedUpdate): void {
    const now = this.#context.clock.now();
    this.#unsaid++;
    if (now < this.#silentUntil) return;
    this.#silentUntil = now + COMPLAINT_INTERVAL;
    const fields = { peer: this.name, attribute: type, why, updates: this.#unsaid };
    this.#context.events.onLog('warn', fields, 'a BGP UPDATE is not as it should be');
    this.#unsaid = 0;
  }

  /** Of the session that has just ended. */
  #endOf(): PeerDown {
    const { sentNotification, receivedNotification } = this.session.pdus;
    if (sentNotification !== undefined) return { by: 'us', notification: sentNotification };
    if (receivedNotification !== undefined) return { by: 'peer', notification: receivedNotification };
    return { by: 'peer' };
  }

  #event(ends: Ends | undefined = this.session.ends) {
    return {
      peer: this.name,
      address: this.address as Address,
      ...(ends !== undefined && { localAddress: ends.local }),
      ...(ends?.interface !== undefined && { interface: ends.interface }),
    };
  }

  #ribPeer(agreement: Agreement, ends: Ends): RibPeer {
    const { settings } = this;
    const { asn, localAsn, source, routerId, families, sending, extendedNextHop, enhancedRefresh } =
      agreement;
    const { restart, role } = agreement;
    const isLinked = settings.multihop === 1 || source === 'internal';
    return {
      name: this.name,
      address: ends.remote,
      asn,
      localAsn,
      source,
      routerId,
      localAddress: ends.local,
      ...(ends.linkLocal !== undefined && { localLinkLocal: ends.linkLocal }),
      nextHops: { ...ends.addresses, ...settings.nextHops },
      ...(isLinked && ends.link !== undefined && { link: ends.link }),
      families,
      coding: sending,
      extendedNextHop,
      enhancedRefresh,
      longLived: restart !== undefined && Object.keys(restart.longLived).length > 0,
      client: settings.client,
      ...(role !== undefined && { role }),
      options: settings.options,
      ...(settings.import !== undefined && { import: settings.import }),
      ...(settings.export !== undefined && { export: settings.export }),
    };
  }
}

/** 'tor-10.0.0.7' */
export const dynamicName = (template: string, address: Address): string =>
  `${template}-${formatAddress(address)}`;
