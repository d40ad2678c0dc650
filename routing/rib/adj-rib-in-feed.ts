/**
 * Adj-RIB-In of one peer and family for somebody who is to know all of it, before policy or after (RFC 7854): every route
 * once, End-of-RIB, and from then on what changes. Kept are prefixes about which the listener may be wrong; what is there
 * is looked up when he has room for it, so that a route that changes ten times meanwhile is sent once.
 */
import type { Coding } from '../bgp/codec/attributes.ts';
import type { Nlri } from '../bgp/codec/family.ts';
import { endOfRib, type Update } from '../bgp/codec/update.ts';
import type { AttributeSet } from './attribute-sets.ts';
import { Batch } from './batch.ts';
import type { Table } from './table.ts';

/** As it was announced, or as import policy made it. */
export type FeedView = 'received' | 'accepted';

export interface FeedOptions {
  /** Of the UPDATEs that are made. */
  readonly coding: Coding;
  /** There is something to take, where there was nothing. */
  onPending(): void;
}

/** Routes looked at in one turn at most: some milliseconds. */
const TURN = 1 << 14;
const PLAIN: readonly number[] = [0];

export class AdjRibInFeed {
  readonly view: FeedView;
  readonly #table: Table;
  readonly #peer: number;
  readonly #options: FeedOptions;
  /** Over what is there: begins with the first that is taken; 'over': all of it was told. */
  #walk: 'not begun' | Iterator<number> | 'over' = 'not begun';
  /** Path identifiers by prefix, whose row is held as long. */
  readonly #changed = new Map<number, readonly number[]>();

  /** @param peer its number in the table */
  constructor(table: Table, peer: number, view: FeedView, options: FeedOptions) {
    this.#table = table;
    this.#peer = peer;
    this.view = view;
    this.#options = options;
  }

  get hasPending(): boolean {
    return this.#walk !== 'over' || this.#changed.size > 0;
  }

  /** Every route was told once: what comes now are changes. */
  get isComplete(): boolean {
    return this.#walk === 'over';
  }

  /** A route is not what it was; call it while the prefix has its row. */
  changed(row: number, pathId: number): void {
    if (this.#walk === 'not begun') return;
    const known = this.#changed.get(row);
    if (known?.includes(pathId)) return;
    const wasPending = this.hasPending;
    if (known === undefined) this.#table.hold(row);
    this.#changed.set(row, known === undefined && pathId === 0 ? PLAIN : [...(known ?? []), pathId]);
    if (!wasPending) this.#options.onPending();
  }

  /** About as many bytes of UPDATEs as are asked for. */
  take(maxBytes: number): readonly Update[] {
    const { family } = this.#table;
    const batch = new Batch(family, this.#options.coding, this.#table.sets);
    if (this.#walk === 'not begun') this.#walk = this.#table.routes(this.#peer);
    for (let looks = 0; looks < TURN && batch.bytes < maxBytes; looks++) {
      if (this.#walk !== 'over') {
        if (this.#tellNext(this.#walk, batch)) continue;
        this.#walk = 'over';
        return [...batch.updates(), endOfRib(family)];
      }
      if (!this.#tellChanged(batch)) break;
    }
    return batch.updates();
  }

  close(): void {
    this.#walk = 'over';
    for (const row of this.#changed.keys()) this.#table.letGo(row);
    this.#changed.clear();
  }

  /** @returns false: there is no more */
  #tellNext(walk: Iterator<number>, batch: Batch): boolean {
    const { value: route, done } = walk.next();
    if (done) return false;
    const set = this.#setOf(route);
    const row = this.#table.prefixOfRoute(route);
    if (set !== 0) batch.announce(set, this.#nlriOf(row, this.#table.pathId.get(route)));
    return true;
  }

  /** @returns false: nothing has changed */
  #tellChanged(batch: Batch): boolean {
    const next = this.#changed.entries().next();
    if (next.done) return false;
    const [row, pathIds] = next.value;
    this.#changed.delete(row);
    for (const pathId of pathIds) {
      const set = this.#setOf(this.#table.find(row, this.#peer, pathId));
      const nlri = this.#nlriOf(row, pathId);
      if (set === 0 || !batch.announce(set, nlri)) batch.withdraw(nlri);
    }
    this.#table.letGo(row);
    return true;
  }

  /** @param route 0: there is none */
  #setOf(route: number): AttributeSet {
    if (route === 0) return 0;
    return this.view === 'received' ? this.#table.before(route) : this.#table.after(route);
  }

  #nlriOf(row: number, pathId: number): Nlri {
    return { prefix: this.#table.prefixes.prefixOf(row), ...(pathId !== 0 && { pathId }) };
  }
}
