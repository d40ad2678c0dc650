/**
 * The session with one peer: up to two connections at a time, one opened by each side, of which one stays (RFC 4271
 * section 6.8); what is agreed on, what goes up to the RIB and what comes down from it. It reads no clock and no socket
 * and throws no dice: everything that it depends on comes in through `handle` and the two interfaces below, so that a
 * session that was recorded (record/) runs again bit for bit.
 *
 *    connections ──▶ handle ──▶ state machine, collision ──▶ sink (RIB)
 *    connections ◀── io ◀────── pump, while there is room ◀── sink.take
 */
import { type Address, addressEquals } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Retain } from '../rib/peer.ts';
import { type Cease, ErrorCode, type SessionError, sessionError } from './codec/errors.ts';
import { type Family, familyOf } from './codec/family.ts';
import type { Message, Received } from './codec/message.ts';
import type { ReceivedUpdate } from './codec/update.ts';
import { Connection, type ConnectionState, type Ended, type Owner, type Pdus } from './connection.ts';
import type { Event, Settings, StateName } from './fsm.ts';
import { type Agreement, negotiate, openFor, type Speaker } from './negotiate.ts';
import type { PeerSettings } from './settings.ts';

/** Where a connection ends, and what is known of the link that it is on. */
export interface Ends {
  readonly local: Address;
  readonly remote: Address;
  /** Name of the interface, where the peer is on a link of ours. */
  readonly interface?: string;
  /** The subnet shared with the peer, and own addresses on that link. */
  readonly link?: Prefix;
  readonly linkLocal?: Address;
  /** Of TCP. */
  readonly ports?: { readonly local: number; readonly remote: number };
  readonly addresses?: { readonly 4?: Address; readonly 6?: Address };
}

export type Input =
  | { readonly kind: 'start' }
  /** By the operator, with words for the peer's. */
  | { readonly kind: 'stop'; readonly text: string }
  /** Connections end without a word, so that the peer keeps what it knows (RFC 4724). */
  | { readonly kind: 'leave' }
  /** Ends the session; `hold`: how many seconds to stay away, -1 until started again; default: no longer than usual. */
  | { readonly kind: 'reset'; readonly error: SessionError; readonly hold?: number }
  | { readonly kind: 'connected'; readonly connection: number; readonly ends: Ends }
  /** The peer has opened one. */
  | { readonly kind: 'accepted'; readonly connection: number; readonly ends: Ends }
  | { readonly kind: 'disconnected'; readonly connection: number; readonly why: string }
  | { readonly kind: 'data'; readonly connection: number; readonly bytes: Uint8Array }
  /** So many bytes are on their way. */
  | { readonly kind: 'written'; readonly connection: number; readonly count: number }
  /** The time that `wake` asked for. */
  | { readonly kind: 'tick' }
  /** The sink has something to send. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'send'; readonly messages: readonly Message[] };

/** The world as a session needs it. */
export interface SessionIo {
  connect(connection: number): void;
  write(connection: number, bytes: Uint8Array): void;
  /** What was written still goes out. */
  close(connection: number): void;
  /** A `tick` is wanted then, in the place of what was wanted before; infinite: none. */
  wake(at: number): void;
  /** 0 up to 1. */
  random(): number;
}

/** Who lives on what a session brings. */
export interface SessionSink {
  up(agreement: Agreement, ends: Ends): void;
  /** @param retain what is to be kept for a while; undefined: nothing */
  down(why: string, retain: Retain | undefined): void;
  /** @returns why the session has to end, if it has to, and for how long to stay away */
  update(received: ReceivedUpdate): { readonly error: SessionError; readonly hold: number } | undefined;
  /** ROUTE-REFRESH. */
  refresh(family: Family, subtype: number): void;
  /** About as many bytes of messages as are asked for. */
  take(maxBytes: number): readonly Message[];
  /** There is more, also when `take` found nothing this time. */
  pending(): boolean;
}

export interface MessageCounters {
  readonly received: Record<Message['kind'], number>;
  readonly sent: Record<Message['kind'], number>;
  readonly bytes: { received: number; sent: number };
  malformedUpdates: number;
  /** Of these, the ones whose routes were withdrawn for it. */
  treatedAsWithdraw: number;
  sessions: number;
}

/** All that a session is at a moment, as a value: with settings and speaker, what another one goes on from. */
export interface SessionState {
  readonly counters: MessageCounters;
  readonly lastError?: { readonly text: string; readonly at: number };
  readonly state: StateName;
  readonly since: number;
  readonly ends: readonly (readonly [number, Ends])[];
  readonly ours: ConnectionState;
  readonly theirs?: ConnectionState;
  readonly running: boolean;
  readonly heldUntil?: number;
  readonly upSince: number;
  readonly nextAdvertisement: number;
  readonly lastId: number;
  readonly awake: number;
}

/** What is given to a connection before it has taken some of it: a few times what is in flight in a data centre. */
const HIGH_WATER = 256 << 10;
const PORTION = 64 << 10;
const SECOND = 1000;
/** Connections that cross may come so much later than the one that stays, milliseconds. */
const COLLISION_WINDOW = 2000;
const JITTER = 0.25;

const STATES: readonly StateName[] = ['idle', 'connect', 'active', 'openSent', 'openConfirm', 'established'];
const none = (): Record<Message['kind'], number> => ({
  open: 0,
  update: 0,
  notification: 0,
  keepalive: 0,
  routeRefresh: 0,
});

export class Session {
  readonly counters: MessageCounters = {
    received: none(),
    sent: none(),
    bytes: { received: 0, sent: 0 },
    malformedUpdates: 0,
    treatedAsWithdraw: 0,
    sessions: 0,
  };
  /** In words, and when. */
  lastError: { readonly text: string; readonly at: number } | undefined;
  /** When the state became what it is. */
  since = 0;
  /** Of the connection by which it is established, or was last. */
  pdus: Pdus = {};
  readonly #speaker: Speaker;
  readonly #settings: PeerSettings;
  readonly #io: SessionIo;
  readonly #sink: SessionSink;
  readonly #owner: Owner;
  readonly #ends = new Map<number, Ends>();
  /** The one that we open, or wait with; and the one that the peer has opened. */
  #ours: Connection;
  #theirs: Connection | undefined;
  #running = false;
  #heldUntil: number | undefined;
  #upSince = 0;
  #nextAdvertisement = 0;
  #lastId = 0;
  #state: StateName = 'idle';
  #awake = Number.POSITIVE_INFINITY;

  /** @param from a session that this one goes on from */
  constructor(
    speaker: Speaker,
    settings: PeerSettings,
    io: SessionIo,
    sink: SessionSink,
    from?: SessionState,
  ) {
    this.#speaker = speaker;
    this.#settings = settings;
    this.#io = io;
    this.#sink = sink;
    const { holdTime, connectRetry, passive } = settings;
    // Whose AS it is was compared when its OPEN was taken for good: negotiate.ts.
    const fsm: Settings = { peerAs: 0, holdTime, connectRetry, passive };
    this.#owner = {
      fsm,
      random: () => io.random(),
      connect: () => this.#connect(),
      write: (connection, bytes) => io.write(connection, bytes),
      close: (connection) => {
        this.#ends.delete(connection);
        io.close(connection);
      },
      open: () => ({ kind: 'open', open: openFor(speaker, settings, this.counters.sessions > 0) }),
      onOpen: (connection, { open }, now) => this.#onOpen(connection, open, now),
      onMessage: (connection, received, now) => this.#onMessage(connection, received, now),
      onUp: (connection, now) => this.#onUp(connection, now),
      onDown: (connection, ended, now) => this.#onDown(connection, ended, now),
      onMessageCounted: (kind, direction, bytes) => {
        const { counters } = this;
        // By name what comes by the hundred thousand.
        if (kind === 'update') counters[direction].update++;
        else counters[direction][kind]++;
        counters.bytes[direction] += bytes;
      },
    };
    this.#ours = new Connection('ours', this.#owner);
    if (from !== undefined) this.#restore(from);
  }

  get settings(): PeerSettings {
    return this.#settings;
  }

  snapshot(): SessionState {
    const { lastError } = this;
    return {
      counters: structuredClone(this.counters),
      ...(lastError !== undefined && { lastError }),
      state: this.#state,
      since: this.since,
      ends: [...this.#ends],
      ours: this.#ours.snapshot(),
      ...(this.#theirs !== undefined && { theirs: this.#theirs.snapshot() }),
      running: this.#running,
      ...(this.#heldUntil !== undefined && { heldUntil: this.#heldUntil }),
      upSince: this.#upSince,
      nextAdvertisement: this.#nextAdvertisement,
      lastId: this.#lastId,
      awake: this.#awake,
    };
  }

  #restore(from: SessionState): void {
    Object.assign(this.counters, structuredClone(from.counters));
    this.lastError = from.lastError;
    this.since = from.since;
    this.#state = from.state;
    for (const [id, ends] of from.ends) this.#ends.set(id, ends);
    this.#ours = Connection.restored(from.ours, this.#owner);
    this.#theirs = from.theirs && Connection.restored(from.theirs, this.#owner);
    this.#running = from.running;
    this.#heldUntil = from.heldUntil;
    this.#upSince = from.upSince;
    this.#nextAdvertisement = from.nextAdvertisement;
    this.#lastId = from.lastId;
    this.#awake = from.awake;
  }

  /** Of the connection that has come furthest. */
  get state(): StateName {
    return this.#state;
  }

  get agreement(): Agreement | undefined {
    return this.#established?.agreement;
  }

  get ends(): Ends | undefined {
    return this.#endsOf(this.#established);
  }

  handle(input: Input, now: number): void {
    this.#apply(input, now);
    this.#pump(now);
    this.#settle(now);
  }

  #apply(input: Input, now: number): void {
    switch (input.kind) {
      case 'start':
        this.#running = true;
        this.#heldUntil = undefined;
        this.#step(this.#ours, { kind: 'start' }, now);
        break;
      case 'stop':
        this.#running = false;
        this.#heldUntil = undefined;
        for (const one of this.#connections) this.#step(one, input, now);
        break;
      case 'leave':
        this.#running = false;
        for (const one of this.#connections) one.abandon();
        this.#theirs = undefined;
        break;
      case 'reset':
        this.#reset(input, now);
        break;
      case 'accepted':
        this.#accept(input.connection, input.ends, now);
        break;
      case 'tick':
        this.#awake = Number.POSITIVE_INFINITY;
        this.#tick(now);
        break;
      case 'pending':
        break;
      case 'send':
        this.#established?.send(input.messages);
        break;
      default:
        this.#onConnection(input, now);
    }
  }

  /** One that was closed meanwhile is nobody's. */
  #onConnection(
    input: Input & { kind: 'connected' | 'disconnected' | 'data' | 'written' },
    now: number,
  ): void {
    const connection = this.#connections.find(({ id }) => id === input.connection);
    if (connection === undefined) return;
    switch (input.kind) {
      case 'connected':
        this.#ends.set(input.connection, input.ends);
        this.#step(connection, { kind: 'connected' }, now);
        break;
      case 'disconnected':
        this.#step(connection, { kind: 'disconnected', why: input.why }, now);
        break;
      case 'data':
        connection.receive(input.bytes, now);
        this.#forget();
        break;
      case 'written':
        connection.queued -= input.count;
        this.#step(connection, { kind: 'sent' }, now);
    }
  }

  #step(connection: Connection, event: Event, now: number): void {
    connection.step(event, now);
    this.#forget();
  }

  /** What the peer has opened, and is over, is looked for no more: ours does that. */
  #forget(): void {
    if (this.#theirs?.id === undefined) this.#theirs = undefined;
  }

  get #connections(): readonly Connection[] {
    return this.#theirs === undefined ? [this.#ours] : [this.#ours, this.#theirs];
  }

  get #established(): Connection | undefined {
    return this.#connections.find(({ isUp }) => isUp);
  }

  #endsOf(connection: Connection | undefined): Ends | undefined {
    return connection?.id === undefined ? undefined : this.#ends.get(connection.id);
  }

  #connect(): number {
    const id = this.#nextId();
    this.#io.connect(id);
    return id;
  }

  /** Ours are even, theirs are numbered by who accepts them, odd. */
  #nextId(): number {
    this.#lastId += 2;
    return this.#lastId;
  }

  #accept(id: number, ends: Ends, now: number): void {
    if (!this.#running || this.#heldUntil !== undefined) {
      this.#io.close(id);
      return;
    }
    const up = this.#established;
    if (up?.agreement?.restart !== undefined && now - this.#upSince > COLLISION_WINDOW) {
      // RFC 4724 section 5: a peer that keeps routes and connects anew has restarted, whatever TCP knows of the old one.
      this.#step(up, { kind: 'disconnected', why: 'the peer has connected anew' }, now);
    } else if (up !== undefined && up === this.#theirs) {
      this.#io.close(id);
      return;
    }
    // It gave up the one before when it opened this.
    this.#theirs?.abandon();
    this.#theirs = Connection.accepted(id, this.#owner);
    this.#ends.set(id, ends);
    this.#step(this.#theirs, { kind: 'connected' }, now);
  }

  /** The first OPEN on a connection: is it a peer's that we want, and is this the connection that stays? */
  #onOpen(
    connection: Connection,
    open: (Received & { kind: 'open' })['open'],
    now: number,
  ): Event | undefined {
    const agreed = negotiate(this.#speaker, this.#settings, open);
    if (!agreed.ok) return { kind: 'error', error: agreed.error };
    const other = this.#connections.find((one) => one !== connection);
    if (other?.isUp) return { kind: 'collisionLost' };
    if (other?.state.name === 'openConfirm') {
      if (!this.#stays(connection, agreed.value)) return { kind: 'collisionLost' };
      this.#giveUp(other, now);
    }
    connection.agree(agreed.value);
    return { kind: 'open', open };
  }

  /** RFC 4271 section 6.8; the AS decides between equal identifiers (RFC 6286 section 2.3). */
  #stays({ origin }: Connection, { routerId, asn, localAsn }: Agreement): boolean {
    const ours = this.#speaker.routerId;
    const weAreGreater = addressEquals(ours, routerId) ? localAsn > asn : ours.words[0] > routerId.words[0];
    return weAreGreater === (origin === 'ours');
  }

  /** The other one stays: no new attempts while it lasts. */
  #giveUp(connection: Connection, now: number): void {
    connection.step({ kind: 'collisionLost' }, now);
    connection.abandon();
    if (connection === this.#theirs) this.#theirs = undefined;
  }

  #onUp(connection: Connection, now: number): void {
    const other = this.#connections.find((one) => one !== connection);
    if (other !== undefined) this.#giveUp(other, now);
    this.counters.sessions++;
    this.#upSince = now;
    this.#nextAdvertisement = now;
    this.pdus = connection.pdus;
    this.#sink.up(connection.agreement as Agreement, this.#endsOf(connection) as Ends);
  }

  #onDown(connection: Connection, ended: Ended, now: number): void {
    // Of two connections the one that loses is no error.
    if (ended.by === 'collision') return;
    this.lastError = { text: ended.why, at: now };
    if (ended.wasUp) this.#sink.down(ended.why, this.#retained(connection, ended));
    if (connection.origin === 'theirs' && this.#running && this.#ours.state.name === 'idle') {
      // Ours has rested while theirs lasted: it goes on as if it had been this one.
      const { attempts } = connection.state;
      this.#ours.state = { ...connection.state, name: 'connect', attempts: attempts - 1 };
      this.#ours.step({ kind: 'disconnected', why: ended.why }, now);
    }
  }

  /** RFC 4724 section 4.2, RFC 8538 section 4, RFC 9494 section 4.2. */
  #retained({ agreement }: Connection, { by }: Ended): Retain | undefined {
    const restart = agreement?.restart;
    if (restart === undefined || restart.families.length === 0 || by === 'hardReset') return undefined;
    if (by === 'notification' && !restart.notifications) return undefined;
    const { stalePathTime } = this.#speaker.gracefulRestart;
    return {
      families: restart.families,
      staleSeconds: Math.min(restart.restartTime, stalePathTime),
      longLivedSeconds: restart.longLived,
    };
  }

  #reset({ error, hold }: Input & { kind: 'reset' }, now: number): void {
    for (const one of this.#connections) this.#step(one, { kind: 'error', error }, now);
    this.lastError = { text: error.why, at: now };
    if (hold === undefined) return;
    for (const one of this.#connections) one.abandon();
    this.#theirs = undefined;
    this.#heldUntil = hold < 0 ? Number.POSITIVE_INFINITY : now + hold * SECOND;
  }

  #tick(now: number): void {
    if (this.#heldUntil !== undefined && this.#heldUntil <= now) {
      this.#heldUntil = undefined;
      this.#step(this.#ours, { kind: 'start' }, now);
    }
    for (const one of this.#connections) {
      if (one.state.name === 'connect' && one.deadline <= now) {
        const { password } = this.#settings;
        const hint = password === undefined ? '' : ', or its TCP MD5 password is another one than ours';
        this.lastError = { text: `the peer does not answer: it cannot be reached${hint}`, at: now };
      }
      one.tick(now);
    }
    this.#forget();
  }

  #onMessage(connection: Connection, received: Received, now: number): void {
    if (received.kind === 'routeRefresh') {
      const family = familyOf(received.refresh.afi, received.refresh.safi);
      // RFC 2918 section 4: for a family that was not agreed on it is ignored.
      if (family !== undefined && connection.agreement?.families.includes(family)) {
        this.#sink.refresh(family, received.refresh.subtype);
      }
      return;
    }
    if (received.kind !== 'update') return;
    if (received.errors.length > 0) this.counters.malformedUpdates++;
    if (received.treatAsWithdraw) this.counters.treatedAsWithdraw++;
    const wrong = this.#sink.update(received);
    if (wrong !== undefined) this.#reset({ kind: 'reset', ...wrong }, now);
  }

  /** Hands over what the sink has, while there is room for it and it is time (RFC 4271 section 9.2.1.1). */
  #pump(now: number): void {
    const connection = this.#established;
    if (connection === undefined || now < this.#nextAdvertisement) return;
    let sent = false;
    let looks = 0;
    while (connection.queued < HIGH_WATER && this.#sink.pending()) {
      const messages = this.#sink.take(PORTION);
      // It has looked at many routes that this peer need not hear of: others have their turn.
      if (messages.length === 0 && ++looks > 1) break;
      if (messages.length === 0) continue;
      connection.send(messages);
      sent = true;
    }
    const interval = this.#settings.advertisementInterval * SECOND;
    if (sent && interval > 0) this.#nextAdvertisement = now + interval * (1 - JITTER * this.#io.random());
  }

  #settle(now: number): void {
    const names = this.#connections.map(({ state }) => state.name);
    const state = STATES.findLast((name) => names.includes(name)) ?? 'idle';
    if (state !== this.#state) {
      this.#state = state;
      this.since = now;
    }
    const at = this.#deadline(now);
    // An earlier call is as good: it finds nothing to do and asks again.
    if (at >= this.#awake) return;
    this.#awake = at;
    this.#io.wake(at);
  }

  #deadline(now: number): number {
    const times = this.#connections.map(({ deadline }) => deadline);
    if (this.#heldUntil !== undefined) times.push(this.#heldUntil);
    const up = this.#established;
    if (up !== undefined && up.queued < HIGH_WATER && this.#sink.pending()) {
      times.push(Math.max(now, this.#nextAdvertisement));
    }
    return Math.min(...times);
  }
}

/** By the operator or by BFD: what the peer is told when a session ends for it. */
export const ceaseError = (subcode: (typeof Cease)[keyof typeof Cease], why: string): SessionError =>
  sessionError(ErrorCode.cease, subcode, why);
