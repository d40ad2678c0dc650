/**
 * The state machine of one BGP connection (RFC 4271 section 8; subcodes of unexpected messages RFC 6608; send hold timer
 * RFC 9687): a function of a state and an event to the next state and what is to be done. It reads no clock and no
 * socket, adds no jitter, and compares no two connections of a peer: who runs it does, and feeds it what comes of it.
 */
import {
  Cease,
  describeError,
  ErrorCode,
  FsmError,
  NO_BYTES,
  OpenError,
  type SessionError,
  sessionError,
} from './codec/errors.ts';
import { ceaseWith, type Notification } from './codec/message.ts';
import type { Open } from './codec/open.ts';

export type StateName = 'idle' | 'connect' | 'active' | 'openSent' | 'openConfirm' | 'established';
export type Timer = 'connectRetry' | 'hold' | 'keepalive' | 'sendHold';

export interface State {
  readonly name: StateName;
  /** Attempts since the last session, for the back-off (RFC 4271 section 8.1.1, ConnectRetryCounter). */
  readonly attempts: number;
  /** Seconds agreed on; what we offer until the peer's OPEN is there. 0: no hold and keepalive timers. */
  readonly holdTime: number;
}

export interface Settings {
  readonly peerAs: number;
  /** Seconds, 0 or at least 3. */
  readonly holdTime: number;
  /** Seconds between attempts; doubled with each that fails, up to eight times as much. */
  readonly connectRetry: number;
  /** Waits to be connected to. */
  readonly passive: boolean;
}

export type Event =
  | { readonly kind: 'start' }
  /** By the operator, with words for the peer's. */
  | { readonly kind: 'stop'; readonly text: string }
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected'; readonly why: string }
  /** The peer's other connection stays (RFC 4271 section 6.8). */
  | { readonly kind: 'collisionLost' }
  | { readonly kind: 'expired'; readonly timer: Timer }
  /** The send queue moved; without it for the send hold time the peer is taken for dead. */
  | { readonly kind: 'sent' }
  | { readonly kind: 'open'; readonly open: Open }
  | { readonly kind: 'keepalive' | 'update' | 'routeRefresh' }
  | { readonly kind: 'notification'; readonly notification: Notification }
  /** What arrived cannot be read on. */
  | { readonly kind: 'error'; readonly error: SessionError };

export type Action =
  | { readonly kind: 'connect' | 'close' | 'sendOpen' | 'sendKeepalive' }
  | { readonly kind: 'sendNotification'; readonly notification: Notification }
  | { readonly kind: 'startTimer'; readonly timer: Timer; readonly seconds: number }
  | { readonly kind: 'stopTimer'; readonly timer: Timer }
  | { readonly kind: 'up'; readonly holdTime: number }
  /** The session, or an attempt at one, has ended. */
  | { readonly kind: 'down'; readonly why: string };

export interface Transition {
  readonly state: State;
  readonly actions: readonly Action[];
}

/** RFC 4271 section 8.2.2, OpenSent: long enough for an OPEN to come. */
const OPEN_HOLD = 240;
const MAX_DOUBLINGS = 3;
/** RFC 9687 section 4: eight minutes, or twice the hold time when that is more. */
const SEND_HOLD = 480;
const TIMERS: readonly Timer[] = ['connectRetry', 'hold', 'keepalive', 'sendHold'];

export const initialState = ({ holdTime }: Settings): State => ({ name: 'idle', attempts: 0, holdTime });

export const step = (state: State, event: Event, settings: Settings): Transition => {
  switch (event.kind) {
    case 'start':
      return state.name === 'idle' ? listen({ ...state, attempts: 0 }, settings) : stay(state);
    case 'stop':
      return state.name === 'idle'
        ? stay(state)
        : end({ ...state, attempts: 0 }, settings, 'stopped by the operator', {
            notification: ceaseWith(Cease.administrativeShutdown, event.text),
            next: 'idle',
          });
    case 'connected':
      return connected(state, settings);
    case 'disconnected':
      return state.name === 'idle' ? stay(state) : end(state, settings, event.why, {});
    case 'collisionLost':
      return isOpen(state)
        ? end(state, settings, 'the other connection stays', {
            notification: { code: ErrorCode.cease, subcode: Cease.connectionCollision, data: NO_BYTES },
          })
        : stay(state);
    case 'expired':
      return expired(state, event.timer, settings);
    case 'sent':
      return state.name === 'established' && state.holdTime > 0
        ? { state, actions: [startTimer('sendHold', sendHold(state))] }
        : stay(state);
    case 'notification': {
      const { code, subcode } = event.notification;
      return isOpen(state)
        ? end(state, settings, `the peer: ${describeError(code, subcode)}`, {})
        : stay(state);
    }
    case 'error':
      return isOpen(state) ? refuse(state, settings, event.error) : stay(state);
    case 'open':
      return state.name === 'openSent'
        ? opened(state, event.open, settings)
        : unexpected(state, 'OPEN', settings);
    case 'keepalive':
      if (state.name === 'openConfirm') return establish(state);
      return state.name === 'established' ? alive(state) : unexpected(state, 'KEEPALIVE', settings);
    default:
      return state.name === 'established' ? alive(state) : unexpected(state, event.kind, settings);
  }
};

/** There is a connection, over which a NOTIFICATION can go. */
const isOpen = ({ name }: State): boolean =>
  name === 'openSent' || name === 'openConfirm' || name === 'established';
const stay = (state: State): Transition => ({ state, actions: [] });
const startTimer = (timer: Timer, seconds: number): Action => ({ kind: 'startTimer', timer, seconds });
const sendHold = ({ holdTime }: State): number => Math.max(SEND_HOLD, 2 * holdTime);

/** Begins to look for the peer: by connecting, or by waiting. */
const listen = (state: State, { connectRetry, passive, holdTime }: Settings): Transition => {
  if (passive) return { state: { ...state, name: 'active', holdTime }, actions: [] };
  const actions: Action[] = [{ kind: 'connect' }, startTimer('connectRetry', connectRetry)];
  return { state: { ...state, name: 'connect', holdTime }, actions };
};

const connected = (state: State, settings: Settings): Transition => {
  // One that nobody waits for, or a second one: RFC 4271 section 6.8 compares them outside.
  if (state.name !== 'connect' && state.name !== 'active') return stay(state);
  return {
    state: { ...state, name: 'openSent', holdTime: settings.holdTime },
    actions: [
      { kind: 'stopTimer', timer: 'connectRetry' },
      { kind: 'sendOpen' },
      startTimer('hold', OPEN_HOLD),
    ],
  };
};

const opened = (state: State, open: Open, settings: Settings): Transition => {
  if (open.asn !== settings.peerAs) {
    const why = `the peer is AS ${open.asn}, configured is AS ${settings.peerAs}`;
    return refuse(state, settings, sessionError(ErrorCode.open, OpenError.badPeerAs, why));
  }
  const holdTime = Math.min(settings.holdTime, open.holdTime);
  const actions: Action[] = [{ kind: 'sendKeepalive' }];
  if (holdTime === 0) actions.push({ kind: 'stopTimer', timer: 'hold' });
  else actions.push(startTimer('hold', holdTime), startTimer('keepalive', holdTime / 3));
  return { state: { ...state, name: 'openConfirm', holdTime }, actions };
};

const establish = (state: State): Transition => {
  const { holdTime } = state;
  const actions: Action[] = [{ kind: 'up', holdTime }];
  if (holdTime > 0) actions.push(startTimer('hold', holdTime), startTimer('sendHold', sendHold(state)));
  return { state: { ...state, name: 'established', attempts: 0 }, actions };
};

const alive = (state: State): Transition => ({
  state,
  actions: state.holdTime > 0 ? [startTimer('hold', state.holdTime)] : [],
});

const expired = (state: State, timer: Timer, settings: Settings): Transition => {
  const running = state.name === 'openConfirm' || state.name === 'established';
  switch (timer) {
    case 'connectRetry': {
      if (state.name !== 'connect' && state.name !== 'active') return stay(state);
      // A connection that is still under way is given up for a new one.
      const next = listen(state, settings);
      return { ...next, actions: [{ kind: 'close' }, ...next.actions] };
    }
    case 'keepalive':
      if (!running || state.holdTime === 0) return stay(state);
      return { state, actions: [{ kind: 'sendKeepalive' }, startTimer('keepalive', state.holdTime / 3)] };
    case 'hold':
      return isOpen(state)
        ? refuse(
            state,
            settings,
            sessionError(ErrorCode.holdTimerExpired, 0, 'the peer was silent for the hold time'),
          )
        : stay(state);
    case 'sendHold':
      return state.name === 'established'
        ? refuse(
            state,
            settings,
            sessionError(ErrorCode.sendHoldTimerExpired, 0, 'the peer takes nothing any more'),
          )
        : stay(state);
  }
};

const unexpected = (state: State, what: string, settings: Settings): Transition => {
  if (!isOpen(state)) return stay(state);
  const subcode = FsmError[state.name as 'openSent' | 'openConfirm' | 'established'];
  const why = `the peer sent ${what} in ${state.name}`;
  return refuse(state, settings, sessionError(ErrorCode.finiteStateMachine, subcode, why));
};

const refuse = (state: State, settings: Settings, { code, subcode, data, why }: SessionError): Transition =>
  end(state, settings, why, { notification: { code, subcode, data } });

/** Ends the connection and, unless told to stay idle, looks for the peer again after a while. */
const end = (
  state: State,
  { connectRetry, holdTime }: Settings,
  why: string,
  {
    notification,
    next = 'active',
  }: { readonly notification?: Notification; readonly next?: 'active' | 'idle' },
): Transition => {
  const actions: Action[] = TIMERS.map((timer) => ({ kind: 'stopTimer', timer }));
  if (notification !== undefined && isOpen(state)) actions.push({ kind: 'sendNotification', notification });
  actions.push({ kind: 'close' }, { kind: 'down', why });
  if (next === 'idle') return { state: { ...state, name: 'idle', holdTime }, actions };
  actions.push(startTimer('connectRetry', connectRetry * 2 ** Math.min(state.attempts, MAX_DOUBLINGS)));
  return { state: { name: 'active', attempts: state.attempts + 1, holdTime }, actions };
};
