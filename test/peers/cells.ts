/**
 * The rows of the matrix: what is tried with every peer that has it. Each looks at both ends, since a route that one
 * speaker has sent and the other has not understood looks fine from here.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { BfdView } from '../../routing/bfd/bfd.ts';
import { Monitor } from '../../routing/bfd/monitor.ts';
import { formatAddress, parseAddress } from '../../wire/address.ts';
import { eventually, type SessionConfig } from './daemon.ts';
import { address } from './network.ts';
import type { Route } from './route.ts';
import {
  daemonHas,
  established,
  PEER_ASN,
  prefixes,
  type Scenario,
  session,
  WEFT_ASN,
  weftHas,
} from './scenario.ts';
import type { Weft } from './weft.ts';

export interface Cell {
  readonly title: string;
  run(scenario: Scenario): Promise<void>;
}

const THEIRS = { 4: '10.1.0.0/24', 6: 'fd01:1::/64' } as const;
const OURS = { 4: '10.2.0.0/24', 6: 'fd02:1::/64' } as const;
const AS_TRANS = 23456;
const CLUSTER = '10.77.7.7';

/** One session that stands, with a route of each side. */
const pair = async (scenario: Scenario, one: SessionConfig = session(1)): Promise<Weft> => {
  await scenario.start([one], { routes: prefixes(THEIRS[4]) });
  const weft = scenario.weft({ peers: [scenario.end(one)] });
  weft.announce(prefixes(OURS[4]));
  await established(weft, scenario.daemon, one);
  await exchanged(scenario, weft, one);
  return weft;
};

const exchanged = async ({ daemon }: Scenario, weft: Weft, one: SessionConfig): Promise<void> => {
  await weftHas(weft, one.name, THEIRS[4], [{ asPath: [one.localAsn ?? PEER_ASN] }]);
  await daemonHas(daemon, one, OURS[4], [{ asPath: [one.remoteAsn] }]);
};

const byPath = (routes: readonly Route[]): Route[] =>
  [...routes].sort((a, b) => a.asPath.join().localeCompare(b.asPath.join()));

/** A session over a family with its routes, both ways, with all that every route has. */
const family = (of: 4 | 6) => async (scenario: Scenario) => {
  const one = session(1, { family: of });
  await scenario.start([one], { routes: [{ prefix: THEIRS[of], med: 50 }] });
  const weft = scenario.weft({ listen: address(1, of), peers: [scenario.end(one)] });
  weft.announce([{ prefix: OURS[of], med: 60 }]);
  await established(weft, scenario.daemon, one);
  await weftHas(weft, one.name, THEIRS[of], [
    { asPath: [PEER_ASN], nextHop: address(11, of), origin: 'igp', med: 50 },
  ]);
  await daemonHas(scenario.daemon, one, OURS[of], [
    { asPath: [WEFT_ASN], nextHop: address(1, of), origin: 'igp', med: 60 },
  ]);
  await eventually(() => expect(weft.best.get(THEIRS[of])).toHaveLength(1));
};

/** IPv6 routes in a session over IPv4. */
const mixed = async (scenario: Scenario) => {
  const one = session(1, { families: [4, 6] });
  await scenario.start([one], { routes: prefixes(THEIRS[4], THEIRS[6]) });
  const weft = scenario.weft({ peers: [scenario.end(one)] });
  weft.announce(prefixes(OURS[4], OURS[6]));
  await established(weft, scenario.daemon, one);
  // Which of its addresses it gives in the other family is its own affair.
  const nextHops = { 4: /^10\.77\.0\.11$/, 6: scenario.traits.knowsOwnIpv6 ? /^fd77::1[12]$/ : /^::1$/ };
  for (const of of [4, 6] as const) {
    await weftHas(weft, one.name, THEIRS[of], [
      { asPath: [PEER_ASN], nextHop: expect.stringMatching(nextHops[of]) },
    ]);
    await daemonHas(scenario.daemon, one, OURS[of], [{ asPath: [WEFT_ASN], nextHop: address(1, of) }]);
  }
};

const fourOctet = async (scenario: Scenario) => {
  const one = session(1);
  const weft = await pair(scenario, one);
  expect(weft.peer(one.name)).toMatchObject({ asn: PEER_ASN, agreed: { asBytes: 4 } });
};

/** A speaker from before RFC 6793 is shown a 2-octet AS; our own stands behind it in AS4_PATH, as AS_TRANS in AS_PATH. */
const twoOctet = async (scenario: Scenario) => {
  const [theirs, shown] = [65001, 65010];
  const one = session(1, { twoOctet: true, localAsn: theirs, remoteAsn: shown });
  await scenario.start([one], { routes: prefixes(THEIRS[4]) });
  const weft = scenario.weft({ peers: [scenario.end(one, { localAsn: shown })] });
  weft.announce(prefixes(OURS[4]));
  await established(weft, scenario.daemon, one);
  expect(weft.peer(one.name)).toMatchObject({ asn: theirs, agreed: { asBytes: 2 } });
  const { mergesAs4Path } = scenario.traits;
  await daemonHas(scenario.daemon, one, OURS[4], [{ asPath: [shown, mergesAs4Path ? WEFT_ASN : AS_TRANS] }]);
  await eventually(() => expect(weft.received(one.name, THEIRS[4])[0]?.asPath[0]).toBe(theirs));
};

const communities =
  (kind: 'communities' | 'extended' | 'large', theirs: readonly string[], ours: readonly string[]) =>
  async (scenario: Scenario) => {
    const one = session(1);
    await scenario.start([one], { routes: [{ prefix: THEIRS[4], [kind]: theirs }] });
    const weft = scenario.weft({ peers: [scenario.end(one)] });
    weft.announce([{ prefix: OURS[4], [kind]: ours }]);
    await established(weft, scenario.daemon, one);
    await weftHas(weft, one.name, THEIRS[4], [{ [kind]: theirs }]);
    await daemonHas(scenario.daemon, one, OURS[4], [{ [kind]: ours }]);
  };

const md5 = async (scenario: Scenario) => {
  const one = session(1, { password: 'a-secret-of-both' });
  await scenario.start([one], { routes: prefixes(THEIRS[4]) });
  const wrong = scenario.weft({ peers: [scenario.end(one, { password: 'another' })] });
  await eventually(() => expect(wrong.peer(one.name).lastError?.text).toContain('MD5'));
  expect(wrong.peer(one.name).sessions).toBe(0);
  scenario.leave(wrong);
  const weft = scenario.weft({ peers: [scenario.end(one)] });
  weft.announce(prefixes(OURS[4]));
  await established(weft, scenario.daemon, one);
  await exchanged(scenario, weft, one);
};

/** Segments that came from too far away, in the namespace that this thread is in. */
const droppedForTtl = (): number => {
  const lines = readFileSync('/proc/thread-self/net/netstat', 'utf8').split('\n');
  const [names, values] = lines.filter((line) => line.startsWith('TcpExt:')).map((line) => line.split(' '));
  return Number(values[names.indexOf('TCPMinTTLDrop')]);
};

/** From a peer that does not send with a TTL of 255 nothing is taken; then it does. */
const gtsm = async (scenario: Scenario) => {
  const one = session(1, { ttlSecurity: true });
  await scenario.start([{ ...one, ttlSecurity: false }], { routes: prefixes(THEIRS[4]) });
  const dropped = droppedForTtl();
  const deaf = scenario.weft({ peers: [scenario.end(one)] });
  await eventually(() => expect(droppedForTtl()).toBeGreaterThan(dropped));
  expect(deaf.peer(one.name).sessions).toBe(0);
  scenario.leave(deaf);
  await scenario.daemon.stop();
  await scenario.again().start(scenario.config([one], { routes: prefixes(THEIRS[4]) }));
  const weft = scenario.weft({ peers: [scenario.end(one)] });
  weft.announce(prefixes(OURS[4]));
  await established(weft, scenario.daemon, one);
  await exchanged(scenario, weft, one);
};

/** The peer dies and comes back with less: what it had is kept until it has told all. */
const peerRestarts = async (scenario: Scenario) => {
  const one = session(1, { gracefulRestart: true });
  const [stays, goes] = ['10.1.0.0/24', '10.1.1.0/24'];
  await scenario.start([one], { routes: prefixes(stays, goes) });
  const weft = scenario.weft({ peers: [scenario.end(one)] });
  weft.announce(prefixes(OURS[4]));
  await established(weft, scenario.daemon, one);
  expect(weft.peer(one.name).agreed?.gracefulRestart).toEqual([4]);
  for (const prefix of [stays, goes]) await weftHas(weft, one.name, prefix, [{ asPath: [PEER_ASN] }]);
  await eventually(() => expect([...weft.best.keys()].sort()).toEqual([stays, goes]));
  const events = weft.events.length;
  await scenario.daemon.kill();
  await eventually(() => expect(weft.events.slice(events)).toEqual([`down ${one.name}`]));
  for (const prefix of [stays, goes]) expect(weft.staleness(one.name, prefix)).toEqual(['stale']);
  expect([...weft.best.keys()].sort()).toEqual([stays, goes]);
  await scenario.again().start(scenario.config([one], { routes: prefixes(stays) }), true);
  await established(weft, scenario.daemon, one);
  await eventually(() => expect(weft.staleness(one.name, goes)).toEqual([]));
  expect(weft.staleness(one.name, stays)).toEqual(['fresh']);
  await eventually(() => expect([...weft.best.keys()]).toEqual([stays]));
  await daemonHas(scenario.daemon, one, OURS[4], [{ asPath: [WEFT_ASN] }]);
};

/** Weft goes for a restart: the peer keeps its routes until Weft has told all again. */
const weftRestarts = async (scenario: Scenario) => {
  const one = session(1, { gracefulRestart: true });
  const [stays, goes] = ['10.2.0.0/24', '10.2.1.0/24'];
  await scenario.start([one], { routes: prefixes(THEIRS[4]) });
  const before = scenario.weft({ peers: [scenario.end(one)] });
  before.announce(prefixes(stays, goes));
  await established(before, scenario.daemon, one);
  for (const prefix of [stays, goes]) {
    await daemonHas(scenario.daemon, one, prefix, [{ asPath: [WEFT_ASN] }]);
  }
  scenario.leave(before, true);
  await eventually(async () => expect((await scenario.daemon.status(one)).established).toBe(false));
  for (const prefix of [stays, goes]) {
    expect(await scenario.daemon.received(one, prefix)).toMatchObject([{ asPath: [WEFT_ASN] }]);
  }
  const weft = scenario.weft({ peers: [scenario.end(one)], restarting: true });
  weft.announce(prefixes(stays));
  await established(weft, scenario.daemon, one);
  await daemonHas(scenario.daemon, one, goes, []);
  await daemonHas(scenario.daemon, one, stays, [{ asPath: [WEFT_ASN] }]);
  await weftHas(weft, one.name, THEIRS[4], [{ asPath: [PEER_ASN] }]);
};

/**
 * Two of Weft's speakers announce a prefix to the daemon and to a third, which has all paths from the daemon and sends
 * it all of its own.
 */
const addPath = async (scenario: Scenario) => {
  const feeders = [1, 2].map((n) => ({ n, asn: WEFT_ASN + n }));
  const third = session(3, { addPath: true, remoteAsn: WEFT_ASN + 3 });
  const plain = feeders.map(({ n, asn }) => session(n, { remoteAsn: asn }));
  await scenario.start([...plain, third]);
  const between = feeders.map(({ n, asn }): SessionConfig => {
    const ends = { local: address(3), remote: address(n), localAsn: third.remoteAsn, remoteAsn: asn };
    return { name: `w${n}`, families: [4], ...ends };
  });
  feeders.forEach(({ n, asn }, i) => {
    const peers = [scenario.end(plain[i]), scenario.end(between[i])];
    scenario.weft({ asn, address: address(n), peers }).announce(prefixes(OURS[4]));
  });
  const back = between.map((one) =>
    scenario.end({ ...one, local: one.remote, remote: one.local, localAsn: one.remoteAsn }),
  );
  const peers = [scenario.end(third), ...back];
  const weft = scenario.weft({ asn: third.remoteAsn, address: address(3), peers });
  await established(weft, scenario.daemon, third);
  expect(weft.peer(third.name).agreed?.addPath).toEqual({ send: [4], receive: [4] });
  await eventually(() => {
    const routes = byPath(weft.accepted(third.name, OURS[4]));
    expect(routes).toMatchObject(feeders.map(({ asn }) => ({ asPath: [PEER_ASN, asn] })));
    expect(new Set(routes.map(({ pathId }) => pathId)).size).toBe(2);
  });
  await eventually(async () => {
    const routes = byPath(await scenario.daemon.received(third, OURS[4]));
    expect(routes).toMatchObject(feeders.map(({ asn }) => ({ asPath: [third.remoteAsn, asn] })));
  });
};

/** Two clients of the daemon: what one announces the other gets from it, with who made it and by whom it came. */
const reflectedByPeer = async (scenario: Scenario) => {
  const [from, to] = [1, 2].map((n) => session(n, { client: true, remoteAsn: PEER_ASN }));
  await scenario.start([from, to], { clusterId: CLUSTER });
  const [a, b] = [from, to].map((one) =>
    scenario.weft({ asn: PEER_ASN, address: one.remote, peers: [scenario.end(one)] }),
  );
  a.announce(prefixes(OURS[4]));
  await established(a, scenario.daemon, from);
  await established(b, scenario.daemon, to);
  const reflected = { asPath: [], nextHop: address(1), localPref: 100 };
  await weftHas(b, to.name, OURS[4], [{ ...reflected, originatorId: address(1), clusterList: [CLUSTER] }]);
  await eventually(() => expect(b.best.get(OURS[4])).toHaveLength(1));
  await daemonHas(scenario.daemon, from, OURS[4], [{ asPath: [], nextHop: address(1) }]);
};

/** The daemon and one of Weft's speakers as clients of another of Weft's. */
const reflectedByWeft = async (scenario: Scenario) => {
  const one = session(1, { remoteAsn: PEER_ASN });
  await scenario.start([one], { routes: prefixes(THEIRS[4]) });
  const inner = {
    name: 'w2',
    local: address(1),
    remote: address(2),
    remoteAsn: PEER_ASN,
    families: [4],
  } as const;
  const towards = { ...inner, local: inner.remote, remote: inner.local };
  const reflector = scenario.weft({
    asn: PEER_ASN,
    clusterId: CLUSTER,
    peers: [scenario.end(one, { client: true }), scenario.end(towards, { client: true })],
  });
  const client = scenario.weft({ asn: PEER_ASN, address: address(2), peers: [scenario.end(inner)] });
  client.announce(prefixes(OURS[4]));
  await established(reflector, scenario.daemon, one);
  await weftHas(client, inner.name, THEIRS[4], [
    { asPath: [], nextHop: address(11), originatorId: address(11), clusterList: [CLUSTER] },
  ]);
  await daemonHas(scenario.daemon, one, OURS[4], [
    { asPath: [], nextHop: address(2), originatorId: address(2), clusterList: [CLUSTER] },
  ]);
};

/** Two of Weft's speakers are equally good for the daemon. */
const sharedByPeer = async (scenario: Scenario) => {
  const both = [1, 2].map((n) => session(n));
  await scenario.start(both, { maxPaths: 4 });
  for (const one of both) {
    const weft = scenario.weft({ address: one.remote, peers: [scenario.end(one)] });
    weft.announce(prefixes(OURS[4]));
    await established(weft, scenario.daemon, one);
  }
  const wanted = [address(1), address(2)];
  await eventually(async () => expect((await scenario.daemon.sharedBy(OURS[4])).sort()).toEqual(wanted));
};

/** Two addresses of the daemon are equally good for Weft. */
const sharedByWeft = async (scenario: Scenario) => {
  const both = [session(1), session(2, { local: address(12) })];
  await scenario.start(both, { routes: prefixes(THEIRS[4]) });
  const peers = both.map((one) => scenario.end(one));
  const weft = scenario.weft({ listen: '0.0.0.0', maxPaths: 4, peers });
  for (const one of both) await established(weft, scenario.daemon, one);
  const wanted = [address(11), address(12)];
  const shared = () => (weft.best.get(THEIRS[4]) ?? []).map(({ nextHop }) => formatAddress(nextHop)).sort();
  await eventually(() => expect(shared()).toEqual(wanted));
};

const extendedNextHop = async (scenario: Scenario) => {
  const one = session(1, { family: 6, families: [4, 6], extendedNextHop: true });
  await scenario.start([one], { routes: prefixes(THEIRS[4], THEIRS[6]) });
  const weft = scenario.weft({ listen: address(1, 6), peers: [scenario.end(one)] });
  weft.announce(prefixes(OURS[4], OURS[6]));
  await established(weft, scenario.daemon, one);
  expect(weft.peer(one.name).agreed?.extendedNextHop).toBe(true);
  for (const of of [4, 6] as const) {
    await weftHas(weft, one.name, THEIRS[of], [{ asPath: [PEER_ASN], nextHop: address(11, 6) }]);
    await daemonHas(scenario.daemon, one, OURS[of], [{ asPath: [WEFT_ASN], nextHop: address(1, 6) }]);
  }
};

/** RFC 9234: what a provider tells its customer is marked as for customers only. */
const role = async (scenario: Scenario) => {
  const one = session(1, { role: 'customer' });
  const weft = await pair(scenario, one);
  expect(weft.peer(one.name).agreed?.role).toBe('provider');
  await daemonHas(scenario.daemon, one, OURS[4], [{ onlyToCustomer: WEFT_ASN }]);
};

/** RFC 8654: routes that fill more than 4,096 bytes go in one message. */
const extendedMessages = async (scenario: Scenario) => {
  const one = session(1);
  const weft = await pair(scenario, one);
  expect(weft.peer(one.name).agreed?.extendedMessages).toBe(true);
  const all = Array.from({ length: 4000 }, (_, i) => `10.${64 + (i >> 8)}.${i & 0xff}.0/24`);
  const before = weft.peer(one.name);
  weft.announce(prefixes(...all));
  for (const prefix of [all[0], all[all.length - 1]]) {
    await daemonHas(scenario.daemon, one, prefix, [{ asPath: [WEFT_ASN] }]);
  }
  const after = weft.peer(one.name);
  const messages = after.messages.sent.update - before.messages.sent.update;
  expect((after.bytes.sent - before.bytes.sent) / messages).toBeGreaterThan(4096);
};

const withdrawal = async (scenario: Scenario) => {
  const one = session(1);
  const weft = await pair(scenario, one);
  const [theirs, ours] = ['10.1.9.0/24', '10.2.9.0/24'];
  await scenario.daemon.announce(prefixes(theirs));
  weft.announce(prefixes(ours));
  await weftHas(weft, one.name, theirs, [{ asPath: [PEER_ASN] }]);
  await weftHas(weft, one.name, THEIRS[4], []);
  await eventually(() => expect([...weft.best.keys()]).toEqual([theirs]));
  await daemonHas(scenario.daemon, one, ours, [{ asPath: [WEFT_ASN] }]);
  await daemonHas(scenario.daemon, one, OURS[4], []);
};

const sessionRestart = async (scenario: Scenario) => {
  const one = session(1);
  const weft = await pair(scenario, one);
  const again = async (end: () => unknown) => {
    const { length } = weft.events;
    await end();
    await eventually(() => expect(weft.events.slice(length)).toEqual([`down ${one.name}`, `up ${one.name}`]));
    await established(weft, scenario.daemon, one);
    await exchanged(scenario, weft, one);
  };
  await again(() => weft.clear(one.name, 'hard'));
  await again(() => scenario.daemon.reset(one));
};

/** RFC 2918: each asks the other for everything again; the session stays. */
const refresh = async (scenario: Scenario) => {
  // FRR answers no request before its End-of-RIB, which without graceful restart never comes.
  const one = session(1, { gracefulRestart: true, families: [4, 6] });
  const weft = await pair(scenario, one);
  const messages = () => weft.peer(one.name).messages;
  const received = messages().received.update;
  weft.clear(one.name, 'in');
  expect(messages().sent.routeRefresh).toBe(2);
  if (scenario.traits.answers) {
    await eventually(() => expect(messages().received.update).toBeGreaterThan(received));
  }
  const sent = messages().sent.update;
  const asked = messages().received.routeRefresh;
  if (scenario.traits.asksAgain) {
    await scenario.daemon.refresh(one);
    await eventually(() => expect(messages().received.routeRefresh).toBeGreaterThan(asked));
    await eventually(() => expect(messages().sent.update).toBeGreaterThan(sent));
  }
  const before = messages().sent.update;
  weft.clear(one.name, 'out');
  await eventually(() => expect(messages().sent.update).toBeGreaterThan(before));
  await exchanged(scenario, weft, one);
  expect(weft.peer(one.name).sessions).toBe(1);
};

/** RFC 4486, 9003: each ends the session, and the other says so in words. */
const notification = async (scenario: Scenario) => {
  const one = session(1);
  const weft = await pair(scenario, one);
  const { words } = scenario.traits;
  weft.shutdown(one.name, 'maintenance until five');
  await eventually(async () => expect((await scenario.daemon.status(one)).errors).toMatch(words.shutdown));
  weft.enable(one.name);
  await established(weft, scenario.daemon, one);
  await scenario.daemon.shutdown(one, 'rack seven moves');
  await eventually(() => {
    const said = weft.peer(one.name).lastError?.text;
    expect(said).toContain('the peer: ');
    expect(said).toContain('administrative shutdown');
    if (words.sendsText) expect(said).toContain('rack seven moves');
  });
};

/** A session of the link's two speakers, known by their link-local addresses; IPv4 over that as well. */
const unnumbered = async (scenario: Scenario) => {
  const one = session(1, {
    ...scenario.network.linkLocals(),
    interface: 'eth0',
    families: [4, 6],
    extendedNextHop: true,
  });
  await scenario.start([one], { routes: prefixes(THEIRS[4], THEIRS[6]) });
  const weft = scenario.weft({ listen: '::', peers: [scenario.end(one)] });
  weft.announce(prefixes(OURS[4], OURS[6]));
  await established(weft, scenario.daemon, one);
  expect(weft.peer(one.name)).toMatchObject({ interface: 'eth0', address: parseAddress(one.local) });
  for (const of of [4, 6] as const) {
    await weftHas(weft, one.name, THEIRS[of], [{ asPath: [PEER_ASN] }]);
    await daemonHas(scenario.daemon, one, OURS[of], [{ asPath: [WEFT_ASN] }]);
    await eventually(() => expect(weft.best.get(THEIRS[of])).toHaveLength(1));
  }
};

/** RFC 5882: the peer falls silent, and the session ends long before its hold time of 9 s. */
const bfd = async (scenario: Scenario) => {
  const one = session(1, { bfd: true });
  const weft = await pair(scenario, one);
  let view: BfdView | undefined;
  const monitor = new Monitor({
    onLost: (peer, why) => weft.peerLost(peer, why),
    onView: (now) => {
      view = now;
    },
    onLog: () => {},
    onFailure: (error) => {
      throw error;
    },
  });
  const [remote, local] = [one.local, one.remote].map(parseAddress);
  monitor.watch([{ name: one.name, remote, local, multihop: false, interval: 300, multiplier: 3 }]);
  try {
    await eventually(() => expect(view?.state).toBe('up'));
    const { length } = weft.events;
    await scenario.network.silencePeer(async () => {
      const begun = performance.now();
      await eventually(() => expect(weft.events.slice(length)).toEqual([`down ${one.name}`]));
      expect(performance.now() - begun).toBeLessThan(3000);
    });
    expect(weft.peer(one.name).lastError?.text).toContain('nothing was heard');
    await established(weft, scenario.daemon, one);
    await eventually(() => expect(view?.state).toBe('up'));
    await exchanged(scenario, weft, one);
  } finally {
    monitor.stop();
  }
};

export const CELLS = {
  ipv4: { title: 'IPv4 unicast', run: family(4) },
  ipv6: { title: 'IPv6 unicast', run: family(6) },
  mixed: { title: 'IPv6 routes over an IPv4 session', run: mixed },
  fourOctet: { title: '4-octet AS numbers', run: fourOctet },
  twoOctet: { title: '2-octet speaker', run: twoOctet },
  communities: {
    title: 'communities',
    run: communities('communities', ['65001:100'], ['65010:200', '65010:201']),
  },
  extended: {
    title: 'extended communities',
    run: communities('extended', ['rt:65001:7'], ['rt:65010:8', 'rt:65010:9']),
  },
  large: {
    title: 'large communities',
    run: communities('large', ['65001:1:2'], ['4200000010:3:4', '65010:5:6']),
  },
  md5: { title: 'TCP MD5', run: md5 },
  gtsm: { title: 'GTSM', run: gtsm },
  peerRestarts: { title: 'graceful restart of the peer', run: peerRestarts },
  weftRestarts: { title: 'graceful restart of Weft', run: weftRestarts },
  addPath: { title: 'ADD-PATH both ways', run: addPath },
  reflectedByPeer: { title: 'route reflection by the peer', run: reflectedByPeer },
  reflectedByWeft: { title: 'route reflection by Weft', run: reflectedByWeft },
  sharedByPeer: { title: 'ECMP by the peer', run: sharedByPeer },
  sharedByWeft: { title: 'ECMP by Weft', run: sharedByWeft },
  extendedNextHop: { title: 'IPv4 over IPv6 next hops', run: extendedNextHop },
  unnumbered: { title: 'unnumbered', run: unnumbered },
  extendedMessages: { title: 'extended messages', run: extendedMessages },
  role: { title: 'roles', run: role },
  withdrawal: { title: 'withdrawal', run: withdrawal },
  sessionRestart: { title: 'session restart', run: sessionRestart },
  refresh: { title: 'route refresh', run: refresh },
  notification: { title: 'NOTIFICATION in words', run: notification },
  bfd: { title: 'BFD', run: bfd },
} satisfies Record<string, Cell>;

export type Feature = keyof typeof CELLS;
