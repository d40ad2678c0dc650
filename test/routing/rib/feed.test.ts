/** Who follows an Adj-RIB-In knows at the end what is in it, whatever happened in between and however slowly he read. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AdjRibInFeed, FeedView } from '../../../routing/rib/adj-rib-in-feed.ts';
import type { Rib } from '../../../routing/rib/rib.ts';
import { formatPrefix } from '../../../wire/prefix.ts';
import { announcing, attributesOf, CODING, Listener, newRib, peer, withdrawing } from '../../support/rib.ts';
import { history } from '../../support/rib-history.ts';
import { World } from '../../support/rib-model.ts';

const VIEWS: readonly FeedView[] = ['received', 'accepted'];

class Follower {
  readonly heard = { received: new Listener(), accepted: new Listener() };
  feeds: AdjRibInFeed[];
  asked = 0;
  readonly #rib: Rib;
  readonly #name: string;

  constructor(rib: Rib, name: string) {
    this.#rib = rib;
    this.#name = name;
    // Number 1 sends path identifiers.
    const addPath = { 4: name === 'p1', 6: name === 'p1' };
    const coding = { ...CODING, internal: true, addPath };
    this.feeds = rib.follow(name, VIEWS, { coding, onPending: () => void this.asked++ });
  }

  read(maxBytes: number): void {
    for (const feed of this.feeds) {
      if (!feed.hasPending) continue;
      this.heard[feed.view].hear(feed.take(maxBytes).map((update) => ({ kind: 'update', update })));
    }
  }

  readAll(): void {
    while (this.feeds.some(({ hasPending }) => hasPending)) this.read(1 << 16);
  }

  check(): void {
    this.readAll();
    for (const [view, when] of [
      ['received', 'before'],
      ['accepted', 'after'],
    ] as const) {
      const there = [...this.#rib.adjIn(this.#name, when)].map(
        ({ prefix, pathId, attributes }) =>
          [pathId === 0 ? formatPrefix(prefix) : `${formatPrefix(prefix)}#${pathId}`, attributes] as const,
      );
      expect(new Map(this.heard[view].routes)).toEqual(new Map(there));
      expect([...this.heard[view].endsOfRib].sort()).toEqual([4, 6]);
    }
  }
}

test('whatever happens', () => {
  fc.assert(
    fc.property(history, (events) => {
      const world = new World(1);
      const { rib } = world.under;
      const followers = new Map<number, Follower>();
      for (const event of events) {
        world.apply(event);
        for (const [n, { peer: one, isUp }] of world.sessions) {
          if (!isUp) followers.delete(n);
          else if (!followers.has(n)) followers.set(n, new Follower(rib, one.name));
        }
        if (event.kind === 'read') for (const one of followers.values()) one.read(event.maxBytes);
      }
      for (const one of followers.values()) one.check();
      expect(rib.audit()).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('of what policy does not let pass nothing is told after policy', () => {
  const { rib } = newRib();
  rib.peerUp(peer(1, { import: { terms: [], otherwise: 'reject' } }), 0);
  const follower = new Follower(rib, 'p1');
  follower.readAll();
  rib.receive('p1', announcing(['10.1.0.0/16'], attributesOf(1)));
  rib.receive('p1', withdrawing(['10.1.0.0/16']));
  rib.receive('p1', announcing(['10.2.0.0/16'], attributesOf(1)));
  follower.check();
  expect(follower.heard.accepted.said).toBe(0);
  expect(follower.asked).toBeGreaterThan(0);
});

test('a change costs a message, and many of one route cost one', () => {
  const { rib } = newRib();
  rib.peerUp(peer(1), 0);
  const prefixes = Array.from({ length: 3000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
  rib.receive('p1', announcing(prefixes, attributesOf(1)));
  const [feed] = rib.follow('p1', ['received'], { coding: CODING, onPending: () => {} });
  const sizes: number[] = [];
  const take = () => {
    const listener = new Listener().hear(feed.take(4096).map((update) => ({ kind: 'update', update })));
    sizes.push(listener.said);
    return listener;
  };
  let ends = 0;
  while (feed.hasPending) ends += take().endsOfRib.length;
  // Not all at once, and each of them once.
  expect(sizes.length).toBeGreaterThan(2);
  expect(sizes.reduce((sum, one) => sum + one, 0)).toBe(3000);
  expect(ends).toBe(1);
  for (let med = 0; med < 10; med++) rib.receive('p1', announcing(['10.1.1.0/24'], attributesOf(1, { med })));
  expect(take().routes).toEqual(new Map([['10.1.1.0/24', attributesOf(1, { med: 9 })]]));
  rib.receive('p1', withdrawing(['10.1.1.0/24', '10.1.2.0/24']));
  rib.receive('p1', announcing(['10.1.2.0/24'], attributesOf(1)));
  expect(take().said).toBe(2);
  expect(feed.hasPending).toBe(false);
  rib.unfollow('p1', [feed]);
  rib.receive('p1', withdrawing(['10.1.3.0/24']));
  expect(feed.hasPending).toBe(false);
  expect(rib.audit()).toEqual([]);
});
