/**
 * What can be wrong with what a peer sends, as values. A session error ends the session with a NOTIFICATION
 * (RFC 4271 section 6); an attribute error costs routes or the attribute only (RFC 7606). Parsing never throws.
 */

/** RFC 4271 section 4.5; route refresh: RFC 7313; send hold: RFC 9687. */
export const ErrorCode = {
  header: 1,
  open: 2,
  update: 3,
  holdTimerExpired: 4,
  finiteStateMachine: 5,
  cease: 6,
  routeRefresh: 7,
  sendHoldTimerExpired: 8,
} as const;

export const HeaderError = { notSynchronized: 1, badLength: 2, badType: 3 } as const;

/** RFC 4271 section 6.2; unsupported capability: RFC 5492; role mismatch: RFC 9234. */
export const OpenError = {
  unspecific: 0,
  unsupportedVersion: 1,
  badPeerAs: 2,
  badIdentifier: 3,
  unsupportedParameter: 4,
  unacceptableHoldTime: 6,
  unsupportedCapability: 7,
  roleMismatch: 11,
} as const;

/** RFC 4271 section 6.3, those that RFC 7606 still lets end a session. */
export const UpdateError = {
  malformedAttributeList: 1,
  unrecognizedWellKnown: 2,
  optionalAttribute: 9,
  invalidNetworkField: 10,
} as const;

/** RFC 6608: in which state an unexpected message came. */
export const FsmError = { unspecific: 0, openSent: 1, openConfirm: 2, established: 3 } as const;

/** RFC 4486; hard reset: RFC 8538; BFD down: RFC 9384. */
export const Cease = {
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  configurationChange: 6,
  connectionCollision: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const;

export const RouteRefreshError = { invalidLength: 1 } as const;

const CODES = [
  '',
  'message header error',
  'OPEN message error',
  'UPDATE message error',
  'hold timer expired',
  'finite state machine error',
  'cease',
  'ROUTE-REFRESH message error',
  'send hold timer expired',
];

const SUBCODES: Readonly<Record<number, readonly string[]>> = {
  1: ['', 'connection not synchronized', 'bad message length', 'bad message type'],
  2: [
    '',
    'unsupported version number',
    'bad peer AS',
    'bad BGP identifier',
    'unsupported optional parameter',
    'authentication failure',
    'unacceptable hold time',
    'unsupported capability',
    '',
    '',
    '',
    'role mismatch',
  ],
  3: [
    '',
    'malformed attribute list',
    'unrecognized well-known attribute',
    'missing well-known attribute',
    'attribute flags error',
    'attribute length error',
    'invalid ORIGIN',
    'AS routing loop',
    'invalid NEXT_HOP',
    'optional attribute error',
    'invalid network field',
    'malformed AS_PATH',
  ],
  5: [
    '',
    'unexpected message in OpenSent',
    'unexpected message in OpenConfirm',
    'unexpected message in Established',
  ],
  6: [
    '',
    'maximum number of prefixes reached',
    'administrative shutdown',
    'peer de-configured',
    'administrative reset',
    'connection rejected',
    'other configuration change',
    'connection collision resolution',
    'out of resources',
    'hard reset',
    'BFD down',
  ],
  7: ['', 'invalid message length'],
};

/** 'cease, administrative shutdown'; numbers where a code has no name. */
export const describeError = (code: number, subcode: number): string => {
  const name = CODES[code] || `error code ${code}`;
  if (subcode === 0) return name;
  return `${name}, ${SUBCODES[code]?.[subcode] || `subcode ${subcode}`}`;
};

/** Ends the session: the first three are what the NOTIFICATION to the peer carries, `why` is for people. */
export interface SessionError {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
  readonly why: string;
}

export const NO_BYTES: Uint8Array = new Uint8Array(0);

export const sessionError = (code: number, subcode: number, why: string, data = NO_BYTES): SessionError => ({
  code,
  subcode,
  data,
  why,
});

export type Result<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: SessionError };

export const ok = <Value>(value: Value): Result<Value> => ({ ok: true, value });
export const fail = <Value>(error: SessionError): Result<Value> => ({ ok: false, error });

/** What the decoder of a part returns instead of a value. */
export class Malformed {
  readonly why: string;
  /** Where it costs something else than other errors of the same attribute. */
  readonly reaction: AttributeReaction | undefined;
  constructor(why: string, reaction?: AttributeReaction) {
    this.why = why;
    this.reaction = reaction;
  }
}

/** RFC 7606 section 2, mildest last. */
export type AttributeReaction = 'treat-as-withdraw' | 'attribute-discard';

export interface AttributeError {
  readonly reaction: AttributeReaction;
  /** Type code; 0 for the list of attributes as a whole. */
  readonly type: number;
  readonly why: string;
}
