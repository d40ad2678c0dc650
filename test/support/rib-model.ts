/**
 * A history of the RIBs written down plainly: what each peer announced in maps, and import, decision and export asked
 * about all of it from scratch whenever the result is wanted.
 */
import { expect } from 'vitest';
import type { Family } from '../../routing/bgp/codec/family.ts';
import { type Candidate, compareRoutes, decide, equalRoutes, meritsOf } from '../../routing/rib/decision.ts';
import { exportRoute } from '../../routing/rib/export.ts';
import { asLongLivedStale, importRoute } from '../../routing/rib/import.ts';
import type { RibPeer } from '../../routing/rib/peer.ts';
import type { RibRoute, RouteAttributes } from '../../routing/rib/route.ts';
import { formatAddress, parseAddress } from '../../wire/address.ts';
import { formatPrefix, parsePrefix } from '../../wire/prefix.ts';
import { announcing, CODING, Listener, newRib, OWN_AS, path, peer, takeAll, withdrawing } from './rib.ts';
import { type Config, type Event, NEXT_HOPS, PREFIXES, type Said } from './rib-history.ts';

const SELF = { asn: OWN_AS, routerId: parseAddress('1.0.0.254'), clusterId: parseAddress('1.0.0.254') };
const STALE_SECONDS = 100;
const LONG_LIVED_SECONDS = 1000;
/** What the RIBs grant a peer that is back, seconds. */
const RESYNC_SECONDS = 360;

interface Known {
  readonly prefix: string;
  readonly pathId: number;
  readonly attributes: RouteAttributes;
  staleness: 'fresh' | 'stale' | 'longLivedStale';
  unrefreshed: boolean;
}

interface Session {
  peer: RibPeer;
  isUp: boolean;
  heard: Listener;
  routes: Map<string, Known>;
  staleUntil: Partial<Record<Family, number>>;
  longLivedUntil: Partial<Record<Family, number>>;
  refreshUntil: Partial<Record<Family, number>>;
  longLived: boolean;
}

const familyOf = (prefix: string): Family => (prefix.includes(':') ? 6 : 4);

/** The RIBs under test beside the same history written down plainly. */
export class World {
  readonly costs = new Map<string, number | undefined>(NEXT_HOPS.map((nextHop) => [nextHop, 1]));
  readonly maxPaths: number;
  readonly under;
  readonly sessions = new Map<number, Session>();
  readonly local = new Map<string, RouteAttributes>();
  now = 0;

  constructor(maxPaths: number) {
    this.maxPaths = maxPaths;
    this.under = newRib({ maxPaths, resolve: (nextHop) => this.costs.get(formatAddress(nextHop)) });
  }

  apply(event: Event): void {
    const { rib } = this.under;
    if (event.kind === 'up') this.#up(event.who, event.config, event.kept);
    else if (event.kind === 'originate') this.#originate(event.prefixes, event.attributes);
    else if (event.kind === 'retract') {
      for (const prefix of event.prefixes) {
        this.local.delete(prefix);
        rib.withdraw(parsePrefix(prefix));
      }
    } else if (event.kind === 'cost') {
      this.costs.set(event.nextHop, event.cost);
      rib.nextHopsChanged(event.cost === 2 ? undefined : [parseAddress(event.nextHop)]);
    } else if (event.kind === 'wait') {
      this.now += 1000 * event.seconds;
      rib.expire(this.now);
      this.#expire();
    } else {
      const session = this.sessions.get(event.who);
      if (session?.isUp) this.#during(session, event);
    }
  }

  #during(
    session: Session,
    event: Exclude<Event, { kind: 'up' | 'originate' | 'retract' | 'cost' | 'wait' }>,
  ): void {
    const { rib } = this.under;
    const { name } = session.peer;
    const pathIdOf = (pathId: number): number | undefined =>
      session.peer.name === 'p1' ? pathId : undefined;
    const drop = (family: Family, which: (known: Known) => boolean): void => {
      for (const [key, known] of session.routes) {
        if (familyOf(known.prefix) === family && which(known)) session.routes.delete(key);
      }
    };
    switch (event.kind) {
      case 'announce': {
        const pathId = pathIdOf(event.pathId);
        const is6 = event.attributes.nextHop.includes(':');
        const list = event.prefixes.filter((prefix) => (familyOf(prefix) === 6) === is6);
        if (list.length === 0) break;
        const said = attributesFrom(session.peer, event.attributes);
        rib.receive(name, announcing(list, said, pathId));
        for (const prefix of list) {
          const known: Known = {
            prefix,
            pathId: pathId ?? 0,
            attributes: said,
            staleness: 'fresh',
            unrefreshed: false,
          };
          session.routes.set(`${prefix}#${pathId ?? 0}`, known);
        }
        break;
      }
      case 'repeat':
        for (const known of session.routes.values()) {
          if (!event.prefixes.includes(known.prefix)) continue;
          rib.receive(name, announcing([known.prefix], known.attributes, pathIdOf(known.pathId)));
          known.staleness = 'fresh';
          known.unrefreshed = false;
        }
        break;
      case 'withdraw': {
        const pathId = pathIdOf(event.pathId);
        rib.receive(name, withdrawing(event.prefixes, pathId));
        for (const prefix of event.prefixes) session.routes.delete(`${prefix}#${pathId ?? 0}`);
        break;
      }
      case 'down':
        rib.peerDown(name, this.now);
        session.isUp = false;
        session.routes.clear();
        session.staleUntil = {};
        session.longLivedUntil = {};
        break;
      case 'restart': {
        const longLivedSeconds = event.longLived ? { 4: LONG_LIVED_SECONDS, 6: LONG_LIVED_SECONDS } : {};
        rib.peerDown(name, this.now, {
          families: event.families,
          staleSeconds: STALE_SECONDS,
          longLivedSeconds,
        });
        session.isUp = false;
        session.longLived = event.longLived;
        session.refreshUntil = {};
        for (const family of [4, 6] as const) {
          const isKept = event.families.includes(family);
          drop(family, ({ staleness }) => !isKept || staleness === 'stale');
          for (const known of session.routes.values()) {
            if (familyOf(known.prefix) === family && known.staleness === 'fresh') known.staleness = 'stale';
          }
          if (isKept) session.staleUntil[family] = this.now + 1000 * STALE_SECONDS;
          else {
            delete session.staleUntil[family];
            delete session.longLivedUntil[family];
          }
        }
        break;
      }
      case 'endOfRib':
        rib.endOfRib(name, event.family);
        drop(event.family, ({ staleness }) => staleness !== 'fresh');
        delete session.staleUntil[event.family];
        delete session.longLivedUntil[event.family];
        break;
      case 'beginRefresh':
        rib.beginRefresh(name, event.family, this.now);
        for (const known of session.routes.values()) {
          if (familyOf(known.prefix) === event.family) known.unrefreshed = true;
        }
        session.refreshUntil[event.family] = this.now + 1000 * RESYNC_SECONDS;
        break;
      case 'endRefresh':
        rib.endRefresh(name, event.family);
        if (session.refreshUntil[event.family] === undefined) break;
        drop(event.family, ({ unrefreshed }) => unrefreshed);
        delete session.refreshUntil[event.family];
        break;
      case 'resend':
        rib.resend(name, event.family);
        break;
      case 'policies': {
        const chosen = {
          ...(event.import !== undefined && { import: event.import }),
          ...(event.export !== undefined && { export: event.export }),
        };
        rib.setPolicies(name, chosen);
        const { import: _, export: __, ...rest } = session.peer;
        session.peer = { ...rest, ...chosen };
        break;
      }
      case 'read':
        session.heard.hear(rib.take(name, event.maxBytes));
    }
  }

  #up(n: number, config: Config, kept: readonly Family[]): void {
    const before = this.sessions.get(n);
    if (before?.isUp) return;
    const {
      addPath,
      nextHopSelf,
      defaultOriginate,
      maxPathsSent,
      import: in_,
      export: out,
      ...rest
    } = config;
    const {
      import: _,
      export: __,
      ...bare
    } = peer(n, {
      ...rest,
      coding: { ...CODING, internal: config.source === 'internal', addPath: { 4: addPath, 6: addPath } },
      options: {
        nextHopSelf,
        defaultOriginate: defaultOriginate ? [4, 6] : [],
        ...(maxPathsSent !== undefined && { maxPathsSent }),
      },
    });
    const exact: RibPeer = {
      ...bare,
      ...(in_ !== undefined && { import: in_ }),
      ...(out !== undefined && { export: out }),
    };
    this.under.rib.peerUp(exact, this.now, kept);
    const session: Session = before ?? {
      peer: exact,
      isUp: true,
      heard: new Listener(),
      routes: new Map(),
      staleUntil: {},
      longLivedUntil: {},
      refreshUntil: {},
      longLived: false,
    };
    session.peer = exact;
    session.isUp = true;
    session.heard = new Listener();
    session.refreshUntil = {};
    for (const family of [4, 6] as const) {
      if (kept.includes(family)) {
        if (session.staleUntil[family] !== undefined)
          session.staleUntil[family] = this.now + 1000 * RESYNC_SECONDS;
        continue;
      }
      delete session.staleUntil[family];
      delete session.longLivedUntil[family];
      for (const [key, known] of session.routes)
        if (familyOf(known.prefix) === family) session.routes.delete(key);
    }
    this.sessions.set(n, session);
  }

  #originate(list: readonly string[], chosen: Said): void {
    const is6 = chosen.nextHop.includes(':');
    for (const prefix of list) {
      if ((familyOf(prefix) === 6) !== is6) continue;
      const made: RouteAttributes = {
        origin: 0,
        asPath: [],
        nextHop: parseAddress(chosen.med === undefined ? chosen.nextHop : is6 ? '::' : '0.0.0.0'),
        ...(chosen.communities !== undefined && { communities: chosen.communities }),
      };
      this.local.set(prefix, made);
      this.under.rib.originate(parsePrefix(prefix), made);
    }
  }

  #expire(): void {
    for (const session of this.sessions.values()) {
      for (const family of [4, 6] as const) {
        const isDue = (at: number | undefined): boolean => at !== undefined && at <= this.now;
        const each = (act: (key: string, known: Known) => void): void => {
          for (const [key, known] of session.routes) if (familyOf(known.prefix) === family) act(key, known);
        };
        if (isDue(session.refreshUntil[family])) {
          delete session.refreshUntil[family];
          each((key, { unrefreshed }) => void (unrefreshed && session.routes.delete(key)));
        }
        if (isDue(session.staleUntil[family])) {
          delete session.staleUntil[family];
          const prolongs = session.longLived && !session.isUp;
          each((key, known) => {
            if (known.staleness !== 'stale') return;
            known.staleness = 'longLivedStale';
            const accepted = this.imported(session, { ...known, staleness: 'fresh' });
            const forbidden = typeof accepted !== 'string' && typeof asLongLivedStale(accepted) === 'string';
            if (!prolongs || forbidden) session.routes.delete(key);
          });
          if (prolongs) session.longLivedUntil[family] ??= this.now + 1000 * LONG_LIVED_SECONDS;
        }
        if (isDue(session.longLivedUntil[family])) {
          delete session.longLivedUntil[family];
          each((key, { staleness }) => void (staleness === 'longLivedStale' && session.routes.delete(key)));
        }
      }
    }
  }

  imported(session: Session, known: Known): RouteAttributes | string {
    const result = importRoute(known.attributes, parsePrefix(known.prefix), session.peer, SELF);
    return known.staleness === 'longLivedStale' ? asLongLivedStale(result) : result;
  }

  /** From scratch: who competes for a prefix. */
  candidates(prefix: string): (Candidate & { from?: Session; attributes: RouteAttributes })[] {
    const all: (Candidate & { from?: Session; attributes: RouteAttributes })[] = [];
    const own = this.local.get(prefix);
    if (own !== undefined) {
      const { routerId } = SELF;
      all.push({
        attributes: own,
        merits: meritsOf(own),
        source: 'local',
        routerId,
        peerAddress: routerId,
        pathId: 0,
        nextHopCost: 0,
      });
    }
    for (const session of this.sessions.values()) {
      for (const known of session.routes.values()) {
        if (known.prefix !== prefix) continue;
        const result = this.imported(session, known);
        if (typeof result === 'string') continue;
        const { source, routerId, address } = session.peer;
        const nextHopCost = this.costs.get(formatAddress(result.nextHop));
        const { pathId } = known;
        all.push({
          attributes: result,
          merits: meritsOf(result),
          source,
          routerId,
          peerAddress: address,
          pathId,
          nextHopCost,
          from: session,
        });
      }
    }
    return all;
  }

  check(): void {
    const { rib, best } = this.under;
    const wanted = new Map<number, string[]>();
    for (const prefix of PREFIXES) {
      const candidates = this.candidates(prefix);
      const { best: first } = decide(candidates);
      const chosen = first === undefined ? [] : equalRoutes(first, candidates).slice(0, this.maxPaths);
      expect((best.get(prefix) ?? []).map(shown)).toEqual(chosen.map(shown));
      for (const [n, session] of this.sessions) {
        if (!session.isUp) continue;
        const offers = this.#offers(session, prefix, candidates, first);
        wanted.set(n, [...(wanted.get(n) ?? []), ...offers.map((offer) => `${prefix} ${text(offer)}`)]);
      }
    }
    expect([...rib.locRib()].length).toBe(best.size);
    for (const [
      n,
      {
        peer: { name },
        isUp,
        heard,
        routes,
      },
    ] of this.sessions) {
      if (!isUp) continue;
      heard.hear(takeAll(rib, name));
      const known = [...heard.routes].map(([key, said]) => `${key.split('#')[0]} ${text(said)}`);
      expect(known.sort()).toEqual(wanted.get(n)?.sort());
      const told = [...rib.adjOut(name)].map(
        (sent) => `${formatPrefix(sent.prefix)} ${text(sent.attributes)}`,
      );
      expect(told.sort()).toEqual(known);
      const { received, advertised } = rib.counts(name);
      expect([received, advertised]).toEqual([routes.size, known.length]);
      const before = [...rib.adjIn(name, 'before')].map(
        (one) => `${formatPrefix(one.prefix)}#${one.pathId} ${one.staleness}`,
      );
      expect(before.sort()).toEqual([...routes].map(([key, { staleness }]) => `${key} ${staleness}`).sort());
    }
    expect(rib.audit()).toEqual([]);
  }

  #offers(
    to: Session,
    prefix: string,
    candidates: ReturnType<World['candidates']>,
    first: Candidate | undefined,
  ): RouteAttributes[] {
    const { peer: told } = to;
    const row = parsePrefix(prefix);
    if (row.length === 0 && told.options.defaultOriginate?.includes(familyOf(prefix))) {
      const own = { origin: 0, asPath: [], nextHop: row.address } as const;
      const result = exportRoute(
        own,
        row,
        undefined,
        { ...told, export: { terms: [], otherwise: 'accept' } },
        SELF,
      );
      return typeof result === 'string' ? [] : [result];
    }
    const usable = candidates.filter(({ nextHopCost }) => nextHopCost !== undefined);
    const ranked = usable.sort((a, b) => (a === first ? -1 : b === first ? 1 : compareRoutes(a, b).order));
    const offered = ranked
      .slice(0, told.coding.addPath[4] ? undefined : 1)
      .map(({ attributes, from }) => exportRoute(attributes, row, from?.peer, told, SELF))
      .filter((result) => typeof result !== 'string');
    return told.coding.addPath[4] ? offered.slice(0, told.options.maxPathsSent) : offered;
  }
}

const attributesFrom = ({ source, asn }: RibPeer, chosen: Said): RouteAttributes => ({
  origin: 0,
  asPath: path(...(source === 'external' ? [asn] : []), ...chosen.asns),
  nextHop: parseAddress(chosen.nextHop),
  ...(chosen.med !== undefined && { med: chosen.med }),
  ...(source === 'internal' && { localPref: chosen.localPref ?? 100 }),
  ...(chosen.communities !== undefined && { communities: chosen.communities }),
});

const shown = (route: RibRoute | ReturnType<World['candidates']>[number]): unknown => [
  route.source,
  formatAddress(route.peerAddress),
  route.pathId,
  route.nextHopCost,
  text(route.attributes),
];

/** Independent of the order of keys. */
const text = (said: RouteAttributes): string =>
  JSON.stringify(Object.entries(said).sort(([a], [b]) => (a < b ? -1 : 1)));
