/**
 * One connection of a peer: runs the state machine over it, cuts and reads what arrives, keeps its timers. It knows of no
 * other connection, no routes and no sockets: whose it is decides, and moves the bytes.
 */

import { AttributeCache } from './codec/attribute-cache.ts';
import type { Coding } from './codec/attributes.ts';
import { Writer } from './codec/bytes.ts';
import { Cease, describeError, ErrorCode, type SessionError } from './codec/errors.ts';
import {
  appendMessage,
  communicationOf,
  decodeFramed,
  INITIAL_CODING,
  type Message,
  type Notification,
  type Received,
} from './codec/message.ts';
import { Framing } from './framing.ts';
import { type Action, type Event, initialState, type Settings, type State, step, type Timer } from './fsm.ts';
import type { Agreement } from './negotiate.ts';

/** A seconds' worth of the clock that is handed in. */
const SECOND = 1000;
/** RFC 4271 section 10: timers are shortened by up to a quarter, so that speakers do not fall into step. */
const JITTERED: readonly Timer[] = ['connectRetry', 'keepalive'];
const JITTER = 0.25;

/** Ended with these a session is over for good, whatever was agreed on restarts (RFC 8538 section 3.1). */
const HARD: readonly number[] = [
  Cease.maximumPrefixes,
  Cease.administrativeShutdown,
  Cease.peerDeconfigured,
  Cease.administrativeReset,
  Cease.configurationChange,
  Cease.outOfResources,
  Cease.hardReset,
  Cease.bfdDown,
];

/** Messages are written in one place, and copied out of it. */
const scratch = new Writer();

/** Whose connection it is. */
export interface Owner {
  readonly fsm: Settings;
  /** 0 up to 1. */
  random(): number;
  /** Opens a connection, which `connected` or `disconnected` will be told of; the old one was closed. @returns its number */
  connect(): number;
  write(connection: number, bytes: Uint8Array): void;
  close(connection: number): void;
  /** Our OPEN. */
  open(): Message;
  /** The first OPEN of the peer: the event that follows from it, or nothing where the connection was given up for it. */
  onOpen(connection: Connection, received: Received & { kind: 'open' }, now: number): Event | undefined;
  /** What is received while established. */
  onMessage(connection: Connection, received: Received, now: number): void;
  onUp(connection: Connection, now: number): void;
  onDown(connection: Connection, ended: Ended, now: number): void;
  onMessageCounted(kind: Message['kind'], direction: 'received' | 'sent', bytes: number): void;
}

export interface Ended {
  readonly why: string;
  /** It had been established. */
  readonly wasUp: boolean;
  /** What stood at the end: a NOTIFICATION of either side, nothing but the end of the connection, or a better one. */
  readonly by: 'notification' | 'hardReset' | 'disconnect' | 'collision';
}

/** Whole messages as they went over the wire, for who has to tell of them (RFC 7854). */
export interface Pdus {
  sentOpen?: Uint8Array;
  receivedOpen?: Uint8Array;
  sentNotification?: Uint8Array;
  receivedNotification?: Uint8Array;
}

/** All that a connection is at a moment, as a value. */
export interface ConnectionState {
  readonly origin: 'ours' | 'theirs';
  readonly state: State;
  readonly id?: number;
  readonly agreement?: Agreement;
  /** Bytes are as the agreement has them. */
  readonly agreed: boolean;
  readonly queued: number;
  readonly timers: readonly (readonly [Timer, number])[];
  readonly partial: Uint8Array;
  readonly pdus?: Pdus;
}

export class Connection {
  readonly origin: 'ours' | 'theirs';
  state: State;
  /** Undefined: there is none, nor an attempt. */
  id: number | undefined;
  agreement: Agreement | undefined;
  /** Bytes handed over and not yet on their way. */
  queued = 0;
  /** Of the connection that is there, or was last. */
  pdus: Pdus = {};
  readonly #owner: Owner;
  readonly #timers = new Map<Timer, number>();
  #framing = new Framing(INITIAL_CODING.maxLength);
  #receiving: Coding = INITIAL_CODING;
  #sending: Coding = INITIAL_CODING;
  /** When it last received what sets the hold timer. */
  #aliveAt = Number.NEGATIVE_INFINITY;
  /** Of what is received in the coding that was agreed. */
  #cache: AttributeCache | undefined;

  constructor(origin: 'ours' | 'theirs', owner: Owner) {
    this.origin = origin;
    this.#owner = owner;
    this.state = initialState(owner.fsm);
  }

  /** One that the peer has opened. */
  static accepted(id: number, owner: Owner): Connection {
    const connection = new Connection('theirs', owner);
    connection.id = id;
    connection.state = { ...connection.state, name: 'active' };
    return connection;
  }

  static restored(from: ConnectionState, owner: Owner): Connection {
    const connection = new Connection(from.origin, owner);
    connection.state = from.state;
    connection.id = from.id;
    connection.queued = from.queued;
    connection.pdus = { ...from.pdus };
    for (const [timer, at] of from.timers) connection.#timers.set(timer, at);
    connection.#framing = new Framing(INITIAL_CODING.maxLength, from.partial);
    if (from.agreement !== undefined && from.agreed) connection.agree(from.agreement);
    connection.agreement = from.agreement;
    return connection;
  }

  snapshot(): ConnectionState {
    const { origin, state, id, agreement, queued } = this;
    return {
      origin,
      state,
      ...(id !== undefined && { id }),
      ...(agreement !== undefined && { agreement }),
      agreed: this.#receiving !== INITIAL_CODING,
      queued,
      timers: [...this.#timers],
      partial: this.#framing.partial,
      pdus: { ...this.pdus },
    };
  }

  get isUp(): boolean {
    return this.state.name === 'established';
  }

  /** When the next timer runs out. */
  get deadline(): number {
    return Math.min(...this.#timers.values());
  }

  /** From here on as agreed. */
  agree(agreement: Agreement): void {
    this.agreement = agreement;
    this.#receiving = agreement.receiving;
    this.#sending = agreement.sending;
    this.#framing.maxLength = agreement.receiving.maxLength;
    this.#cache = new AttributeCache();
  }

  step(event: Event, now: number): void {
    const wasUp = this.isUp;
    const { fsm } = this.#owner;
    const settings = event.kind === 'open' ? { ...fsm, peerAs: event.open.asn } : fsm;
    const { state, actions } = step(this.state, event, settings);
    this.state = state;
    for (const action of actions) this.#act(action, event, wasUp, now);
  }

  tick(now: number): void {
    for (const [timer, at] of this.#timers) {
      // One that ran out may have stopped the others.
      if (at > now || this.#timers.get(timer) !== at) continue;
      this.#timers.delete(timer);
      this.step({ kind: 'expired', timer }, now);
    }
  }

  receive(bytes: Uint8Array, now: number): void {
    const { id } = this;
    const whole = this.#framing.push(bytes, (within, from, to) => {
      this.#read(within, from, to, now);
      return this.id === id;
    });
    if (!whole.ok && this.id === id) this.step({ kind: 'error', error: whole.error }, now);
  }

  send(messages: readonly Message[]): number {
    scratch.reset();
    for (const message of messages) {
      const start = scratch.length;
      appendMessage(scratch, message, this.#sending);
      this.#owner.onMessageCounted(message.kind, 'sent', scratch.length - start);
      if (message.kind === 'open') this.pdus.sentOpen = scratch.finish(start);
      else if (message.kind === 'notification') this.pdus.sentNotification = scratch.finish(start);
    }
    return this.#write(scratch.finish());
  }

  /** Without a word, and without looking for another. */
  abandon(): void {
    this.#close();
    this.#timers.clear();
    this.state = { ...initialState(this.#owner.fsm), attempts: this.state.attempts };
  }

  #write(bytes: Uint8Array): number {
    if (this.id === undefined) return 0;
    this.queued += bytes.length;
    this.#owner.write(this.id, bytes);
    return bytes.length;
  }

  #read(bytes: Uint8Array, from: number, to: number, now: number): void {
    const decoded = decodeFramed(bytes, from, to, this.#receiving, this.#cache);
    if (!decoded.ok) {
      this.step({ kind: 'error', error: decoded.error }, now);
      return;
    }
    const received = decoded.value;
    this.#owner.onMessageCounted(received.kind, 'received', to - from);
    if (received.kind === 'open') this.pdus.receivedOpen = bytes.slice(from, to);
    else if (received.kind === 'notification') this.pdus.receivedNotification = bytes.slice(from, to);
    if (received.kind === 'open') {
      const first = this.state.name === 'openSent';
      const event = first ? this.#owner.onOpen(this, received, now) : received;
      if (event !== undefined) this.step(event, now);
      return;
    }
    if (received.kind === 'update' || received.kind === 'routeRefresh') {
      // Of many at once the first says that the peer is alive: the others would set the same timer to the same time.
      if (!this.isUp || this.#aliveAt !== now) this.step({ kind: received.kind }, now);
      if (!this.isUp) return;
      this.#aliveAt = now;
      this.#owner.onMessage(this, received, now);
      return;
    }
    this.step(received, now);
  }

  #act(action: Action, cause: Event, wasUp: boolean, now: number): void {
    switch (action.kind) {
      case 'connect':
        this.#reset();
        this.agreement = undefined;
        this.pdus = {};
        this.id = this.#owner.connect();
        break;
      case 'close':
        this.#close();
        break;
      case 'sendOpen':
        this.send([this.#owner.open()]);
        break;
      case 'sendKeepalive':
        this.send([{ kind: 'keepalive' }]);
        break;
      case 'sendNotification':
        this.send([{ kind: 'notification', notification: this.#hardened(action.notification) }]);
        break;
      case 'startTimer': {
        const shortened = JITTERED.includes(action.timer) ? 1 - JITTER * this.#owner.random() : 1;
        this.#timers.set(action.timer, now + action.seconds * SECOND * shortened);
        break;
      }
      case 'stopTimer':
        this.#timers.delete(action.timer);
        break;
      case 'up':
        this.#owner.onUp(this, now);
        break;
      case 'down':
        this.#owner.onDown(this, this.#ended(action.why, cause, wasUp), now);
        break;
    }
  }

  #ended(why: string, cause: Event, wasUp: boolean): Ended {
    if (cause.kind === 'notification') {
      return {
        why: `the peer: ${describeNotification(cause.notification)}`,
        wasUp,
        by: isHardReset(cause.notification) ? 'hardReset' : 'notification',
      };
    }
    if (cause.kind === 'disconnected') return { why, wasUp, by: 'disconnect' };
    if (cause.kind === 'collisionLost') return { why, wasUp, by: 'collision' };
    const hard = cause.kind === 'stop' || (cause.kind === 'error' && isHard(cause.error));
    return { why, wasUp, by: hard ? 'hardReset' : 'notification' };
  }

  /** RFC 8538 section 3.1: around what would otherwise be survived. */
  #hardened(notification: Notification): Notification {
    const { code, subcode, data } = notification;
    if (!isHard(notification) || subcode === Cease.hardReset) return notification;
    if (this.agreement?.restart?.notifications !== true) return notification;
    return {
      code: ErrorCode.cease,
      subcode: Cease.hardReset,
      data: Uint8Array.of(code, subcode, ...data),
    };
  }

  #close(): void {
    if (this.id !== undefined) this.#owner.close(this.id);
    this.#reset();
  }

  #reset(): void {
    this.id = undefined;
    this.queued = 0;
    this.#framing = new Framing(INITIAL_CODING.maxLength);
    this.#receiving = INITIAL_CODING;
    this.#sending = INITIAL_CODING;
    this.#aliveAt = Number.NEGATIVE_INFINITY;
    this.#cache = undefined;
  }
}

const isHard = ({ code, subcode }: Pick<SessionError, 'code' | 'subcode'>): boolean =>
  code === ErrorCode.cease && HARD.includes(subcode);

const isHardReset = ({ code, subcode }: Notification): boolean =>
  code === ErrorCode.cease && subcode === Cease.hardReset;

/** 'cease, administrative shutdown: "maintenance until 5"'; of a hard reset what is inside. */
export const describeNotification = (notification: Notification): string => {
  const { data } = notification;
  if (isHardReset(notification) && data.length >= 2) {
    const inner = { code: data[0], subcode: data[1], data: data.subarray(2) };
    return `hard reset, ${describeNotification(inner)}`;
  }
  const text = communicationOf(notification);
  const what = describeError(notification.code, notification.subcode);
  return text === undefined ? what : `${what}: ${JSON.stringify(text)}`;
};
