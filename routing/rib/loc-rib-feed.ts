/**
 * Loc-RIB of one family for who forwards by it. Kept are prefixes about which he may be wrong, whose rows stay as long;
 * what is best is looked up when he has room for it, so that a prefix that changes ten times meanwhile is told once.
 */
import type { Family } from '../bgp/codec/family.ts';
import { RowQueue } from './column.ts';
import type { RibRoute, RouteAttributes } from './route.ts';
import type { Table } from './table.ts';

/** Of a route what forwarding asks for. */
export interface ForwardingRoute extends Pick<RibRoute, 'peer' | 'source'> {
  readonly attributes: Pick<RouteAttributes, 'nextHop' | 'tunnels'>;
}

/** Some prefixes and what is best for each now, in columns. */
export interface BestRoutes {
  readonly family: Family;
  /** Of the prefixes' addresses: one each of IPv4, four of IPv6. */
  readonly words: Uint32Array;
  /** Of the prefixes. */
  readonly lengths: Uint8Array;
  /** Which of `routes` is each prefix's. */
  readonly which: Uint16Array;
  /** Those that share traffic, the best first; none: there is no route. */
  readonly routes: readonly (readonly ForwardingRoute[])[];
}

/** What the feed looks up, as of now. */
export interface BestLookup {
  /** Those that share traffic, the best first. */
  chosen(row: number): readonly ForwardingRoute[];
  /** Of a route that is alone. */
  only(route: number): ForwardingRoute;
}

const NONE: readonly ForwardingRoute[] = [];
/** As many as rows may have. */
const NUMBERS = 0x1_0000_0000;

export class LocRibFeed {
  readonly #table: Table;
  readonly #lookup: BestLookup;
  readonly #onPending: () => void;
  readonly #queue = new RowQueue();

  /** @param onPending there is something to take, where there was nothing */
  constructor(table: Table, lookup: BestLookup, onPending: () => void) {
    this.#table = table;
    this.#lookup = lookup;
    this.#onPending = onPending;
  }

  get hasPending(): boolean {
    return this.#queue.size > 0;
  }

  /** What is best may be something else now. */
  touch(row: number): void {
    if (!this.#queue.add(row)) return;
    this.#table.hold(row);
    if (this.#queue.size === 1) this.#onPending();
  }

  /** @param most prefixes, 65,535 at most */
  take(most: number): BestRoutes {
    const { family, prefixes, best } = this.#table;
    const count = Math.min(most, this.#queue.size);
    const words = new Uint32Array(count * (family === 4 ? 1 : 4));
    const lengths = new Uint8Array(count);
    const which = new Uint16Array(count);
    const routes: (readonly ForwardingRoute[])[] = [];
    /** Where what is reached alike stands in `routes`. */
    const known = new Map<number, number>();
    for (let i = 0, at = 0; i < count; i++) {
      const row = this.#queue.shift();
      at = prefixes.writeWords(row, words, at);
      lengths[i] = prefixes.lengthOf(row);
      const key = this.#likeness(row, best.get(row));
      const seen = key === undefined ? undefined : known.get(key);
      which[i] = seen ?? routes.length;
      if (seen === undefined) {
        if (key !== undefined) known.set(key, routes.length);
        routes.push(this.#routesOf(row, best.get(row)));
      }
      this.#table.letGo(row);
    }
    return { family, words, lengths, which, routes };
  }

  /** Prefixes of equal likeness have equal routes; undefined: of several routes nothing is said. */
  #likeness(row: number, best: number): number | undefined {
    if (best === 0) return -1;
    if (!this.#table.isAlone(row)) return undefined;
    const peer = this.#table.peer.get(best);
    const { sets } = this.#table;
    const set = this.#table.after(best);
    const hop = sets.hopOf(set);
    // Of all that attribute sets differ in, forwarding asks for this alone.
    if (hop === undefined || sets.hasTunnels(set)) return -2 - (peer * NUMBERS + set);
    return peer * NUMBERS + hop.number;
  }

  #routesOf(row: number, best: number): readonly ForwardingRoute[] {
    if (best === 0) return NONE;
    return this.#table.isAlone(row) ? [this.#lookup.only(best)] : this.#lookup.chosen(row);
  }
}
