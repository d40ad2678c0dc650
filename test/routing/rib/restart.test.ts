/** Peers that restart: what is kept of them, how long, and what becomes of it (RFC 4724 section 4.2, RFC 9494). */
import { describe, expect, test } from 'vitest';
import { parsePrefix } from '../../../wire/prefix.ts';
import { announcing, attributesOf, Listener, newRib, path, peer, takeAll } from '../../support/rib.ts';

const P = '10.9.0.0/16';
const Q = '10.8.0.0/16';
const SECOND = 1000;

/** p1 announced both; p2 listens, and knows long-lived stale routes when asked to. */
const world = (longLived = false) => {
  const made = newRib();
  const { rib } = made;
  rib.peerUp(peer(1), 0);
  rib.peerUp(peer(2, { longLived }), 0);
  rib.receive('p1', announcing([P, Q], attributesOf(1)));
  const heard = new Listener().hear(takeAll(rib, 'p2'));
  return { ...made, heard };
};
const retain = { families: [4], staleSeconds: 120 } as const;

describe('graceful restart', () => {
  test('routes stay best while the peer is away, and unmarked to others', () => {
    const { rib, best, heard } = world();
    rib.peerDown('p1', 0, retain);
    expect(best.size).toBe(2);
    expect([...rib.adjIn('p1', 'before')].map(({ staleness }) => staleness)).toEqual(['stale', 'stale']);
    expect(heard.hear(takeAll(rib, 'p2')).routes.size).toBe(2);
    expect(rib.nextDeadline()).toBe(120 * SECOND);
  });

  test('back: what is announced again is fresh, the rest goes with the End-of-RIB', () => {
    const { rib, best, heard, changes } = world();
    rib.peerDown('p1', 0, retain);
    rib.peerUp(peer(1), 60 * SECOND, [4]);
    const before = changes();
    rib.receive('p1', announcing([P], attributesOf(1)));
    expect(changes()).toBe(before); // The same as before: nothing moves.
    expect(rib.explain(parsePrefix(P))[0].staleness).toBe('fresh');
    rib.endOfRib('p1', 4);
    expect([...best.keys()]).toEqual([P]);
    expect([...heard.hear(takeAll(rib, 'p2')).routes.keys()]).toEqual([P]);
    expect(rib.nextDeadline()).toBeUndefined();
  });

  test('not back in time: gone', () => {
    const { rib, best } = world();
    rib.peerDown('p1', 0, retain);
    rib.expire(120 * SECOND - 1);
    expect(best.size).toBe(2);
    rib.expire(120 * SECOND);
    expect(best.size).toBe(0);
    expect(() => rib.counts('p1')).toThrow('no peer p1');
    rib.peerUp(peer(1), 121 * SECOND);
    expect(rib.audit()).toEqual([]);
  });

  test('back without an End-of-RIB: that has its time as well', () => {
    const { rib, best } = world();
    rib.peerDown('p1', 0, retain);
    rib.peerUp(peer(1), 100 * SECOND, [4]);
    rib.expire(120 * SECOND);
    expect(best.size).toBe(2);
    rib.expire(460 * SECOND);
    expect(best.size).toBe(0);
  });

  test('back without its forwarding state, or with another family: gone at once', () => {
    for (const kept of [[], [6]] as const) {
      const { rib, best } = world();
      rib.peerDown('p1', 0, retain);
      rib.peerUp(peer(1), SECOND, kept);
      expect(best.size).toBe(0);
      expect(rib.nextDeadline()).toBeUndefined();
    }
  });

  test('families that it did not speak of go at once', () => {
    const { rib, best } = world();
    rib.peerDown('p1', 0, { families: [6], staleSeconds: 120 });
    expect(best.size).toBe(0);
  });

  test('away again before the End-of-RIB: what is still stale from the first time goes', () => {
    const { rib, best } = world();
    rib.peerDown('p1', 0, retain);
    rib.peerUp(peer(1), SECOND, [4]);
    rib.receive('p1', announcing([Q], attributesOf(1)));
    rib.peerDown('p1', 2 * SECOND, retain);
    expect([...best.keys()]).toEqual([Q]);
  });

  test('back as something else: decided and told anew', () => {
    const { rib, best, heard } = world();
    rib.peerDown('p1', 0, retain);
    rib.peerUp(peer(1, { source: 'internal', client: true }), SECOND, [4]);
    expect(best.get(P)?.[0].source).toBe('internal');
    const seen = heard.hear(takeAll(rib, 'p2')).routes.get(P);
    expect(seen?.asPath).toEqual(path(64512, 64601));
    expect(rib.audit()).toEqual([]);
  });

  test('back as another to its fellow clients: reflected under its new router ID', () => {
    const { rib } = newRib();
    const inside = { source: 'internal', client: true } as const;
    rib.peerUp(peer(1, inside), 0);
    rib.peerUp(peer(2, inside), 0);
    rib.receive('p1', announcing([P], attributesOf(1, { asPath: [] })));
    const heard = new Listener().hear(takeAll(rib, 'p2'));
    expect(heard.routes.get(P)?.originatorId).toEqual(peer(1).routerId);
    rib.peerDown('p1', 0, retain);
    const { routerId } = peer(77);
    rib.peerUp(peer(1, { ...inside, routerId }), SECOND, [4]);
    expect(heard.hear(takeAll(rib, 'p2')).routes.get(P)?.originatorId).toEqual(routerId);
  });
});

describe('long-lived graceful restart', () => {
  const long = { ...retain, longLivedSeconds: { 4: 3600 } };

  test('after the restart time routes are marked, a last choice, and told only to who knows', () => {
    for (const longLived of [false, true]) {
      const { rib, best, heard } = world(longLived);
      rib.peerDown('p1', 0, long);
      rib.expire(120 * SECOND);
      expect(best.get(P)?.[0]).toMatchObject({
        staleness: 'longLivedStale',
        attributes: { communities: [0xffff0006] },
      });
      heard.hear(takeAll(rib, 'p2'));
      expect(heard.routes.size).toBe(longLived ? 2 : 0);
      // Anything else is better.
      rib.peerUp(peer(3), 120 * SECOND);
      rib.receive('p3', announcing([P], attributesOf(3, { asPath: path(64603, 7, 8, 9) })));
      expect(best.get(P)?.[0].peer).toBe('p3');
    }
  });

  test('until their time is over', () => {
    const { rib, best } = world();
    rib.peerDown('p1', 0, long);
    rib.expire(120 * SECOND);
    expect(rib.nextDeadline()).toBe(3720 * SECOND);
    rib.expire(3720 * SECOND - 1);
    expect(best.size).toBe(2);
    rib.expire(3720 * SECOND);
    expect(best.size).toBe(0);
    expect(rib.audit()).toEqual([]);
  });

  test('back: the same announcement makes a route fresh and unmarked; the End-of-RIB ends the rest', () => {
    const { rib, best } = world();
    rib.peerDown('p1', 0, long);
    rib.expire(120 * SECOND);
    rib.peerUp(peer(1), 200 * SECOND, [4]);
    rib.receive('p1', announcing([P], attributesOf(1)));
    expect(best.get(P)?.[0].staleness).toBe('fresh');
    expect(best.get(P)?.[0].attributes).not.toHaveProperty('communities');
    expect(best.get(Q)?.[0].staleness).toBe('longLivedStale');
    rib.endOfRib('p1', 4);
    expect([...best.keys()]).toEqual([P]);
  });

  test('NO_LLGR forbids it', () => {
    const { rib, best } = world();
    rib.receive('p1', announcing([P], attributesOf(1, { communities: [0xffff0007] })));
    rib.peerDown('p1', 0, long);
    rib.expire(120 * SECOND);
    expect([...best.keys()]).toEqual([Q]);
  });

  test('without a restart time they are marked at once', () => {
    const { rib, best } = world();
    rib.peerDown('p1', 5 * SECOND, { ...long, staleSeconds: 0 });
    expect(best.get(P)?.[0].staleness).toBe('longLivedStale');
    expect(rib.nextDeadline()).toBe(3605 * SECOND);
  });
});
