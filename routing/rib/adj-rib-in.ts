/**
 * Adj-RIB-In of all peers: what each announced, before policy and after. Says to the Loc-RIB what changed, and keeps
 * quiet where an announcement changed nothing.
 */
import type { Prefix } from '../../wire/prefix.ts';
import type { Nlri } from '../bgp/codec/family.ts';
import type { AttributeSet, AttributeSets } from './attribute-sets.ts';
import { asLongLivedStale, importRoute, type Self } from './import.ts';
import type { LocRib } from './loc-rib.ts';
import { stalenessOf } from './loc-rib.ts';
import type { PeerState } from './peer-state.ts';
import type { ReceivedRoute, RouteAttributes } from './route.ts';
import { Mark, type Table } from './table.ts';

const NOT_FRESH = Mark.stale | Mark.longLived | Mark.unrefreshed;

export class AdjRibIn {
  readonly #self: Self;
  readonly #sets: AttributeSets;
  readonly #locRib: LocRib;

  constructor(self: Self, sets: AttributeSets, locRib: LocRib) {
    this.#self = self;
    this.#sets = sets;
    this.#locRib = locRib;
  }

  /** False: it is one more than the peer may announce, and not kept. */
  announce(state: PeerState, table: Table, { prefix, pathId = 0 }: Nlri, set: AttributeSet): boolean {
    const { family } = table;
    const row = table.prefixes.add(prefix);
    let route = table.find(row, state.number, pathId);
    if (route === 0) {
      const limit = state.peer.options.maxPrefixes?.[family]?.limit;
      if (limit !== undefined && state.received[family] >= limit) {
        table.settle(row);
        return false;
      }
      route = table.add(row, state.number, pathId);
      state.received[family]++;
    }
    const wasLongLived = table.isMarked(route, Mark.longLived);
    table.unmark(route, NOT_FRESH);
    if (table.before(route) === set && !wasLongLived) return true;
    table.setBefore(route, set);
    state.tellFeeds(family, 'received', row, pathId);
    this.#renew(state, table, route, prefix);
    return true;
  }

  withdraw(state: PeerState, table: Table, { prefix, pathId = 0 }: Nlri): void {
    const row = table.prefixes.find(prefix);
    const route = row === 0 ? 0 : table.find(row, state.number, pathId);
    if (route !== 0) this.remove(state, table, route);
  }

  remove(state: PeerState, table: Table, route: number): void {
    const row = table.prefixOfRoute(route);
    const wasUsed = table.isMarked(route, Mark.used);
    const wasAccepted = table.after(route) !== 0;
    const pathId = table.pathId.get(route);
    state.tellFeeds(table.family, 'received', row, pathId);
    if (wasAccepted) state.tellFeeds(table.family, 'accepted', row, pathId);
    table.remove(route);
    state.received[table.family]--;
    if (wasAccepted) {
      state.accepted[table.family]--;
      this.#locRib.decide(table, row, 0, wasUsed);
    }
    table.settle(row);
  }

  /** Asks the policy again about all routes of a peer. */
  renewAll(state: PeerState, table: Table): void {
    for (const route of table.routes(state.number)) {
      this.#renew(state, table, route, table.prefixes.prefixOf(table.prefixOfRoute(route)));
    }
  }

  /** The peer itself is another to the decision than it was. */
  decideAll(state: PeerState, table: Table): void {
    for (const route of table.routes(state.number)) {
      if (table.after(route) === 0) continue;
      this.#locRib.decide(table, table.prefixOfRoute(route), route, table.isMarked(route, Mark.used));
    }
  }

  /** Of a peer's routes those with a mark, or all, are removed. */
  removeAll(state: PeerState, table: Table, mark?: number): void {
    for (const route of table.routes(state.number)) {
      if (mark === undefined || table.isMarked(route, mark)) this.remove(state, table, route);
    }
  }

  /** Some of them, from a row on. @returns how many were removed, and the row to go on from; 0: none is left */
  removeSome(
    state: PeerState,
    table: Table,
    from: number,
    mark: number | undefined,
    most: number,
  ): { readonly removed: number; readonly next: number } {
    let removed = 0;
    for (const route of table.routes(state.number, from)) {
      if (removed === most) return { removed, next: route };
      if (mark !== undefined && !table.isMarked(route, mark)) continue;
      this.remove(state, table, route);
      removed++;
    }
    return { removed, next: 0 };
  }

  markAll(state: PeerState, table: Table, mark: number): void {
    for (const route of table.routes(state.number)) table.mark(route, mark);
  }

  /** RFC 9494 section 4.2: stale routes become long-lived stale ones; those that forbid it go. */
  prolong(state: PeerState, table: Table): void {
    for (const route of table.routes(state.number)) {
      if (!table.isMarked(route, Mark.stale)) continue;
      const prefix = table.prefixes.prefixOf(table.prefixOfRoute(route));
      const before = this.#sets.attributesOf(table.before(route));
      const accepted = importRoute(before, prefix, state.peer, this.#self);
      if (typeof accepted !== 'string' && typeof asLongLivedStale(accepted) === 'string') {
        this.remove(state, table, route);
        continue;
      }
      table.unmark(route, Mark.stale);
      table.mark(route, Mark.longLived);
      this.#renew(state, table, route, prefix);
    }
  }

  *routes(state: PeerState, table: Table, when: 'before' | 'after'): IterableIterator<ReceivedRoute> {
    for (const route of table.routes(state.number)) {
      const prefix = table.prefixes.prefixOf(table.prefixOfRoute(route));
      const before = this.#sets.attributesOf(table.before(route));
      const after = table.after(route);
      if (when === 'after' && after === 0) continue;
      const rejected = after === 0 ? this.whyRejected(state, before, prefix) : undefined;
      yield {
        prefix,
        pathId: table.pathId.get(route),
        attributes: when === 'after' ? this.#sets.attributesOf(after) : before,
        staleness: stalenessOf(table, route),
        ...(rejected !== undefined && { rejected }),
      };
    }
  }

  whyRejected(state: PeerState, before: RouteAttributes, prefix: Prefix): string {
    const result = importRoute(before, prefix, state.peer, this.#self);
    return typeof result === 'string' ? result : 'rejected';
  }

  #renew(state: PeerState, table: Table, route: number, prefix: Prefix): void {
    const after = table.isMarked(route, Mark.longLived)
      ? this.#asLongLived(state, table.before(route), prefix)
      : this.#import(state, table.before(route), prefix);
    const known = table.after(route);
    if (after === known) return;
    const wasUsed = table.isMarked(route, Mark.used);
    if (after !== 0) this.#sets.resolve(after);
    table.setAfter(route, after);
    state.tellFeeds(table.family, 'accepted', table.prefixOfRoute(route), table.pathId.get(route));
    state.accepted[table.family] += (after === 0 ? 0 : 1) - (known === 0 ? 0 : 1);
    this.#locRib.decide(table, table.prefixOfRoute(route), route, wasUsed);
  }

  #import(state: PeerState, before: AttributeSet, prefix: Prefix): AttributeSet {
    const known = state.imports?.get(before, 0);
    if (known !== undefined) return known;
    const attributes = this.#sets.attributesOf(before);
    const imported = importRoute(attributes, prefix, state.peer, this.#self);
    const after = imported === attributes ? before : this.#intern(state, imported);
    state.imports?.set(before, 0, after);
    return after;
  }

  #asLongLived(state: PeerState, before: AttributeSet, prefix: Prefix): AttributeSet {
    const accepted = importRoute(this.#sets.attributesOf(before), prefix, state.peer, this.#self);
    return this.#intern(state, asLongLivedStale(accepted));
  }

  #intern(state: PeerState, result: RouteAttributes | string): AttributeSet {
    return typeof result === 'string' ? 0 : this.#sets.intern(result, state.account);
  }
}
