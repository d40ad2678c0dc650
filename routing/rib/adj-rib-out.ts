/**
 * Adj-RIB-Out of one peer and family. It holds what the peer was told, and a queue of prefixes about which that may no
 * longer be right; what it is to be told is asked for when the session has room for it. So a route that changes ten
 * times before the peer reads is sent once, and a change costs work for its prefix alone.
 *
 *    touch(prefix) ─▶ queue ─┐
 *    all prefixes ──▶ sweep ─┴▶ take: offered now ≠ told ─▶ batch ─▶ UPDATEs, behind the sweep End-of-RIB
 */
import { afiOf, type Nlri, Safi } from '../bgp/codec/family.ts';
import { type Message, RefreshSubtype } from '../bgp/codec/message.ts';
import { endOfRib } from '../bgp/codec/update.ts';
import type { AttributeSet, AttributeSets } from './attribute-sets.ts';
import { Batch } from './batch.ts';
import { Column, RowQueue } from './column.ts';
import type { RibPeer } from './peer.ts';
import type { SentRoute } from './route.ts';
import type { Table } from './table.ts';

/** What a peer may be told of a prefix. */
export interface Offer {
  /** With ADD-PATH; else 0. */
  readonly pathId: number;
  readonly set: AttributeSet;
}

/** What there is to tell of a prefix, as of now. */
export interface Offers {
  /** 0: nothing. */
  best(prefix: number): AttributeSet;
  /** For ADD-PATH. */
  paths(prefix: number): readonly Offer[];
}

/** Nobody has a route. */
export const NO_PEER = -1;

/** Prefixes looked at in one turn at most, told or not: some milliseconds. */
const TURN = 1 << 16;

export class AdjRibOut {
  readonly addPath: boolean;
  /** Routes that the peer was told. */
  count = 0;
  readonly #table: Table;
  readonly #sets: AttributeSets;
  readonly #peer: RibPeer;
  /** Among the peers of which routes come. */
  readonly #number: number;
  readonly #offers: Offers;
  readonly #onPending: () => void;

  /** Without ADD-PATH: by prefix a set's number. */
  readonly #told = new Column();
  /** With ADD-PATH. */
  readonly #toldPaths = new Map<number, readonly Offer[]>();

  readonly #queue = new RowQueue();
  /** Of all prefixes from `at` to `end`; `again`: also what the peer was told already. */
  #sweep: { at: number; readonly end: number; readonly again: boolean } | undefined;
  #owesEndOfRib = true;
  #owesBegin = false;
  #owesEnd = false;

  /** Everything is to be told, and then the End-of-RIB. */
  constructor(
    table: Table,
    sets: AttributeSets,
    peer: RibPeer,
    number: number,
    offers: Offers,
    onPending: () => void,
  ) {
    this.#table = table;
    this.#sets = sets;
    this.#peer = peer;
    this.#number = number;
    this.addPath = peer.coding.addPath[table.family];
    this.#offers = offers;
    this.#onPending = onPending;
    this.#sweep = { at: 1, end: table.prefixes.end, again: false };
  }

  get hasPending(): boolean {
    return this.#sweep !== undefined || this.#queue.size > 0;
  }

  /** What there is to tell of a prefix may have changed. @param by whose route is best now, by number, or NO_PEER */
  touch(prefix: number, by: number): void {
    if (!this.addPath && this.#hasNothingToTell(prefix, by)) return;
    const sweep = this.#sweep;
    if (sweep !== undefined && prefix >= sweep.at && prefix < sweep.end) return;
    const hadPending = this.hasPending;
    if (this.#queue.add(prefix) && !hadPending) this.#onPending();
  }

  /** A peer is not told of what came from itself (export.ts), and not that it is gone. */
  #hasNothingToTell(prefix: number, by: number): boolean {
    const isKept = by === NO_PEER || by === this.#number;
    return isKept && this.#told.get(prefix) === 0 && prefix !== this.#table.defaultPrefix;
  }

  /** Looks at everything: a policy changed. */
  sweep(): void {
    const hadPending = this.hasPending;
    this.#sweep = { at: 1, end: this.#table.prefixes.end, again: this.#sweep?.again ?? false };
    if (!hadPending) this.#onPending();
  }

  /** Sends everything again (RFC 2918), between marks where these were agreed (RFC 7313). */
  resend(): void {
    const hadPending = this.hasPending;
    this.#sweep = { at: 1, end: this.#table.prefixes.end, again: true };
    this.#owesBegin = this.#peer.enhancedRefresh === true;
    this.#owesEnd = this.#owesBegin;
    if (!hadPending) this.#onPending();
  }

  /** Until about `maxBytes` are reached. Empty although there is more when a turn found nothing to say: `hasPending`. */
  take(maxBytes: number): Message[] {
    const messages: Message[] = [];
    if (this.#owesBegin) {
      messages.push(this.#refresh(RefreshSubtype.begin));
      this.#owesBegin = false;
    }
    const batch = new Batch(this.#table.family, this.#peer.coding, this.#sets);
    for (let turn = 0; turn < TURN && batch.bytes < maxBytes; turn++) {
      if (this.#queue.size > 0) {
        const prefix = this.#queue.shift();
        if (this.#table.prefixes.has(prefix)) this.#tell(prefix, false, batch);
      } else if (this.#sweep !== undefined && this.#sweep.at < this.#sweep.end) {
        const { again } = this.#sweep;
        const prefix = this.#sweep.at++;
        if (this.#table.prefixes.has(prefix)) this.#tell(prefix, again, batch);
      } else break;
    }
    for (const update of batch.updates()) messages.push({ kind: 'update', update });
    if (this.#sweep !== undefined && this.#sweep.at >= this.#sweep.end) this.#endSweep(messages);
    return messages;
  }

  /** The session is gone, and with it what the peer was told. */
  close(): void {
    for (const [prefix, id] of this.#told) {
      this.#sets.release(id);
      this.#table.letGo(prefix);
    }
    for (const [prefix, offers] of this.#toldPaths) {
      for (const { set } of offers) this.#sets.release(set);
      this.#table.letGo(prefix);
    }
  }

  *routes(): IterableIterator<SentRoute> {
    for (const [row, id] of this.#told) {
      yield { prefix: this.#table.prefixes.prefixOf(row), attributes: this.#sets.attributesOf(id) };
    }
    for (const [row, offers] of this.#toldPaths) {
      const prefix = this.#table.prefixes.prefixOf(row);
      for (const { pathId, set } of offers)
        yield { prefix, pathId, attributes: this.#sets.attributesOf(set) };
    }
  }

  /** For tests, which count themselves. */
  *setIds(): IterableIterator<number> {
    for (const [, id] of this.#told) yield id;
    for (const offers of this.#toldPaths.values()) for (const { set } of offers) yield set;
  }

  #tell(row: number, again: boolean, batch: Batch): void {
    if (this.addPath) this.#tellPaths(row, again, batch);
    else this.#tellBest(row, again, batch);
  }

  #tellBest(row: number, again: boolean, batch: Batch): void {
    const set = this.#offers.best(row);
    const told = this.#told.get(row);
    if (set === told && (!again || set === 0)) return;
    const nlri = { prefix: this.#table.prefixes.prefixOf(row) };
    const fits = set !== 0 && batch.announce(set, nlri);
    if (!fits && told !== 0) batch.withdraw(nlri);
    if (fits) this.#sets.retain(set);
    else this.#sets.forgetUnused(set);
    this.#told.set(row, fits ? set : 0);
    this.#sets.release(told);
    this.#count(row, told === 0 ? 0 : 1, fits ? 1 : 0);
  }

  #tellPaths(row: number, again: boolean, batch: Batch): void {
    const told = this.#toldPaths.get(row) ?? [];
    const prefix = this.#table.prefixes.prefixOf(row);
    const offers: Offer[] = [];
    /** Of several paths perhaps: none is forgotten before all were looked at. */
    const tooLarge: AttributeSet[] = [];
    for (const offer of this.#offers.paths(row)) {
      const { pathId, set } = offer;
      const known = told.some((one) => one.pathId === pathId && one.set === set);
      const nlri: Nlri = { prefix, pathId };
      if (known ? !again || batch.announce(set, nlri) : batch.announce(set, nlri)) offers.push(offer);
      else tooLarge.push(set);
    }
    for (const set of tooLarge) this.#sets.forgetUnused(set);
    for (const { pathId } of told) {
      if (!offers.some((offer) => offer.pathId === pathId)) batch.withdraw({ prefix, pathId });
    }
    for (const { set } of offers) this.#sets.retain(set);
    for (const { set } of told) this.#sets.release(set);
    if (offers.length > 0) this.#toldPaths.set(row, offers);
    else this.#toldPaths.delete(row);
    this.#count(row, told.length, offers.length);
  }

  #count(row: number, before: number, now: number): void {
    this.count += now - before;
    if (before === 0 && now > 0) this.#table.hold(row);
    else if (before > 0 && now === 0) this.#table.letGo(row);
  }

  #endSweep(messages: Message[]): void {
    this.#sweep = undefined;
    if (this.#owesEndOfRib) messages.push({ kind: 'update', update: endOfRib(this.#table.family) });
    if (this.#owesEnd) messages.push(this.#refresh(RefreshSubtype.end));
    this.#owesEndOfRib = false;
    this.#owesEnd = false;
  }

  #refresh(subtype: number): Message {
    const refresh = { afi: afiOf(this.#table.family), safi: Safi.unicast, subtype };
    return { kind: 'routeRefresh', refresh };
  }
}
