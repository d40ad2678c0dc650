// The record of learned routes: what it believes and for how long, and how it follows a node that is killed one day.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSnapshot, removeSnapshot, SnapshotKeeper, writeSnapshot } from '../../control/bgp/snapshot.ts';
import type { LearnedRoute, LearnedRoutes } from '../../routing/learned.ts';
import { parseAddress } from '../../wire/address.ts';
import { parsePrefix } from '../../wire/prefix.ts';

let state: string;
let routes: LearnedRoute[];
/** Of LearnedRoutes what is asked for. */
const learned = {
  get size() {
    return routes.length;
  },
  *all() {
    yield* routes;
  },
} as unknown as LearnedRoutes;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'weft-snapshot-'));
  routes = [route('10.244.2.0/24')];
});
afterEach(() => rmSync(state, { recursive: true }));

const route = (prefix: string): LearnedRoute => ({
  prefix: parsePrefix(prefix),
  paths: [
    {
      nextHop: parseAddress('192.168.77.2'),
      source: 'internal',
      tunnels: [{ type: 8, subTlvs: [{ kind: 'unknown', type: 99, value: Uint8Array.of(1, 255) }] }],
    },
  ],
});
const file = () => join(state, 'learned-routes.json');
const rewrite = (change: Record<string, unknown>) =>
  writeFileSync(file(), JSON.stringify({ ...JSON.parse(readFileSync(file(), 'utf8')), ...change }));

it('is read as it was written', () => {
  writeSnapshot(state, learned);
  expect(readSnapshot(state, 120)).toEqual(routes);
  removeSnapshot(state);
  removeSnapshot(state);
  expect(readSnapshot(state, 120)).toBeUndefined();
});

it('is not believed when it is too old, of tomorrow, of another boot or version, or cut off', () => {
  const refused = (change: Record<string, unknown>, seconds = 120) => {
    writeSnapshot(state, learned);
    rewrite(change);
    return readSnapshot(state, seconds);
  };
  expect(refused({})).toEqual(routes);
  expect(refused({ at: Date.now() - 121_000 })).toBeUndefined();
  expect(refused({ at: Date.now() - 1000 }, 0)).toBeUndefined();
  expect(refused({ at: Date.now() + 60_000 })).toBeUndefined();
  expect(refused({ bootId: 'another' })).toBeUndefined();
  expect(refused({ version: 1 })).toBeUndefined();
  writeFileSync(file(), readFileSync(file(), 'utf8').slice(0, -9));
  expect(readSnapshot(state, 120)).toBeUndefined();
});

it('follows what changes, stays young, and goes when nothing is learned or peers do not wait', () => {
  let seconds = 120;
  const failures: unknown[] = [];
  const options = {
    state,
    learned,
    seconds: () => seconds,
    onFailure: (error: unknown) => failures.push(error),
  };
  const keeper = new SnapshotKeeper(options);
  const known = () => readSnapshot(state, 120)?.length;
  keeper.tick(1000);
  expect(known()).toBe(1);
  routes.push(route('10.244.3.0/24'));
  keeper.changed();
  keeper.tick(2999);
  expect(known()).toBe(1);
  keeper.tick(3000);
  expect(known()).toBe(2);
  rewrite({ at: Date.now() - 119_000 });
  keeper.tick(42_999);
  expect(readSnapshot(state, 60)).toBeUndefined();
  keeper.tick(43_001);
  expect(readSnapshot(state, 60)).toEqual(routes);

  routes = [];
  keeper.changed();
  keeper.tick(50_000);
  expect(readdirSync(state)).toEqual([]);
  routes = [route('10.244.2.0/24')];
  seconds = 0;
  keeper.changed();
  keeper.tick(60_000);
  expect(readdirSync(state)).toEqual([]);
  // So many are written down at a stop alone, and what was written before they came is not true any more.
  seconds = 120;
  keeper.changed();
  keeper.tick(70_000);
  expect(known()).toBe(1);
  routes = Array.from({ length: 10_001 }, (_, n) => route(`10.${n >> 8}.${n & 255}.0/24`));
  keeper.changed();
  keeper.tick(80_000);
  expect([readdirSync(state), failures]).toEqual([[], []]);
});

it('says once that it cannot be written, and is when it can', () => {
  const failures: unknown[] = [];
  const folder = join(state, 'gone');
  const options = {
    state: folder,
    learned,
    seconds: () => 120,
    onFailure: (error: unknown) => failures.push(error),
  };
  const keeper = new SnapshotKeeper(options);
  for (const now of [1000, 5000, 9000]) keeper.tick(now);
  expect(failures).toHaveLength(1);
  const better = new SnapshotKeeper({ ...options, state });
  better.tick(1000);
  expect(readSnapshot(state, 120)).toEqual(routes);
});
