/**
 * One end of a BFD session in time: when a packet is due, when the peer is lost, what is sent at once. Told the time, never
 * asks for it; the machine itself is session.ts.
 */
import { type BfdPacket, BfdState } from './packet.ts';
import {
  type BfdSession,
  type BfdSettings,
  change,
  describeDiagnostic,
  detectionTime,
  expire,
  jittered,
  newSession,
  packetOf,
  receive,
  shutDown,
  transmitInterval,
} from './session.ts';

export interface EndSink {
  send(packet: BfdPacket): void;
  /** The state, or how often packets come and go, is another. */
  changed(): void;
  /** It was up, and is not, and nobody has shut it down. */
  lost(why: string): void;
}

/** Times are milliseconds of a clock that is never set back. */
export class BfdEnd {
  readonly #sink: EndSink;
  readonly #random: () => number;
  #session: BfdSession;
  #sentAt = Number.NEGATIVE_INFINITY;
  #sendAt: number;
  #lostAt = Number.POSITIVE_INFINITY;

  constructor(
    settings: BfdSettings,
    discriminator: number,
    now: number,
    sink: EndSink,
    random = Math.random,
  ) {
    this.#session = newSession(settings, discriminator);
    this.#sendAt = now;
    this.#sink = sink;
    this.#random = random;
  }

  get session(): BfdSession {
    return this.#session;
  }

  /** When `tick` has something to do. */
  get wakeAt(): number {
    return Math.min(this.#sendAt, this.#lostAt);
  }

  /** Milliseconds without a packet after which the peer is lost; undefined: nothing was heard yet. */
  get detection(): number | undefined {
    const time = detectionTime(this.#session);
    return time === undefined ? undefined : time / 1000;
  }

  hear(packet: BfdPacket, now: number): void {
    const next = receive(this.#session, packet);
    this.#lostAt = now + (detectionTime(next) ?? Number.POSITIVE_INFINITY) / 1000;
    this.#become(next, now);
    if (packet.poll) this.#sink.send(packetOf(this.#session, true));
  }

  tick(now: number): void {
    if (now >= this.#lostAt) {
      this.#lostAt = Number.POSITIVE_INFINITY;
      this.#become(expire(this.#session), now);
    }
    if (now >= this.#sendAt) this.#send(now);
  }

  change(settings: BfdSettings, now: number): void {
    this.#become(change(this.#session, settings), now);
  }

  /** The peer hears that it is meant. */
  shutDown(now: number): void {
    this.#become(shutDown(this.#session), now);
  }

  #become(next: BfdSession, now: number): void {
    const before = this.#session;
    this.#session = next;
    const [waited, wait] = [transmitInterval(before), transmitInterval(next)];
    if (next.state !== before.state) this.#send(now);
    else if (wait !== waited) this.#schedule(now);
    if (next.state !== before.state || wait !== waited || detectionTime(next) !== detectionTime(before)) {
      this.#sink.changed();
    }
    const isMeant = next.remoteState === BfdState.adminDown;
    if (before.state === BfdState.up && next.state === BfdState.down && !isMeant) {
      this.#sink.lost(describeDiagnostic(next.diagnostic));
    }
  }

  /** Section 6.8.7: what differs from the last packet does not wait. */
  #send(now: number): void {
    this.#sentAt = now;
    this.#sink.send(packetOf(this.#session));
    this.#schedule(now);
  }

  #schedule(now: number): void {
    const interval = transmitInterval(this.#session);
    if (interval === undefined) {
      this.#sendAt = Number.POSITIVE_INFINITY;
      return;
    }
    const wait = jittered(interval, this.#session.settings, this.#random()) / 1000;
    this.#sendAt = Math.max(now, this.#sentAt + wait);
  }
}
