/** Every state with every event: where it leads and which NOTIFICATION goes out; then timers, back-off and random runs. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sessionError } from '../../../routing/bgp/codec/errors.ts';
import { communicationOf } from '../../../routing/bgp/codec/message.ts';
import { type Event, initialState, type Settings, type StateName, step } from '../../../routing/bgp/fsm.ts';
import { parseAddress } from '../../../wire/address.ts';

const settings: Settings = { peerAs: 65002, holdTime: 90, connectRetry: 10, passive: false };
const open = (asn = 65002, holdTime = 30): Event => ({
  kind: 'open',
  open: { asn, holdTime, routerId: parseAddress('10.0.0.2'), capabilities: [] },
});
const notification: Event = {
  kind: 'notification',
  notification: { code: 6, subcode: 4, data: new Uint8Array(0) },
};
const STATES: readonly StateName[] = ['idle', 'connect', 'active', 'openSent', 'openConfirm', 'established'];

/** A row: of each state in the order above the next one, with the code and subcode that are sent. */
const TABLE: readonly [name: string, event: Event, ...outcome: string[]][] = [
  ['start', { kind: 'start' }, 'connect', 'connect', 'active', 'openSent', 'openConfirm', 'established'],
  ['stop', { kind: 'stop', text: '' }, 'idle', 'idle', 'idle', 'idle 6/2', 'idle 6/2', 'idle 6/2'],
  [
    'connected',
    { kind: 'connected' },
    'idle',
    'openSent',
    'openSent',
    'openSent',
    'openConfirm',
    'established',
  ],
  [
    'disconnected',
    { kind: 'disconnected', why: 'x' },
    'idle',
    'active',
    'active',
    'active',
    'active',
    'active',
  ],
  [
    'collision',
    { kind: 'collisionLost' },
    'idle',
    'connect',
    'active',
    'active 6/7',
    'active 6/7',
    'active 6/7',
  ],
  [
    'retry',
    { kind: 'expired', timer: 'connectRetry' },
    'idle',
    'connect',
    'connect',
    'openSent',
    'openConfirm',
    'established',
  ],
  [
    'hold',
    { kind: 'expired', timer: 'hold' },
    'idle',
    'connect',
    'active',
    'active 4/0',
    'active 4/0',
    'active 4/0',
  ],
  [
    'keepalive timer',
    { kind: 'expired', timer: 'keepalive' },
    'idle',
    'connect',
    'active',
    'openSent',
    'openConfirm',
    'established',
  ],
  [
    'send hold',
    { kind: 'expired', timer: 'sendHold' },
    'idle',
    'connect',
    'active',
    'openSent',
    'openConfirm',
    'active 8/0',
  ],
  ['sent', { kind: 'sent' }, 'idle', 'connect', 'active', 'openSent', 'openConfirm', 'established'],
  ['OPEN', open(), 'idle', 'connect', 'active', 'openConfirm', 'active 5/2', 'active 5/3'],
  ['OPEN of another AS', open(7), 'idle', 'connect', 'active', 'active 2/2', 'active 5/2', 'active 5/3'],
  [
    'KEEPALIVE',
    { kind: 'keepalive' },
    'idle',
    'connect',
    'active',
    'active 5/1',
    'established',
    'established',
  ],
  ['UPDATE', { kind: 'update' }, 'idle', 'connect', 'active', 'active 5/1', 'active 5/2', 'established'],
  [
    'ROUTE-REFRESH',
    { kind: 'routeRefresh' },
    'idle',
    'connect',
    'active',
    'active 5/1',
    'active 5/2',
    'established',
  ],
  ['NOTIFICATION', notification, 'idle', 'connect', 'active', 'active', 'active', 'active'],
  [
    'garbage',
    { kind: 'error', error: sessionError(1, 1, 'x') },
    'idle',
    'connect',
    'active',
    'active 1/1',
    'active 1/1',
    'active 1/1',
  ],
];

describe('every state and event', () => {
  for (const [name, event, ...outcomes] of TABLE) {
    test(name, () => {
      const got = STATES.map((state) => {
        const next = step({ name: state, attempts: 0, holdTime: 30 }, event, settings);
        const sent = next.actions.flatMap((action) =>
          action.kind === 'sendNotification' ? [action.notification] : [],
        );
        return [next.state.name, ...sent.map(({ code, subcode }) => `${code}/${subcode}`)].join(' ');
      });
      expect(got).toEqual(outcomes);
    });
  }
});

const run = (events: readonly Event[], how: Settings = settings) => {
  let state = initialState(how);
  const actions = events.map((event) => {
    const next = step(state, event, how);
    state = next.state;
    return next.actions;
  });
  return { state, actions };
};
const UP: readonly Event[] = [{ kind: 'start' }, { kind: 'connected' }, open(), { kind: 'keepalive' }];

test('the way to a session: messages and timers, the lesser hold time of both', () => {
  const { state, actions } = run(UP);
  expect(state).toEqual({ name: 'established', attempts: 0, holdTime: 30 });
  expect(actions).toEqual([
    [{ kind: 'connect' }, { kind: 'startTimer', timer: 'connectRetry', seconds: 10 }],
    [
      { kind: 'stopTimer', timer: 'connectRetry' },
      { kind: 'sendOpen' },
      { kind: 'startTimer', timer: 'hold', seconds: 240 },
    ],
    [
      { kind: 'sendKeepalive' },
      { kind: 'startTimer', timer: 'hold', seconds: 30 },
      { kind: 'startTimer', timer: 'keepalive', seconds: 10 },
    ],
    [
      { kind: 'up', holdTime: 30 },
      { kind: 'startTimer', timer: 'hold', seconds: 30 },
      { kind: 'startTimer', timer: 'sendHold', seconds: 480 },
    ],
  ]);
});

test('a hold time of 0 runs no timers', () => {
  const { actions } = run([...UP.slice(0, 2), open(65002, 0), { kind: 'keepalive' }, { kind: 'update' }]);
  expect(
    actions
      .slice(2)
      .flat()
      .filter(({ kind }) => kind === 'startTimer'),
  ).toEqual([]);
});

test('attempts that fail come slower, up to eight times; a session starts anew', () => {
  const failing = Array.from({ length: 6 }, (): Event[] => [
    { kind: 'disconnected', why: 'refused' },
    { kind: 'expired', timer: 'connectRetry' },
  ]).flat();
  const waits = (events: readonly Event[]) =>
    run(events).actions.flatMap((all) => {
      const last = all.at(-1);
      return all.some(({ kind }) => kind === 'down') && last?.kind === 'startTimer' ? [last.seconds] : [];
    });
  expect(waits([{ kind: 'start' }, ...failing])).toEqual([10, 20, 40, 80, 80, 80]);
  const again: Event[] = [...UP.slice(1), { kind: 'disconnected', why: 'reset' }];
  expect(waits([{ kind: 'start' }, ...failing, ...again]).at(-1)).toBe(10);
});

test('a passive peer never connects; the operator is quoted', () => {
  const passive = { ...settings, passive: true };
  const { actions, state } = run([...UP, { kind: 'stop', text: 'new kernel' }], passive);
  expect(actions.flat()).not.toContainEqual({ kind: 'connect' });
  expect(state.name).toBe('idle');
  const sent = actions.flat().flatMap((one) => (one.kind === 'sendNotification' ? [one.notification] : []));
  expect(sent.map(communicationOf)).toEqual(['new kernel']);
});

test('any events in any order: up and down alternate, and a started peer can always come up again', () => {
  const events = fc.array(fc.constantFrom(...TABLE.map(([, event]) => event), ...UP), { maxLength: 60 });
  fc.assert(
    fc.property(events, (all) => {
      const { actions, state } = run([{ kind: 'start' }, ...all]);
      let up = false;
      for (const action of actions.flat()) {
        if (action.kind === 'up') {
          expect(up).toBe(false);
          up = true;
        } else if (action.kind === 'down') up = false;
      }
      expect(up).toBe(state.name === 'established');
      let now = step(state, { kind: 'disconnected', why: 'cut' }, settings).state;
      for (const event of UP) now = step(now, event, settings).state;
      expect(now.name).toBe('established');
    }),
    { numRuns: 2000 },
  );
});
