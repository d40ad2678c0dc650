/** Loc-RIB: decides about a prefix when something of it changed, and says what follows. */
import type { Address } from '../../wire/address.ts';
import type { Family } from '../bgp/codec/family.ts';
import { type AdjRibOut, NO_PEER } from './adj-rib-out.ts';
import type { AttributeSet, AttributeSets } from './attribute-sets.ts';
import {
  bestOf,
  type Candidate,
  compareRoutes,
  type DecisionOptions,
  equalRoutes,
  type Merits,
} from './decision.ts';
import type { ForwardingRoute, LocRibFeed } from './loc-rib-feed.ts';
import type { PeerState } from './peer-state.ts';
import type { LocalRoute, RibRoute, RouteAttributes, Staleness } from './route.ts';
import { Mark, type Table } from './table.ts';

export interface LocRibOptions {
  readonly routerId: Address;
  readonly decision: DecisionOptions;
  /** How many routes may share traffic. */
  readonly maxPaths: number;
  readonly peerOf: (number: number) => PeerState | undefined;
}

/** A route as the decision sees it: made when it is asked for, from the columns, and not to be kept. */
export class Contender implements RibRoute, Candidate {
  readonly route: number;
  readonly merits: Merits;
  readonly source: 'local' | 'external' | 'internal';
  readonly routerId: Address;
  readonly peerAddress: Address;
  readonly pathId: number;
  readonly nextHopCost: number | undefined;
  readonly peer: string | undefined;
  readonly staleness: Staleness;
  readonly #sets: AttributeSets;
  readonly #set: AttributeSet;

  /** @param from absent: made on this node */
  constructor(table: Table, route: number, from: PeerState | undefined, routerId: Address) {
    const set = table.after(route);
    if (set === 0) throw new RangeError(`route ${route} was rejected`);
    const { sets } = table;
    this.route = route;
    this.#sets = sets;
    this.#set = set;
    this.merits = sets.meritsOf(set);
    this.source = from === undefined ? 'local' : from.peer.source;
    this.routerId = from === undefined ? routerId : from.peer.routerId;
    this.peerAddress = from === undefined ? routerId : from.peer.address;
    this.pathId = table.pathId.get(route);
    this.nextHopCost = from === undefined ? 0 : sets.hopOf(set)?.cost;
    this.peer = from?.peer.name;
    this.staleness = stalenessOf(table, route);
  }

  get attributes(): RouteAttributes {
    return this.#sets.attributesOf(this.#set);
  }

  /** To be kept. */
  copy(): RibRoute {
    const { attributes, source, routerId, peerAddress, pathId, nextHopCost, peer, staleness } = this;
    return { attributes, source, routerId, peerAddress, pathId, nextHopCost, peer, staleness };
  }
}

export const stalenessOf = (table: Table, route: number): Staleness => {
  if (table.isMarked(route, Mark.longLived)) return 'longLivedStale';
  return table.isMarked(route, Mark.stale) ? 'stale' : 'fresh';
};

const NOBODY: readonly Contender[] = [];

export class LocRib {
  /** Whom to tell. */
  readonly outs: Readonly<Record<Family, AdjRibOut[]>> = { 4: [], 6: [] };
  /** Who forwards by it. */
  readonly feeds: { 4?: LocRibFeed; 6?: LocRibFeed } = {};
  /** While the node itself restarts nothing is decided (RFC 4724 section 4.1). */
  deferred = false;
  readonly #options: LocRibOptions;

  constructor(options: LocRibOptions) {
    this.#options = options;
  }

  /**
   * @param route whose attributes changed; 0: one is gone, or it was their next hops
   * @param wasUsed what changed shared traffic until now
   */
  decide(table: Table, row: number, route: number, wasUsed: boolean): void {
    if (this.deferred) return;
    const before = table.best.get(row);
    const isEasy = table.hasOneAtMost(row);
    const chosen = isEasy ? NOBODY : this.chosen(table, row);
    const best = isEasy ? this.#ifUsable(table, table.first(row)) : (chosen[0]?.route ?? 0);
    let changed = wasUsed || best !== before;
    for (let one = table.first(row); one !== 0; one = table.next(one)) {
      const isUsed =
        one === best || (chosen.length > 1 && chosen.some((contender) => contender.route === one));
      if (isUsed && one === route) changed = true;
      if (isUsed === table.isMarked(one, Mark.used)) continue;
      changed = true;
      if (isUsed) table.mark(one, Mark.used);
      else table.unmark(one, Mark.used);
    }
    table.best.set(row, best);
    if (changed) this.feeds[table.family]?.touch(row);
    const isOther = best !== before || (best !== 0 && best === route);
    const by = best === 0 ? NO_PEER : table.peer.get(best);
    for (const out of this.outs[table.family]) if (isOther || out.addPath) out.touch(row, by);
  }

  /** Those that share traffic, the best first. */
  chosen(table: Table, row: number): readonly Contender[] {
    const contenders = this.contenders(table, row);
    if (contenders.length === 0) return contenders;
    if (contenders.length === 1) return contenders[0].nextHopCost === undefined ? [] : contenders;
    const { decision, maxPaths } = this.#options;
    const best = bestOf(contenders, decision);
    if (best === undefined) return [];
    return maxPaths > 1 ? equalRoutes(best, contenders, decision).slice(0, maxPaths) : [best];
  }

  /** Those with a next hop that resolves, and those without. */
  contenders(table: Table, row: number): Contender[] {
    const all: Contender[] = [];
    for (let route = table.first(row); route !== 0; route = table.next(route)) {
      if (table.after(route) !== 0) all.push(this.contender(table, route));
    }
    return all;
  }

  contender(table: Table, route: number): Contender {
    const { routerId, peerOf } = this.#options;
    return new Contender(table, route, peerOf(table.peer.get(route)), routerId);
  }

  /** Without what forwarding does not ask for, and mostly without reading the attributes. */
  forwarding(table: Table, route: number): ForwardingRoute {
    const from = this.#options.peerOf(table.peer.get(route));
    const { sets } = table;
    const set = table.after(route);
    const hop = sets.hopOf(set);
    const isPlain = hop !== undefined && !sets.hasTunnels(set);
    return {
      peer: from?.peer.name,
      source: from === undefined ? 'local' : from.peer.source,
      attributes: isPlain ? { nextHop: hop.address } : sets.attributesOf(set),
    };
  }

  /** For ADD-PATH: all that could be used, best first. */
  ranked(table: Table, row: number): Contender[] {
    const best = table.best.get(row);
    const rank = (a: Contender, b: Contender): number => {
      if (a.route === best) return -1;
      return b.route === best ? 1 : compareRoutes(a, b, this.#options.decision).order;
    };
    return this.contenders(table, row)
      .filter(({ nextHopCost }) => nextHopCost !== undefined)
      .sort(rank);
  }

  *routes(tables: readonly Table[]): IterableIterator<LocalRoute> {
    for (const table of tables) {
      for (const [row] of table.best) {
        const routes = this.chosen(table, row);
        if (routes.length === 0) continue;
        yield { prefix: table.prefixes.prefixOf(row), routes: routes.map((one) => one.copy()) };
      }
    }
  }

  /** Where there is no choice. @returns the route, or 0 */
  #ifUsable(table: Table, route: number): number {
    if (route === 0) return 0;
    const set = table.after(route);
    if (set === 0) return 0;
    return table.peer.get(route) === 0 || table.sets.hopOf(set)?.cost !== undefined ? route : 0;
  }
}
