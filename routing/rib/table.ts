/**
 * One family's routes: a row for each prefix and a row for each route to it, in columns. Knows no rule of BGP; who
 * changes something says what follows from it.
 *
 *    prefix  ── first ──▶ route ── next ──▶ route …      each: peer, path identifier, attributes before and after policy
 *            ── best ───▶ route
 */
import type { Family } from '../bgp/codec/family.ts';
import type { AttributeSet, AttributeSets } from './attribute-sets.ts';
import { Column, NarrowColumn, Rows } from './column.ts';
import { PrefixIndex } from './prefix-index.ts';

/** Of a route, in its column of bits. */
export const Mark = {
  /** Its peer is restarting, or is back and did not announce it again yet. */
  stale: 1,
  longLived: 2,
  /** Not announced again since a refresh began (RFC 7313). */
  unrefreshed: 4,
  /** Shares traffic with the best, or is it. */
  used: 8,
} as const;

export class Table {
  readonly family: Family;
  readonly prefixes: PrefixIndex;
  /** The default route's prefix, which is always there. */
  readonly defaultPrefix: number;
  /** Whose numbers routes have as their attributes. */
  readonly sets: AttributeSets;

  readonly #first = new Column();
  /** A route; 0: none is. */
  readonly best = new Column();
  /** Adj-RIB-Outs in which it is, queues in which it waits: as long as there are, the prefix's row stays. */
  readonly #holders = new NarrowColumn(16);

  readonly #routes = new Rows();
  readonly #next = new Column();
  readonly #prefix = new Column();
  /** By number; 0: this node. */
  readonly peer = new NarrowColumn(16);
  readonly pathId = new Column();
  readonly #before = new Column();
  /** 0: rejected. */
  readonly #after = new Column();
  readonly marks = new NarrowColumn(8);

  constructor(family: Family, sets: AttributeSets) {
    this.family = family;
    this.sets = sets;
    this.prefixes = new PrefixIndex(family);
    const words = family === 4 ? [0] : [0, 0, 0, 0];
    this.defaultPrefix = this.prefixes.add({ address: { family, words }, length: 0 });
    this.hold(this.defaultPrefix);
  }

  prefixOfRoute(route: number): number {
    return this.#prefix.get(route);
  }

  /** 0: no route. */
  first(prefix: number): number {
    return this.#first.get(prefix);
  }

  /** There is one route to the prefix, and no other. */
  isAlone(prefix: number): boolean {
    const first = this.#first.get(prefix);
    return first !== 0 && this.#next.get(first) === 0;
  }

  hasOneAtMost(prefix: number): boolean {
    const first = this.#first.get(prefix);
    return first === 0 || this.#next.get(first) === 0;
  }

  /** The next of the same prefix; 0: no more. */
  next(route: number): number {
    return this.#next.get(route);
  }

  /** 0: it is not there. */
  find(prefix: number, peer: number, pathId: number): number {
    let route = this.#first.get(prefix);
    while (route !== 0 && (this.peer.get(route) !== peer || this.pathId.get(route) !== pathId)) {
      route = this.#next.get(route);
    }
    return route;
  }

  /** A new route to a prefix that is there, without attributes. */
  add(row: number, peer: number, pathId: number): number {
    const route = this.#routes.take();
    this.#prefix.set(route, row);
    this.peer.set(route, peer);
    this.pathId.set(route, pathId);
    this.#next.set(route, this.#first.get(row));
    this.#first.set(row, route);
    return route;
  }

  /** Its prefix stays until `settle`. */
  remove(route: number): void {
    const prefix = this.#prefix.get(route);
    const after = this.#next.get(route);
    if (this.#first.get(prefix) === route) this.#first.set(prefix, after);
    else {
      let before = this.#first.get(prefix);
      while (this.#next.get(before) !== route) before = this.#next.get(before);
      this.#next.set(before, after);
    }
    this.#assign(this.#before, route, 0);
    this.#assign(this.#after, route, 0);
    this.#prefix.set(route, 0);
    this.marks.set(route, 0);
    this.#routes.giveBack(route);
  }

  before(route: number): AttributeSet {
    return this.#before.get(route);
  }

  /** 0: rejected. */
  after(route: number): AttributeSet {
    return this.#after.get(route);
  }

  setBefore(route: number, set: AttributeSet): void {
    this.#assign(this.#before, route, set);
  }

  setAfter(route: number, set: AttributeSet): void {
    this.#assign(this.#after, route, set);
  }

  isMarked(route: number, mark: number): boolean {
    return (this.marks.get(route) & mark) !== 0;
  }

  mark(route: number, mark: number): void {
    this.marks.set(route, this.marks.get(route) | mark);
  }

  unmark(route: number, mark: number): void {
    const marks = this.marks.get(route);
    if ((marks & mark) !== 0) this.marks.set(route, marks & ~mark);
  }

  hold(prefix: number): void {
    this.#holders.set(prefix, this.#holders.get(prefix) + 1);
  }

  isHeld(prefix: number): boolean {
    return this.#holders.get(prefix) > 0;
  }

  letGo(prefix: number): void {
    this.#holders.set(prefix, this.#holders.get(prefix) - 1);
    this.settle(prefix);
  }

  /** Gives the prefix's row back when nobody needs it any more. */
  settle(prefix: number): void {
    if (this.#first.get(prefix) !== 0 || this.#holders.get(prefix) !== 0) return;
    if (this.prefixes.has(prefix)) this.prefixes.remove(prefix);
  }

  /** Of a peer, all of them when absent, from a row on. Routes may be removed and added while it is walked. */
  *routes(peer?: number, from = 1): IterableIterator<number> {
    const { end } = this.#routes;
    for (let route = from; route < end; route++) {
      if (this.#prefix.get(route) === 0) continue;
      if (peer === undefined || this.peer.get(route) === peer) yield route;
    }
  }

  #assign(column: Column, route: number, set: AttributeSet): void {
    const before = column.get(route);
    if (set !== 0) this.sets.retain(set);
    column.set(route, set);
    this.sets.release(before);
  }
}
