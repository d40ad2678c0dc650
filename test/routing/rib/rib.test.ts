/** Routes through the RIBs: in, best, out, and away again. */
import { describe, expect, test } from 'vitest';
import type { Message } from '../../../routing/bgp/codec/message.ts';
import type { RibOptions } from '../../../routing/rib/rib.ts';
import { type Address, formatAddress, ipv4, parseAddress } from '../../../wire/address.ts';
import { formatPrefix, parsePrefix } from '../../../wire/prefix.ts';
import {
  announcing,
  attributesOf,
  CODING,
  Listener,
  newRib,
  path,
  peer,
  takeAll,
  withdrawing,
} from '../../support/rib.ts';

const P = '10.9.0.0/16';
/** Peers 1 to n are up and have had their ends of RIB. */
const established = (n: number, options: Partial<RibOptions> = {}) => {
  const world = newRib(options);
  for (let i = 1; i <= n; i++) {
    world.rib.peerUp(peer(i), 0);
    takeAll(world.rib, `p${i}`);
  }
  return world;
};
const names = (messages: readonly Message[]): string[] =>
  messages.map((message) =>
    message.kind === 'routeRefresh' ? `refresh ${message.refresh.subtype}` : message.kind,
  );

describe('from one peer to another', () => {
  test('what a peer announces and withdraws is nothing to look at for the peer itself', () => {
    const { rib } = established(2);
    rib.receive('p1', announcing([P], attributesOf(1)));
    expect([rib.hasPending('p1'), rib.hasPending('p2')]).toEqual([false, true]);
    takeAll(rib, 'p2');
    rib.receive('p1', withdrawing([P]));
    expect([rib.hasPending('p1'), rib.hasPending('p2')]).toEqual([false, true]);
    takeAll(rib, 'p2');

    // It was told of another's, which its own takes the place of, and which is back.
    rib.receive('p2', announcing([P], attributesOf(2, { asPath: path(64602, 7) })));
    const heard = new Listener();
    heard.hear(takeAll(rib, 'p1'));
    expect(heard.routes.get(P)?.asPath).toEqual(path(64512, 64602, 7));
    rib.receive('p1', announcing([P], attributesOf(1)));
    heard.hear(takeAll(rib, 'p1'));
    expect(heard.routes.size).toBe(0);
    rib.receive('p1', withdrawing([P]));
    heard.hear(takeAll(rib, 'p1'));
    expect(heard.routes.size).toBe(1);
    expect(rib.audit()).toEqual([]);
  });

  test('a route is announced, replaced and withdrawn', () => {
    const { rib, bestOf } = newRib();
    rib.peerUp(peer(1), 0);
    rib.peerUp(peer(2), 0);
    const heard = new Listener();
    rib.receive('p1', announcing([P], attributesOf(1)));
    heard.hear(takeAll(rib, 'p2'));
    expect(bestOf(P)).toEqual(['p1']);
    expect(heard.routes.get(P)).toEqual({
      origin: 0,
      asPath: path(64512, 64601),
      nextHop: peer(2).localAddress,
    });
    expect(heard.endsOfRib).toEqual([4, 6]);
    expect(takeAll(rib, 'p1').length).toBe(2); // The ends of RIB only.

    rib.receive('p1', announcing([P], attributesOf(1, { asPath: path(64601, 7) })));
    heard.hear(takeAll(rib, 'p2'));
    expect(heard.routes.get(P)?.asPath).toEqual(path(64512, 64601, 7));

    rib.receive('p1', withdrawing([P]));
    heard.hear(takeAll(rib, 'p2'));
    expect(heard.routes.size).toBe(0);
    expect(bestOf(P)).toBeUndefined();
    expect(rib.explain(parsePrefix(P))).toEqual([]);
  });

  test('the better of two takes over, and the other one when it is gone', () => {
    const { rib, bestOf } = established(3);
    const heard = new Listener();
    rib.receive('p1', announcing([P], attributesOf(1, { asPath: path(64601, 7, 8) })));
    rib.receive('p2', announcing([P], attributesOf(2)));
    expect(bestOf(P)).toEqual(['p2']);
    heard.hear(takeAll(rib, 'p3'));
    expect(heard.routes.get(P)?.asPath).toEqual(path(64512, 64602));
    rib.peerDown('p2', 0);
    expect(bestOf(P)).toEqual(['p1']);
    heard.hear(takeAll(rib, 'p3'));
    expect(heard.routes.get(P)?.asPath).toEqual(path(64512, 64601, 7, 8));
  });

  test('the same again, and what changes nothing for others, is kept from them', () => {
    const { rib, changes } = established(3);
    rib.receive('p1', announcing([P], attributesOf(1)));
    const heard = new Listener().hear(takeAll(rib, 'p3'));
    expect([heard.said, changes()]).toEqual([1, 1]);
    rib.receive('p1', announcing([P], attributesOf(1)));
    rib.receive('p2', announcing([P], attributesOf(2, { asPath: path(64602, 7) })));
    expect(rib.hasPending('p3')).toBe(false);
    // Another MED from p1: another best route here, nothing new for an external peer.
    rib.receive('p1', announcing([P], attributesOf(1, { med: 5 })));
    expect(takeAll(rib, 'p3')).toEqual([]);
    expect(changes()).toBe(2);
  });

  test('what changes ten times before it is taken is said once; what came and went not at all', () => {
    const { rib } = established(2);
    for (let i = 0; i < 10; i++) {
      rib.receive('p1', announcing([P], attributesOf(1, { asPath: path(64601, i + 1) })));
    }
    rib.receive('p1', announcing(['10.8.0.0/16'], attributesOf(1)));
    rib.receive('p1', withdrawing(['10.8.0.0/16']));
    const heard = new Listener().hear(takeAll(rib, 'p2'));
    expect(heard.said).toBe(1);
    expect(heard.routes.get(P)?.asPath).toEqual(path(64512, 64601, 10));
  });

  test('an error in the attributes withdraws what the message announces (RFC 7606)', () => {
    const { rib, bestOf } = established(1);
    rib.receive('p1', announcing([P], attributesOf(1)));
    rib.receive('p1', { ...announcing([P], attributesOf(1, { med: 1 })), treatAsWithdraw: true });
    expect(bestOf(P)).toBeUndefined();
  });

  test('a withdrawal of what was never announced is nothing', () => {
    const { rib, changes } = established(1);
    rib.receive('p1', withdrawing([P, '2001:db8::/32'], 7));
    expect(changes()).toBe(0);
    expect(rib.audit()).toEqual([]);
  });
});

describe('routes of this node', () => {
  test('are announced, win over shorter paths and go', () => {
    const { rib, bestOf } = established(2);
    const heard = new Listener();
    const own = { origin: 0, asPath: [], nextHop: ipv4(0), communities: [5] } as const;
    rib.receive('p1', announcing([P], attributesOf(1)));
    rib.originate(parsePrefix(P), own);
    expect(bestOf(P)).toEqual([undefined]);
    heard.hear(takeAll(rib, 'p2'));
    expect(heard.routes.get(P)).toEqual({ ...own, asPath: path(64512), nextHop: peer(2).localAddress });
    rib.withdraw(parsePrefix(P));
    rib.withdraw(parsePrefix(P));
    expect(bestOf(P)).toEqual(['p1']);
    expect(rib.audit()).toEqual([]);
  });

  test('the default route is given to whom it was promised, whatever happens to the real one', () => {
    const { rib } = established(1);
    rib.peerUp(
      peer(2, { options: { defaultOriginate: [4] }, export: { terms: [], otherwise: 'reject' } }),
      0,
    );
    const heard = new Listener();
    const own = { origin: 0, asPath: path(64512), nextHop: peer(2).localAddress };
    const expectOwn = () => expect([...heard.hear(takeAll(rib, 'p2')).routes]).toEqual([['0.0.0.0/0', own]]);
    expectOwn();
    rib.receive('p1', announcing(['0.0.0.0/0'], attributesOf(1)));
    expectOwn();
    rib.receive('p1', withdrawing(['0.0.0.0/0']));
    expectOwn();
    rib.setOptions('p2', {});
    expect(heard.hear(takeAll(rib, 'p2')).routes.size).toBe(0);
  });
});

describe('equally good routes', () => {
  test('share traffic up to the limit, a better one has it alone', () => {
    const { rib, bestOf } = established(4, { maxPaths: 2 });
    for (const n of [3, 2, 1]) rib.receive(`p${n}`, announcing([P], attributesOf(n)));
    expect(bestOf(P)).toEqual(['p1', 'p2']);
    expect(rib.explain(parsePrefix(P)).map(({ peer: name, outcome }) => [name, outcome])).toEqual(
      expect.arrayContaining([
        ['p1', { kind: 'best' }],
        ['p2', { kind: 'equal' }],
        ['p3', { kind: 'lost', why: 'lower router ID' }],
      ]),
    );
    rib.receive('p1', withdrawing([P]));
    expect(bestOf(P)).toEqual(['p2', 'p3']);
    rib.receive('p2', announcing([P], attributesOf(2, { asPath: path(64602, 7) })));
    expect(bestOf(P)).toEqual(['p3']);
  });

  test('one of them changing is told, though the best stays', () => {
    const { rib, best, changes } = established(2, { maxPaths: 2 });
    for (const n of [1, 2]) rib.receive(`p${n}`, announcing([P], attributesOf(n)));
    const before = changes();
    const nextHop = parseAddress('10.0.2.77');
    rib.receive('p2', announcing([P], attributesOf(2, { nextHop })));
    expect(changes()).toBe(before + 1);
    expect(best.get(P)?.map(({ attributes }) => formatAddress(attributes.nextHop))).toEqual([
      '10.0.1.1',
      '10.0.2.77',
    ]);
  });
});

describe('next hops', () => {
  test('a route whose next hop does not resolve waits until it does', () => {
    let cost: number | undefined;
    const asked: string[] = [];
    const resolve = (nextHop: Address) => {
      asked.push(formatAddress(nextHop));
      return cost;
    };
    const { rib, bestOf } = established(2, { resolve });
    rib.receive('p1', announcing([P, '10.8.0.0/16'], attributesOf(1)));
    expect(asked).toEqual(['10.0.1.1']); // Once for both.
    expect(bestOf(P)).toBeUndefined();
    expect(rib.explain(parsePrefix(P))[0].outcome).toEqual({ kind: 'lost', why: 'next hop unreachable' });
    cost = 10;
    rib.nextHopsChanged([parseAddress('10.99.0.1')]);
    expect(bestOf(P)).toBeUndefined();
    rib.nextHopsChanged([parseAddress('10.0.1.1')]);
    expect(bestOf(P)).toEqual(['p1']);
    cost = undefined;
    rib.nextHopsChanged();
    expect(bestOf(P)).toBeUndefined();
    expect(takeAll(rib, 'p2')).toEqual([]);
  });

  test('the nearer one is best; link-local ones are not asked for', () => {
    const costs: Record<string, number> = { '10.0.1.1': 5, '10.0.2.1': 4 };
    const { rib, bestOf } = established(3, { resolve: (nextHop) => costs[formatAddress(nextHop)] });
    for (const n of [1, 2]) rib.receive(`p${n}`, announcing([P], attributesOf(n)));
    expect(bestOf(P)).toEqual(['p2']);
    costs['10.0.1.1'] = 3;
    rib.nextHopsChanged();
    expect(bestOf(P)).toEqual(['p1']);
    const linkLocal = parseAddress('fe80::1');
    rib.receive('p3', announcing(['::/0'], attributesOf(3, { nextHop: parseAddress('::') })));
    expect(bestOf('::/0')).toBeUndefined();
    rib.receive(
      'p3',
      announcing(['::/0'], { ...attributesOf(3, { nextHop: parseAddress('::') }), linkLocal }),
    );
    expect(bestOf('::/0')).toEqual(['p3']);
  });
});

describe('maximum prefixes', () => {
  test('a warning once, then the end; what is beyond is not kept', () => {
    const { rib } = newRib();
    rib.peerUp(peer(1, { options: { maxPrefixes: { 4: { limit: 5 } } } }), 0);
    const say = (from: number, to: number) => {
      const prefixes = Array.from({ length: to - from + 1 }, (_, i) => `10.${from + i}.0.0/16`);
      return rib.receive('p1', announcing(prefixes, attributesOf(1)));
    };
    expect(say(1, 3)).toEqual({});
    expect(say(4, 4)).toEqual({ warning: { family: 4, count: 4, limit: 5 } });
    expect(say(5, 5)).toEqual({});
    expect(say(1, 5)).toEqual({}); // Replaced, not more.
    expect(say(5, 8)).toEqual({ exceeded: { family: 4, count: 6, limit: 5 } });
    expect(rib.counts('p1').received).toBe(5);
    expect(rib.audit()).toEqual([]);
  });

  test('with its own threshold, by family, rejected routes count as well', () => {
    const { rib } = newRib();
    const options = { maxPrefixes: { 4: { limit: 3, warnAt: 1 } } };
    rib.peerUp(peer(1, { options, import: { terms: [], otherwise: 'reject' } }), 0);
    expect(rib.receive('p1', announcing([P], attributesOf(1)))).toEqual({
      warning: { family: 4, count: 1, limit: 3 },
    });
    const nextHop = parseAddress('2001:db8::1');
    for (let i = 1; i < 9; i++) {
      expect(rib.receive('p1', announcing([`2001:db8:${i}::/48`], attributesOf(1, { nextHop })))).toEqual({});
    }
    expect(rib.counts('p1')).toEqual({ received: 9, accepted: 0, advertised: 0 });
  });
});

describe('attributes', () => {
  const path = (n: number) =>
    attributesOf(1, { asPath: [{ type: 2, asns: [64601, n, ...Array(250).fill(7)] }] });

  test('are on the account of who brought them, and off it when they are gone', () => {
    const { rib } = newRib();
    rib.peerUp(peer(1, { options: { maxAttributeBytes: 100_000 } }), 0);
    const say = (n: number, prefix = P) => rib.receive('p1', announcing([prefix], path(n)));
    // One in the place of the other, as often as it likes.
    for (let n = 1; n < 1000; n++) expect(say(n)).toEqual({});
    let held = 0;
    while (say(2000 + held, `10.${held}.0.0/16`).exhausted === undefined && held < 255) held++;
    // Each is of 252 AS numbers, and some hundred bytes more.
    expect(held).toBeGreaterThan(60);
    expect(held).toBeLessThan(99);
    expect(say(3000, '10.99.0.0/16')).toEqual({ exhausted: 100_000 });
    // What others have is on nobody's but theirs.
    rib.peerUp(peer(2), 0);
    expect(rib.receive('p2', announcing([P], attributesOf(2)))).toEqual({});
    rib.peerDown('p1', 1);
    rib.peerUp(peer(1, { options: { maxAttributeBytes: 100_000 } }), 2);
    expect(say(1)).toEqual({});
    expect(rib.audit()).toEqual([]);
  });
});

describe('many routes of a peer that is gone', () => {
  const MANY = 20_000;
  const prefixes = Array.from({ length: MANY }, (_, n) => `10.${n >> 8}.${n & 255}.0/24`);

  test('go in portions, whether it is back meanwhile or not', () => {
    const { rib, best } = established(2);
    for (let at = 0; at < MANY; at += 500)
      rib.receive('p1', announcing(prefixes.slice(at, at + 500), attributesOf(1)));
    expect(best.size).toBe(MANY);
    rib.peerDown('p1', 1);
    expect(best.size).toBeGreaterThan(MANY / 2);
    expect(best.size).toBeLessThan(MANY);
    // It is another one as soon as it is back: what it was is no part of it.
    rib.peerUp(peer(1), 2);
    expect(rib.counts('p1').received).toBe(0);
    rib.receive('p1', announcing(prefixes.slice(-3), attributesOf(1, { med: 5 })));
    let turns = 1;
    while (rib.removeLeaving()) turns++;
    expect(turns).toBeGreaterThan(2);
    expect([...best.keys()].sort()).toEqual(prefixes.slice(-3).sort());
    expect(rib.counts('p1')).toMatchObject({ received: 3, accepted: 3 });
    expect([...rib.adjIn('p1', 'before')].map(({ attributes }) => attributes.med)).toEqual([5, 5, 5]);
    expect(rib.audit()).toEqual([]);
    rib.peerDown('p1', 3);
    expect([...rib.adjIn('p1', 'before'), ...rib.adjOut('p1')]).toEqual([]);
    expect(best.size).toBe(0);
  });
});

describe('next hops out of use', () => {
  test('are told of when no route uses them any more', () => {
    const unused: string[] = [];
    const { rib } = newRib({ onUnusedHop: (hop) => void unused.push(formatAddress(hop)) });
    rib.peerUp(peer(1), 0);
    const via = (hop: string) => attributesOf(1, { nextHop: parseAddress(hop) });
    rib.receive('p1', announcing([P, '10.8.0.0/16'], via('10.0.0.77')));
    rib.receive('p1', announcing([P], via('10.0.0.78')));
    expect(unused).toEqual([]);
    rib.receive('p1', announcing(['10.8.0.0/16'], via('10.0.0.78')));
    expect(unused).toEqual(['10.0.0.77']);
    rib.peerDown('p1', 1);
    expect(unused).toEqual(['10.0.0.77', '10.0.0.78']);
  });
});

describe('a policy that changes', () => {
  const only = (prefix: string) =>
    ({
      terms: [{ match: { prefixes: [{ prefix: parsePrefix(prefix) }] }, action: 'accept' }],
      otherwise: 'reject',
    }) as const;

  test('judges again what was received, without the peer', () => {
    const { rib, best } = established(1);
    rib.receive('p1', announcing([P, '10.8.0.0/16'], attributesOf(1)));
    rib.setPolicies('p1', { import: only(P) });
    expect([...best.keys()]).toEqual([P]);
    expect([...rib.adjIn('p1', 'after')].map(({ prefix }) => formatPrefix(prefix))).toEqual([P]);
    expect([...rib.adjIn('p1', 'before')].map(({ rejected }) => rejected)).toEqual([
      undefined,
      'import policy: no term that accepts',
    ]);
    rib.setPolicies('p1', { import: only('10.8.0.0/16') });
    expect([...best.keys()]).toEqual(['10.8.0.0/16']);
    rib.setPolicies('p1', {});
    expect(best.size).toBe(0);
  });

  test('announces and withdraws what it makes another, and nothing else', () => {
    const { rib } = established(2);
    const heard = new Listener();
    rib.receive('p1', announcing([P, '10.8.0.0/16'], attributesOf(1)));
    heard.hear(takeAll(rib, 'p2'));
    heard.said = 0;
    rib.setPolicies('p2', { export: only(P) });
    heard.hear(takeAll(rib, 'p2'));
    expect([...heard.routes.keys(), heard.said]).toEqual([P, 1]);
  });
});

describe('sending again (RFC 2918, 7313)', () => {
  test('everything, between marks where these were agreed', () => {
    const { rib } = newRib();
    rib.peerUp(peer(1), 0);
    rib.peerUp(peer(2, { enhancedRefresh: true }), 0);
    rib.peerUp(peer(3), 0);
    rib.receive('p1', announcing([P], attributesOf(1)));
    expect(names(takeAll(rib, 'p2'))).toEqual(['update', 'update', 'update']);
    takeAll(rib, 'p3');
    rib.resend('p2', 4);
    expect(names(takeAll(rib, 'p2'))).toEqual(['refresh 1', 'update', 'refresh 2']);
    rib.resend('p2', 6);
    expect(names(takeAll(rib, 'p2'))).toEqual(['refresh 1', 'refresh 2']);
    rib.resend('p3', 4);
    const heard = new Listener().hear(takeAll(rib, 'p3'));
    expect([heard.said, heard.endsOfRib]).toEqual([1, []]);
  });

  test('asked for during the first turn: the End-of-RIB still comes, once', () => {
    const { rib } = newRib();
    rib.peerUp(peer(1), 0);
    rib.receive('p1', announcing([P, '10.8.0.0/16', '10.7.0.0/16'], attributesOf(1)));
    rib.peerUp(peer(2, { families: [4] }), 0);
    const heard = new Listener().hear(rib.take('p2', 1));
    rib.resend('p2', 4);
    heard.hear(takeAll(rib, 'p2', 1));
    expect(heard.routes.size).toBe(3);
    expect(heard.endsOfRib).toEqual([4]);
  });
});

describe('a peer that sends again', () => {
  test('what it does not announce between begin and end is gone (RFC 7313 section 4.2)', () => {
    const { rib, best } = established(1);
    rib.receive('p1', announcing([P, '10.8.0.0/16'], attributesOf(1)));
    rib.endRefresh('p1', 4); // Without a begin: nothing.
    rib.beginRefresh('p1', 4, 0);
    rib.receive('p1', announcing([P], attributesOf(1)));
    expect(best.size).toBe(2);
    rib.endRefresh('p1', 4);
    expect([...best.keys()]).toEqual([P]);
    expect(rib.nextDeadline()).toBeUndefined();
  });

  test('an end that never comes is assumed', () => {
    const { rib, best } = established(1);
    rib.receive('p1', announcing([P], attributesOf(1)));
    rib.beginRefresh('p1', 4, 1000);
    const deadline = rib.nextDeadline() ?? 0;
    rib.expire(deadline - 1);
    expect(best.size).toBe(1);
    rib.expire(deadline);
    expect(best.size).toBe(0);
  });
});

describe('ADD-PATH (RFC 7911)', () => {
  const addPath = { 4: true, 6: true };

  test('several routes of one peer to a prefix, each on its own', () => {
    const { rib, best } = established(1, { maxPaths: 8 });
    const say = (id: number, nextHop: string) =>
      rib.receive('p1', announcing([P], attributesOf(1, { nextHop: parseAddress(nextHop) }), id));
    say(1, '10.0.1.1');
    say(2, '10.0.1.2');
    say(2, '10.0.1.3');
    expect(best.get(P)?.map(({ attributes }) => formatAddress(attributes.nextHop))).toEqual([
      '10.0.1.1',
      '10.0.1.3',
    ]);
    rib.receive('p1', withdrawing([P], 1));
    expect(best.get(P)?.length).toBe(1);
    rib.receive('p1', withdrawing([P], 3));
    expect(best.get(P)?.length).toBe(1);
  });

  test('all routes are told, or the best few, each with an identifier that stays', () => {
    for (const maxPathsSent of [undefined, 2]) {
      const { rib } = established(3);
      const options = maxPathsSent === undefined ? {} : { maxPathsSent };
      rib.peerUp(peer(4, { coding: { ...CODING, addPath }, options }), 0);
      const heard = new Listener();
      for (const n of [3, 2, 1]) rib.receive(`p${n}`, announcing([P], attributesOf(n)));
      heard.hear(takeAll(rib, 'p4'));
      expect(heard.routes.size).toBe(maxPathsSent ?? 3);
      const before = new Map(heard.routes);
      rib.receive('p1', withdrawing([P]));
      heard.hear(takeAll(rib, 'p4'));
      expect(heard.routes.size).toBe(2);
      for (const [key, attributes] of heard.routes) {
        if (before.has(key)) expect(attributes).toEqual(before.get(key));
      }
      expect([...rib.adjOut('p4')].length).toBe(2);
    }
  });

  test('several paths whose attributes, the same ones, fit no message: none of them is told', () => {
    const { rib } = established(1);
    rib.peerUp(peer(2, { coding: { ...CODING, addPath } }), 0);
    const communities = Array.from({ length: 1100 }, (_, i) => i);
    for (const id of [1, 2, 3]) {
      rib.receive('p1', announcing([P], attributesOf(1, id < 3 ? { communities } : {}), id));
    }
    const heard = new Listener().hear(takeAll(rib, 'p2'));
    expect([...heard.routes.values()].map((one) => one.communities)).toEqual([undefined]);
    expect(rib.counts('p2').advertised).toBe(1);
    expect(rib.audit()).toEqual([]);
  });
});

test('attributes that fit no message to a peer: it is told that there is no route (RFC 8654 section 5)', () => {
  const { rib } = established(2);
  const heard = new Listener();
  rib.receive('p1', announcing([P], attributesOf(1)));
  heard.hear(takeAll(rib, 'p2'));
  expect(heard.routes.size).toBe(1);
  const communities = Array.from({ length: 1100 }, (_, i) => i);
  rib.receive('p1', announcing([P], attributesOf(1, { communities })));
  heard.hear(takeAll(rib, 'p2'));
  expect(heard.routes.size).toBe(0);
  expect(rib.counts('p2').advertised).toBe(0);
  expect(rib.audit()).toEqual([]);
});

test('what comes behind attributes that fit no message is told, under whatever number these had', () => {
  const { rib } = established(2);
  takeAll(rib, 'p2');
  const communities = Array.from({ length: 1100 }, (_, i) => i);
  rib.receive('p1', announcing(['10.1.0.0/16'], attributesOf(1, { communities })));
  rib.receive('p1', announcing(['10.2.0.0/16'], attributesOf(1, { med: 2 })));
  rib.receive('p1', announcing(['10.3.0.0/16'], attributesOf(1, { communities: [7] })));
  const heard = new Listener().hear(takeAll(rib, 'p2'));
  expect([...heard.routes].map(([prefix, { communities: said }]) => [prefix, said])).toEqual([
    ['10.2.0.0/16', undefined],
    ['10.3.0.0/16', [7]],
  ]);
  expect(rib.audit()).toEqual([]);
});

test('while this node restarts routes are gathered only; then everything is decided and told, and the ends of RIB', () => {
  const { rib, best } = newRib();
  rib.deferSelection();
  for (const n of [1, 2]) rib.peerUp(peer(n), 0);
  rib.receive('p1', announcing([P], attributesOf(1)));
  rib.receive('p1', announcing(['10.8.0.0/16'], attributesOf(1)));
  rib.receive('p1', withdrawing(['10.8.0.0/16']));
  expect(best.size).toBe(0);
  expect([rib.hasPending('p2'), rib.take('p2', 1000)]).toEqual([false, []]);
  rib.startSelection();
  expect([...best.keys()]).toEqual([P]);
  const heard = new Listener().hear(takeAll(rib, 'p2'));
  expect([[...heard.routes.keys()], heard.endsOfRib]).toEqual([[P], [4, 6]]);
});

test('who has something to be told is named when that begins', () => {
  const pending: string[] = [];
  const { rib } = newRib({ onPending: (name) => pending.push(name) });
  rib.peerUp(peer(1), 0);
  rib.peerUp(peer(2), 0);
  takeAll(rib, 'p1');
  takeAll(rib, 'p2');
  pending.length = 0;
  rib.receive('p1', announcing([P, '10.8.0.0/16'], attributesOf(1)));
  rib.receive('p1', withdrawing([P]));
  expect(pending).toEqual(['p2']);
});

test('a name that is not up, or is up twice, is refused in words', () => {
  const { rib } = established(1);
  expect(() => rib.peerUp(peer(1), 0)).toThrow('peer p1 is up already');
  expect(() => rib.counts('p7')).toThrow('no peer p7 is up');
});
