/**
 * All BFD sessions of a node: their sockets, which packet is whose, and one timer. Told whom to watch; tells who is lost.
 * Lives in a thread where nothing else runs, so that its timers hold.
 */
import { SysError } from '../../sys/errors.ts';
import { addressEquals, formatAddress } from '../../wire/address.ts';
import type { BfdEvents, BfdStateName, BfdTarget } from './bfd.ts';
import { BfdEnd } from './end.ts';
import { BfdState, decodePacket, encodePacket } from './packet.ts';
import { type BfdSettings, packetOf, transmitInterval } from './session.ts';
import { type Arrival, openReceiver, openSender, type Receiver, type Sender } from './sockets.ts';

/** Until a socket that could not be had is tried again, milliseconds. */
const RETRY = 1000;
/** In which what waits in the sockets is read before anybody is taken for lost. */
const READING_TURNS = 50;

const STATE_NAMES: Readonly<Record<BfdState, BfdStateName>> = {
  [BfdState.adminDown]: 'adminDown',
  [BfdState.down]: 'down',
  [BfdState.init]: 'init',
  [BfdState.up]: 'up',
};

interface Watched {
  target: BfdTarget;
  readonly end: BfdEnd;
  sender: Sender | undefined;
  /** When to try again to have one. */
  retryAt: number;
  losses: number;
  lastLoss: string | null;
}

export class Monitor {
  readonly #events: BfdEvents;
  readonly #watched = new Map<string, Watched>();
  readonly #receivers = new Map<string, Receiver>();
  /** Sockets that could not be had, and were complained about. */
  readonly #missing = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #heard = false;
  #receiversRetryAt = Number.POSITIVE_INFINITY;

  constructor(events: BfdEvents) {
    this.#events = events;
  }

  watch(targets: readonly BfdTarget[]): void {
    const now = performance.now();
    const wanted = new Map(targets.map((target) => [target.name, target]));
    for (const [name, each] of this.#watched) {
      const target = wanted.get(name);
      if (target && JSON.stringify(placeOf(target)) === JSON.stringify(placeOf(each.target))) {
        if (target.interval !== each.target.interval || target.multiplier !== each.target.multiplier) {
          each.target = target;
          each.end.change(settingsOf(target), now);
        }
      } else this.#leave(name, each, now);
    }
    this.#openReceivers([...wanted.values()], now);
    for (const target of wanted.values()) if (!this.#watched.has(target.name)) this.#add(target, now);
    this.#schedule();
  }

  stop(): void {
    this.watch([]);
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }

  #add(target: BfdTarget, now: number): void {
    const watched: Watched = {
      target,
      end: new BfdEnd(settingsOf(target), this.#discriminator(), now, {
        send: (packet) => void watched.sender?.send(encodePacket(packet)),
        changed: () => this.#tell(watched),
        lost: (why) => this.#lost(watched, why),
      }),
      sender: undefined,
      retryAt: now,
      losses: 0,
      lastLoss: null,
    };
    this.#watched.set(target.name, watched);
    this.#tell(watched);
  }

  /** Twice: nobody will repeat it. */
  #leave(name: string, { end, sender }: Watched, now: number): void {
    end.shutDown(now);
    sender?.send(encodePacket(packetOf(end.session)));
    sender?.close();
    this.#watched.delete(name);
  }

  /** RFC 5880 section 6.8.1: unique, and not to be guessed. */
  #discriminator(): number {
    for (;;) {
      const one = 1 + Math.floor(Math.random() * 0xfffffffe);
      if (![...this.#watched.values()].some(({ end }) => end.session.localDiscriminator === one)) return one;
    }
  }

  #lost(watched: Watched, why: string): void {
    const detection = watched.end.detection;
    watched.losses++;
    watched.lastLoss = why;
    this.#events.onLost(watched.target.name, why);
    this.#events.onLog('warn', { peer: watched.target.name, why, detection }, 'BFD has lost a peer');
    this.#tell(watched);
  }

  #tell({ target, end, losses, lastLoss }: Watched): void {
    const wait = transmitInterval(end.session);
    this.#events.onView({
      name: target.name,
      state: STATE_NAMES[end.session.state],
      detectionMs: end.detection ?? null,
      intervalMs: wait === undefined ? null : wait / 1000,
      losses,
      lastLoss,
    });
  }

  #onPacket(bytes: Uint8Array, arrival: Arrival): void {
    const packet = decodePacket(bytes);
    if (!packet) return;
    const watched = this.#whose(packet.yourDiscriminator, arrival);
    if (!watched) return;
    this.#heard = true;
    watched.end.hear(packet, performance.now());
    this.#schedule();
  }

  /** RFC 5880 section 6.3: by our discriminator; who does not know that yet, by where it is. */
  #whose(discriminator: number, { from, interface: link, multihop }: Arrival): Watched | undefined {
    for (const watched of this.#watched.values()) {
      const { target, end } = watched;
      const isThere =
        addressEquals(target.remote, from) &&
        target.multihop === multihop &&
        (link === undefined || target.interface === undefined || target.interface === link);
      if (isThere && (discriminator === 0 || discriminator === end.session.localDiscriminator))
        return watched;
    }
    return undefined;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    let at = this.#receiversRetryAt;
    for (const { end, sender, retryAt } of this.#watched.values()) {
      at = Math.min(at, end.wakeAt, sender ? Number.POSITIVE_INFINITY : retryAt);
    }
    if (at === Number.POSITIVE_INFINITY) return;
    const wait = Math.max(0, Math.ceil(at - performance.now()));
    this.#timer = setTimeout(() => this.#readThenTick(READING_TURNS), wait);
  }

  /** What has come while this thread could not run counts as heard: sockets are read between a timer and an immediate. */
  #readThenTick(turns: number): void {
    this.#heard = false;
    clearImmediate(this.#immediate);
    this.#immediate = setImmediate(() => {
      if (this.#heard && turns > 0) this.#readThenTick(turns - 1);
      else this.#tick(performance.now());
    });
  }

  #tick(now: number): void {
    if (now >= this.#receiversRetryAt) this.#openReceivers(this.#targets(), now);
    for (const watched of this.#watched.values()) {
      if (!watched.sender && now >= watched.retryAt) this.#openSender(watched, now);
      watched.end.tick(now);
    }
    this.#schedule();
  }

  #targets(): BfdTarget[] {
    return [...this.#watched.values()].map(({ target }) => target);
  }

  #openSender(watched: Watched, now: number): void {
    const { target } = watched;
    watched.sender = this.#tryTo(`to ${target.name}`, () => openSender(target));
    watched.retryAt = now + RETRY;
  }

  #openReceivers(targets: readonly BfdTarget[], now: number): void {
    const needed = new Map(
      targets.map(({ remote: { family }, multihop }) => [`${family} ${multihop}`, { family, multihop }]),
    );
    for (const [key, receiver] of this.#receivers) {
      if (needed.has(key)) continue;
      receiver.close();
      this.#receivers.delete(key);
    }
    this.#receiversRetryAt = Number.POSITIVE_INFINITY;
    for (const [key, { family, multihop }] of needed) {
      if (this.#receivers.has(key)) continue;
      const receiver = this.#tryTo(key, () =>
        openReceiver(family, multihop, (bytes, arrival) => this.#onPacket(bytes, arrival)),
      );
      if (receiver) this.#receivers.set(key, receiver);
      else this.#receiversRetryAt = now + RETRY;
    }
  }

  /** Complains once until it works. */
  #tryTo<T>(key: string, open: () => T): T | undefined {
    try {
      const opened = open();
      this.#missing.delete(key);
      return opened;
    } catch (error) {
      if (!(error instanceof SysError)) throw error;
      if (!this.#missing.has(key)) this.#events.onLog('error', {}, `BFD does not watch: ${error.message}`);
      this.#missing.add(key);
      return undefined;
    }
  }
}

const settingsOf = ({ interval, multiplier }: BfdTarget): BfdSettings => ({
  interval: interval * 1000,
  multiplier,
});

/** What a session is between; another one is another session. */
const placeOf = ({ remote, local, interface: link, multihop }: BfdTarget) => [
  formatAddress(remote),
  local ? formatAddress(local) : '',
  link ?? '',
  multihop,
];
