/**
 * The state machine of one BFD session (RFC 5880 section 6.8, asynchronous mode, active role) as functions of its state:
 * what a packet changes, what is sent and how often, when the peer counts as lost. Reads no clock and no socket, and adds
 * no jitter: who runs it does.
 */
import { type BfdPacket, BfdState, Diagnostic } from './packet.ts';

export interface BfdSettings {
  /** Microseconds between packets that this end can send and take. */
  readonly interval: number;
  readonly multiplier: number;
}

export interface BfdSession {
  readonly settings: BfdSettings;
  readonly state: BfdState;
  readonly diagnostic: number;
  readonly localDiscriminator: number;
  /** 0: not known. */
  readonly remoteDiscriminator: number;
  readonly remoteState: BfdState;
  readonly remoteDiagnostic: number;
  /** Microseconds; 0: it wants no packets. */
  readonly remoteMinRx: number;
  readonly remoteMinTx: number;
  readonly remoteMultiplier: number;
  readonly remoteDemand: boolean;
  /** A change of our timers that the peer has not confirmed (section 6.5). */
  readonly polling: boolean;
  /** Settings that were changed, until the peer has confirmed the new ones. */
  readonly former?: BfdSettings | undefined;
}

/** Section 6.8.3: while the session is not up, packets are a second apart at least. */
const SLOW = 1_000_000;

export const newSession = (settings: BfdSettings, localDiscriminator: number): BfdSession => ({
  settings,
  state: BfdState.down,
  diagnostic: Diagnostic.none,
  localDiscriminator,
  ...FORGOTTEN,
});

const FORGOTTEN = {
  remoteDiscriminator: 0,
  remoteState: BfdState.down as BfdState,
  remoteDiagnostic: 0,
  remoteMinRx: 1,
  remoteMinTx: 0,
  remoteMultiplier: 0,
  remoteDemand: false,
  polling: false,
};

/** Section 6.8.6. @param packet its discriminators are those of this session */
export function receive(before: BfdSession, packet: BfdPacket): BfdSession {
  const heard: BfdSession = {
    ...before,
    remoteDiscriminator: packet.myDiscriminator,
    remoteState: packet.state,
    remoteDiagnostic: packet.diagnostic,
    remoteMinRx: packet.requiredMinRx,
    remoteMinTx: packet.desiredMinTx,
    remoteMultiplier: packet.detectionMultiplier,
    remoteDemand: packet.demand,
    polling: before.polling && !packet.final,
    former: packet.final ? undefined : before.former,
  };
  return moved(heard, nextState(heard, packet.state));
}

function nextState({ state }: BfdSession, remote: BfdState): BfdState {
  if (state === BfdState.adminDown) return state;
  if (remote === BfdState.adminDown) return BfdState.down;
  switch (state) {
    case BfdState.down:
      if (remote === BfdState.down) return BfdState.init;
      return remote === BfdState.init ? BfdState.up : state;
    case BfdState.init:
      return remote === BfdState.init || remote === BfdState.up ? BfdState.up : state;
    default:
      return remote === BfdState.down ? BfdState.down : state;
  }
}

function moved(session: BfdSession, state: BfdState): BfdSession {
  if (state === session.state) return session;
  const lost = state === BfdState.down;
  return {
    ...session,
    state,
    diagnostic: lost ? Diagnostic.neighbourSignalledDown : Diagnostic.none,
    // Going up, what was slow becomes as fast as it is set: the peer has to hear of it. Going down likewise.
    polling: state === BfdState.up && session.settings.interval < SLOW,
    former: undefined,
  };
}

/** Nothing was heard for the detection time (section 6.8.4). */
export function expire(session: BfdSession): BfdSession {
  if (session.state !== BfdState.init && session.state !== BfdState.up) return { ...session, ...FORGOTTEN };
  return { ...session, ...FORGOTTEN, state: BfdState.down, diagnostic: Diagnostic.detectionTimeExpired };
}

/** Section 6.8.16: the peer is told, and does not take it for a failure. */
export const shutDown = (session: BfdSession): BfdSession => ({
  ...session,
  state: BfdState.adminDown,
  diagnostic: Diagnostic.administrativelyDown,
  polling: false,
});

/** Without an end of the session: what becomes slower waits until the peer knows (section 6.8.3). */
export const change = (session: BfdSession, settings: BfdSettings): BfdSession => ({
  ...session,
  settings,
  former: session.former ?? session.settings,
  polling: session.state === BfdState.up,
});

export function packetOf(session: BfdSession, final = false): BfdPacket {
  return {
    diagnostic: session.diagnostic,
    state: session.state,
    // Section 6.5: never both.
    poll: session.polling && !final,
    final,
    demand: false,
    detectionMultiplier: session.settings.multiplier,
    myDiscriminator: session.localDiscriminator,
    yourDiscriminator: session.remoteDiscriminator,
    desiredMinTx: desiredMinTx(session),
    requiredMinRx: session.settings.interval,
    requiredMinEchoRx: 0,
  };
}

const desiredMinTx = ({ state, settings }: BfdSession): number =>
  state === BfdState.up ? settings.interval : Math.max(SLOW, settings.interval);

/** Microseconds between packets, before jitter (section 6.8.7); undefined: none are wanted. */
export function transmitInterval(session: BfdSession): number | undefined {
  const { remoteMinRx, remoteDemand, state, remoteState, polling } = session;
  if (remoteMinRx === 0) return undefined;
  const quiet = remoteDemand && state === BfdState.up && remoteState === BfdState.up && !polling;
  const own =
    polling && session.former ? Math.min(desiredMinTx(session), session.former.interval) : undefined;
  return quiet ? undefined : Math.max(own ?? desiredMinTx(session), remoteMinRx);
}

/** The share of the interval that goes by before a packet: 75 to 100 percent, with a multiplier of 1 to 90 (section 6.8.7). */
export const jittered = (interval: number, { multiplier }: BfdSettings, random: number): number =>
  interval * (0.75 + random * (multiplier === 1 ? 0.15 : 0.25));

/** Microseconds without a packet after which the peer is lost (section 6.8.4); undefined: none was heard yet. */
export function detectionTime(session: BfdSession): number | undefined {
  const { remoteMultiplier, remoteMinTx, settings, former } = session;
  const own = Math.max(settings.interval, former?.interval ?? 0);
  return remoteMultiplier === 0 ? undefined : remoteMultiplier * Math.max(own, remoteMinTx);
}

const DIAGNOSTICS: Readonly<Record<number, string>> = {
  0: 'no reason given',
  1: 'nothing was heard for the detection time',
  2: 'the echo function failed',
  3: 'the other end says that it is down',
  4: 'the forwarding plane was reset',
  5: 'the path is down',
  6: 'a concatenated path is down',
  7: 'shut down by an administrator',
  8: 'a reverse concatenated path is down',
};

export const describeDiagnostic = (diagnostic: number): string =>
  DIAGNOSTICS[diagnostic] ?? `diagnostic ${diagnostic}`;
