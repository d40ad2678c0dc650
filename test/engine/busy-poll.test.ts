import { expect, test } from 'vitest';
import { BusyPoll } from '../../engine/busy-poll.ts';

test('looks only after a wait that was short', () => {
  const poll = new BusyPoll(0.1);
  expect(poll.window).toBe(0);
  poll.came(0.25, 1);
  expect(poll.window).toBe(0.1);
  poll.came(0.35, 2);
  expect(poll.window).toBe(0);
});

test('looks only when there was little to do before', () => {
  const poll = new BusyPoll(0.1);
  poll.came(0.05, 64);
  expect(poll.window).toBe(0);
  poll.came(0.05, 65);
  expect(poll.window).toBe(0.1);
});

test('never looks when it may not', () => {
  const poll = new BusyPoll(0);
  poll.came(0, 1);
  expect(poll.window).toBe(0);
});
