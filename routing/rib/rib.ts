/**
 * The routing information bases of a BGP speaker (RFC 4271 section 3.2) and what moves between them. Pure state: time is
 * an argument, sessions are somebody else's, and a next hop's way is asked for.
 *
 *    receive ─▶ Adj-RIB-In ─ import ─▶ decision ─▶ Loc-RIB ─▶ takeBest
 *                                                     └─ export ─▶ Adj-RIB-Out of each peer ─▶ take
 */
import type { Address } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Family, Nlri } from '../bgp/codec/family.ts';
import type { Message } from '../bgp/codec/message.ts';
import type { ReceivedUpdate } from '../bgp/codec/update.ts';
import { ACCEPT_ALL, type Policy } from '../policy/policy.ts';
import { AdjRibIn } from './adj-rib-in.ts';
import { AdjRibInFeed, type FeedOptions, type FeedView } from './adj-rib-in-feed.ts';
import { AdjRibOut, type Offer, type Offers } from './adj-rib-out.ts';
import { type AttributeSet, AttributeSets } from './attribute-sets.ts';
import { type DecisionOptions, decide } from './decision.ts';
import { exportRoute } from './export.ts';
import { Hops, isLinkLocal, isUnspecified, type Resolve } from './hops.ts';
import type { Self } from './import.ts';
import { LocRib, stalenessOf } from './loc-rib.ts';
import { type BestRoutes, LocRibFeed } from './loc-rib-feed.ts';
import { MOST_ATTRIBUTE_BYTES, type PeerOptions, type Retain, type RibPeer } from './peer.ts';
import { FAMILIES, PeerState } from './peer-state.ts';
import type {
  Explanation,
  LocalRoute,
  PeerCounts,
  PrefixCount,
  PrefixRoutes,
  ReceivedRoute,
  RibRoute,
  RouteAttributes,
  SentRoute,
  Verdict,
} from './route.ts';
import { Mark, Table } from './table.ts';

export interface RibOptions {
  readonly asn: number;
  readonly routerId: Address;
  /** Default: the router ID (RFC 4456 section 7). */
  readonly clusterId?: Address;
  readonly decision?: DecisionOptions;
  /** How many equally good routes may share traffic; default 1. */
  readonly maxPaths?: number;
  readonly resolve: Resolve;
  /** There is something for `takeBest`, where there was nothing of that family; may be taken at once. */
  readonly onBest: () => void;
  /** There is something to `take` for a peer for which there was nothing. */
  readonly onPending?: (peer: string) => void;
  /** No route uses what was resolved any more. */
  readonly onUnusedHop?: (nextHop: Address) => void;
}

/** Received before policy, after it, or what of that is in use, with what this node made. */
export type RibView = 'received' | 'accepted' | 'local';

/** How long stale routes wait for a peer that is back to announce them again, and for the end of a refresh. */
const RESYNC_MS = 360_000;

/** Of the share of the limit at which a warning is due, where none is set. */
const WARN_AT = 0.8;

/** Routes of a peer that is gone that are removed in one go: some ten milliseconds. */
const REMOVED_AT_ONCE = 4096;

const FINE: Verdict = {};

/** The number of this node among the peers. */
const LOCAL = 0;

export class Rib {
  readonly #options: RibOptions;
  readonly #self: Self;
  readonly #hops: Hops;
  readonly #sets: AttributeSets;
  readonly #tables: Readonly<Record<Family, Table>>;
  readonly #locRib: LocRib;
  readonly #adjRibIn: AdjRibIn;
  readonly #peers = new Map<string, PeerState>();
  /** Of sessions that are gone for good, while routes of theirs are removed; their peers may be back as others. */
  readonly #departed = new Set<PeerState>();
  /** Index: number. */
  readonly #byNumber: (PeerState | undefined)[] = [undefined];

  constructor(options: RibOptions) {
    const { asn, routerId, clusterId = routerId, decision = {}, maxPaths = 1 } = options;
    this.#options = options;
    this.#self = { asn, routerId, clusterId };
    this.#hops = new Hops(options.resolve, options.onUnusedHop);
    this.#sets = new AttributeSets(this.#hops, (set) => {
      for (const state of this.#byNumber) state?.forgetSet(set);
    });
    this.#tables = { 4: new Table(4, this.#sets), 6: new Table(6, this.#sets) };
    const peerOf = (number: number): PeerState | undefined => this.#byNumber[number];
    this.#locRib = new LocRib({ routerId, decision, maxPaths, peerOf });
    for (const family of FAMILIES) this.#locRib.feeds[family] = this.#newFeed(this.#tables[family]);
    this.#adjRibIn = new AdjRibIn(this.#self, this.#sets, this.#locRib);
  }

  /**
   * A session is established. Everything that policy lets through is queued for the peer, and the End-of-RIB behind it.
   * @param kept families whose forwarding state a peer that restarted says to have kept (RFC 4724 section 4.2): its
   * stale routes of others go at once
   */
  peerUp(peer: RibPeer, now: number, kept: readonly Family[] = []): void {
    this.#leaveNow(peer.name);
    const state = this.#peers.get(peer.name);
    if (state?.isUp) throw new RangeError(`peer ${peer.name} is up already`);
    const known = state ?? this.#newPeer(peer);
    if (state !== undefined) {
      state.isUp = true;
      state.peer = peer;
      state.forget();
      this.#forgetExports();
      for (const family of FAMILIES) {
        if (kept.includes(family) && peer.families.includes(family)) {
          if (state.staleUntil[family] !== undefined) state.staleUntil[family] = now + RESYNC_MS;
          // What it is to us may be something else now: its policies, its router ID, a client.
          this.#adjRibIn.renewAll(state, this.#tables[family]);
          this.#adjRibIn.decideAll(state, this.#tables[family]);
        } else this.#dropStale(state, family);
      }
    }
    for (const family of peer.families) {
      const out = new AdjRibOut(
        this.#tables[family],
        this.#sets,
        peer,
        known.number,
        this.#offersTo(known, this.#tables[family]),
        () => this.#options.onPending?.(peer.name),
      );
      known.outs[family] = out;
      this.#locRib.outs[family].push(out);
    }
    this.#options.onPending?.(peer.name);
  }

  /**
   * A session is gone, and with it the peer's routes.
   * @param retain those of these families wait for the peer to be back
   */
  peerDown(name: string, now: number, retain?: Retain): void {
    const state = this.#peer(name);
    state.isUp = false;
    for (const family of FAMILIES) {
      const out = state.outs[family];
      if (out !== undefined) {
        const outs = this.#locRib.outs[family];
        outs.splice(outs.indexOf(out), 1);
        out.close();
        delete state.outs[family];
      }
      for (const feed of state.feeds[family]) feed.close();
      state.feeds[family].clear();
      state.warned[family] = false;
      delete state.refreshUntil[family];
      const table = this.#tables[family];
      if (retain === undefined || !retain.families.includes(family)) {
        state.leaving[family] = { mark: undefined, from: 1 };
        delete state.staleUntil[family];
        delete state.longLivedUntil[family];
        continue;
      }
      // RFC 4724 section 4.2: what was stale from the restart before is not kept for another.
      this.#adjRibIn.removeAll(state, table, Mark.stale);
      this.#adjRibIn.markAll(state, table, Mark.stale);
      state.staleUntil[family] = now + 1000 * retain.staleSeconds;
    }
    state.longLivedSeconds = { ...retain?.longLivedSeconds };
    if (FAMILIES.every((family) => state.staleUntil[family] === undefined)) {
      this.#peers.delete(name);
      this.#departed.add(state);
    }
    this.expire(now);
    this.#forgetIfGone(state);
  }

  /** An End-of-RIB is no route: nothing happens, `endOfRib` is for it. */
  receive(name: string, { update, treatAsWithdraw, known, cache }: ReceivedUpdate): Verdict {
    const state = this.#peer(name);
    const { withdrawn, unreach, attributes, reach, nlri } = update;
    const set = known?.id;
    // What is withdrawn here may be all that has it until now.
    if (set !== undefined) this.#sets.retain(set);
    this.#withdraw(state, 4, withdrawn);
    if (unreach !== undefined) this.#withdraw(state, unreach.family, unreach.nlri);
    let verdict = FINE;
    if (treatAsWithdraw) {
      this.#withdraw(state, 4, nlri);
      if (reach !== undefined) this.#withdraw(state, reach.family, reach.nlri);
      return verdict;
    }
    if (set !== undefined) {
      verdict = this.#announce(state, 4, nlri, set);
      this.#sets.release(set);
    } else if (nlri.length > 0 && attributes.nextHop !== undefined) {
      const fresh = this.#sets.intern(attributes as RouteAttributes, state.account);
      cache?.learn(this.#sets, fresh);
      verdict = this.#announce(state, 4, nlri, fresh);
    }
    if (reach !== undefined && verdict.exceeded === undefined && verdict.exhausted === undefined) {
      const { family, nextHop, linkLocal } = reach;
      const complete = { ...attributes, ...nextHopOf(nextHop, linkLocal) };
      const more = this.#announce(state, family, reach.nlri, this.#sets.intern(complete, state.account));
      verdict = { ...verdict, ...more };
    }
    return verdict;
  }

  /** All routes of the family have been announced (again): those still stale go. */
  endOfRib(name: string, family: Family): void {
    this.#dropStale(this.#peer(name), family);
  }

  /** RFC 7313 section 4.2: the peer announces everything again. */
  beginRefresh(name: string, family: Family, now: number): void {
    const state = this.#peer(name);
    this.#adjRibIn.markAll(state, this.#tables[family], Mark.unrefreshed);
    state.refreshUntil[family] = now + RESYNC_MS;
  }

  /** What was not announced again is gone. Without a begin nothing happens. */
  endRefresh(name: string, family: Family): void {
    const state = this.#peer(name);
    if (state.refreshUntil[family] === undefined) return;
    delete state.refreshUntil[family];
    this.#adjRibIn.removeAll(state, this.#tables[family], Mark.unrefreshed);
  }

  /** Milliseconds of the caller's clock at which `expire` is due; undefined: nothing is waited for. */
  nextDeadline(): number | undefined {
    let next: number | undefined;
    for (const { staleUntil, longLivedUntil, refreshUntil } of this.#peers.values()) {
      for (const deadlines of [staleUntil, longLivedUntil, refreshUntil]) {
        for (const at of Object.values(deadlines)) if (next === undefined || at < next) next = at;
      }
    }
    return next;
  }

  expire(now: number): void {
    const isDue = (at: number | undefined): boolean => at !== undefined && at <= now;
    for (const state of this.#peers.values()) {
      for (const family of FAMILIES) {
        const table = this.#tables[family];
        if (isDue(state.refreshUntil[family])) this.endRefresh(state.peer.name, family);
        if (isDue(state.staleUntil[family])) {
          const seconds = state.longLivedSeconds[family] ?? 0;
          delete state.staleUntil[family];
          if (seconds > 0 && !state.isUp) {
            this.#adjRibIn.prolong(state, table);
            state.longLivedUntil[family] ??= now + 1000 * seconds;
          } else if (state.isUp) this.#adjRibIn.removeAll(state, table, Mark.stale);
          else state.leaving[family] ??= { mark: Mark.stale, from: 1 };
        }
        if (isDue(state.longLivedUntil[family])) {
          delete state.longLivedUntil[family];
          this.#adjRibIn.removeAll(state, table, Mark.longLived);
        }
      }
      this.#forgetIfGone(state);
    }
    this.removeLeaving();
  }

  /**
   * Goes on removing routes whose peer is gone, for some milliseconds: a million of them take seconds, in which others
   * have to be answered. @returns whether there are more
   */
  removeLeaving(): boolean {
    let left = REMOVED_AT_ONCE;
    for (const state of [...this.#departed, ...this.#peers.values()]) {
      left -= this.#leave(state, left);
      if (left === 0) return true;
    }
    return false;
  }

  /** The peer asked for a refresh. */
  resend(name: string, family: Family): void {
    this.#peer(name).outs[family]?.resend();
  }

  /** Of a session that stays: routes received are judged again, and what to send is looked at again. */
  setPolicies(name: string, policies: { readonly import?: Policy; readonly export?: Policy }): void {
    const state = this.#peer(name);
    const { import: _, export: __, ...rest } = state.peer;
    this.#change(state, { ...rest, ...policies });
  }

  setOptions(name: string, options: PeerOptions): void {
    const state = this.#peer(name);
    this.#change(state, { ...state.peer, options });
  }

  /** A route made on this node. @param attributes with a next hop of 0.0.0.0 or :: where peers are to come to this node */
  originate(prefix: Prefix, attributes: RouteAttributes): void {
    const table = this.#tables[prefix.address.family];
    const set = this.#sets.intern(attributes);
    const row = table.prefixes.add(prefix);
    let route = table.find(row, LOCAL, 0);
    if (route === 0) route = table.add(row, LOCAL, 0);
    if (table.after(route) === set) return;
    const wasUsed = table.isMarked(route, Mark.used);
    table.setBefore(route, set);
    table.setAfter(route, set);
    this.#locRib.decide(table, row, route, wasUsed);
  }

  withdraw(prefix: Prefix): void {
    const table = this.#tables[prefix.address.family];
    const row = table.prefixes.find(prefix);
    const route = row === 0 ? 0 : table.find(row, LOCAL, 0);
    if (route === 0) return;
    const wasUsed = table.isMarked(route, Mark.used);
    table.remove(route);
    this.#locRib.decide(table, row, 0, wasUsed);
    table.settle(row);
  }

  /** `resolve` may answer otherwise now. @param nextHops for which; absent: for any */
  nextHopsChanged(nextHops?: readonly Address[]): void {
    const changed = this.#hops.refresh(nextHops);
    if (changed.size === 0) return;
    for (const family of FAMILIES) {
      const table = this.#tables[family];
      const rows = new Set<number>();
      for (const route of table.routes()) {
        if (table.peer.get(route) === LOCAL) continue;
        const hop = this.#sets.hopOf(table.after(route));
        if (hop !== undefined && changed.has(hop)) rows.add(table.prefixOfRoute(route));
      }
      for (const row of rows) this.#locRib.decide(table, row, 0, true);
    }
  }

  /** This node restarts: until `startSelection` routes are only gathered (RFC 4724 section 4.1). */
  deferSelection(): void {
    this.#locRib.deferred = true;
  }

  startSelection(): void {
    if (!this.#locRib.deferred) return;
    this.#locRib.deferred = false;
    for (const { outs } of this.#peers.values()) for (const family of FAMILIES) outs[family]?.sweep();
    for (const family of FAMILIES) {
      const table = this.#tables[family];
      for (let row = 1; row < table.prefixes.end; row++) {
        const concerned = table.first(row) !== 0 || table.best.get(row) !== 0;
        if (concerned) this.#locRib.decide(table, row, 0, true);
      }
    }
  }

  /**
   * What the peer is to be told next, about `maxBytes` of it (one message more at most).
   * Empty although `hasPending` when a turn of it found nothing to say.
   */
  take(name: string, maxBytes: number): Message[] {
    if (this.#locRib.deferred) return [];
    const { outs } = this.#peer(name);
    for (const family of FAMILIES) {
      const out = outs[family];
      if (out?.hasPending) return out.take(maxBytes);
    }
    return [];
  }

  hasPending(name: string): boolean {
    if (this.#locRib.deferred) return false;
    const { outs } = this.#peer(name);
    return FAMILIES.some((family) => outs[family]?.hasPending);
  }

  /** What is best now where that has changed, `most` prefixes of a family; undefined: nothing has. */
  takeBest(most: number): BestRoutes | undefined {
    for (const family of FAMILIES) {
      const feed = this.#locRib.feeds[family];
      if (feed?.hasPending) return feed.take(most);
    }
    return undefined;
  }

  /** The routes that share traffic to a prefix, the best first; none: there is none. */
  chosen(prefix: Prefix): readonly RibRoute[] {
    const table = this.#tables[prefix.address.family];
    const row = table.prefixes.find(prefix);
    if (row === 0 || table.best.get(row) === 0) return [];
    return this.#locRib.chosen(table, row).map((one) => one.copy());
  }

  counts(name: string): PeerCounts {
    const { received, accepted, outs } = this.#peer(name);
    return {
      received: received[4] + received[6],
      accepted: accepted[4] + accepted[6],
      advertised: (outs[4]?.count ?? 0) + (outs[6]?.count ?? 0),
    };
  }

  *adjIn(name: string, when: 'before' | 'after'): IterableIterator<ReceivedRoute> {
    const state = this.#peers.get(name);
    if (state === undefined) return;
    for (const family of FAMILIES) yield* this.#adjRibIn.routes(state, this.#tables[family], when);
  }

  /** All that the peer announces, by family and view, as long as its session is up or until `unfollow`. */
  follow(name: string, views: readonly FeedView[], options: FeedOptions): AdjRibInFeed[] {
    const { peer, number, feeds } = this.#peer(name);
    return peer.families.flatMap((family) =>
      views.map((view) => {
        const feed = new AdjRibInFeed(this.#tables[family], number, view, options);
        feeds[family].add(feed);
        return feed;
      }),
    );
  }

  unfollow(name: string, all: readonly AdjRibInFeed[]): void {
    const feeds = this.#peers.get(name)?.feeds;
    for (const feed of all) {
      feed.close();
      for (const family of FAMILIES) feeds?.[family].delete(feed);
    }
  }

  /** Peers that are up, and those of which something is kept. */
  *peers(): IterableIterator<RibPeer> {
    for (const { peer } of this.#peers.values()) yield peer;
  }

  /** Prefix by prefix; undefined: there is nothing of one that was looked at. */
  *prefixes(view: RibView): IterableIterator<PrefixRoutes | undefined> {
    for (const family of FAMILIES) {
      const table = this.#tables[family];
      for (let row = 1; row < table.prefixes.end; row++) {
        const routes: PrefixRoutes['routes'][number][] = [];
        for (let route = table.first(row); route !== 0; route = table.next(route)) {
          const state = this.#byNumber[table.peer.get(route)];
          if (state === undefined ? view !== 'local' : this.#departed.has(state)) continue;
          if (view === 'local' && !table.isMarked(route, Mark.used)) continue;
          const set = view === 'received' ? table.before(route) : table.after(route);
          if (set === 0) continue;
          const attributes = this.#sets.attributesOf(set);
          const pathId = table.pathId.get(route);
          routes.push({ ...(state !== undefined && { peer: state.peer.name }), pathId, attributes });
        }
        yield routes.length === 0 ? undefined : { prefix: table.prefixes.prefixOf(row), routes };
      }
    }
  }

  locRib(): IterableIterator<LocalRoute> {
    return this.#locRib.routes([this.#tables[4], this.#tables[6]]);
  }

  *adjOut(name: string): IterableIterator<SentRoute> {
    const { outs = {} } = this.#peers.get(name) ?? {};
    for (const family of FAMILIES) yield* outs[family]?.routes() ?? [];
  }

  /** Every route to the prefix and what became of it; empty when there is none. */
  explain(prefix: Prefix): Explanation[] {
    const table = this.#tables[prefix.address.family];
    const row = table.prefixes.find(prefix);
    const contenders = this.#locRib.contenders(table, row);
    const { lost } = decide(contenders, this.#options.decision);
    const all: Explanation[] = [];
    for (let route = table.first(row); route !== 0; route = table.next(route)) {
      const state = this.#byNumber[table.peer.get(route)];
      const before = this.#sets.attributesOf(table.before(route));
      const contender = contenders.find((one) => one.route === route);
      const why = contender === undefined ? undefined : lost.get(contender);
      const outcome = (): Explanation['outcome'] => {
        if (contender === undefined || state === undefined) {
          if (contender !== undefined && table.best.get(row) === route) return { kind: 'best' };
          if (contender !== undefined) return { kind: 'lost', why: why ?? 'equal' };
          const reason = state === undefined ? '' : this.#adjRibIn.whyRejected(state, before, prefix);
          return { kind: 'rejected', why: reason };
        }
        if (table.best.get(row) === route) return { kind: 'best' };
        return table.isMarked(route, Mark.used) ? { kind: 'equal' } : { kind: 'lost', why: why ?? 'equal' };
      };
      all.push({
        ...(state !== undefined && { peer: state.peer.name }),
        pathId: table.pathId.get(route),
        before,
        ...(contender !== undefined && { after: contender.attributes }),
        staleness: stalenessOf(table, route),
        outcome: outcome(),
      });
    }
    return all;
  }

  /** What does not add up inside, counted anew: for tests and for `doctor`; empty when all is well. */
  audit(): string[] {
    const uses = new Map<number, number>();
    const use = (id: number): void => void uses.set(id, (uses.get(id) ?? 0) + 1);
    for (const table of [this.#tables[4], this.#tables[6]]) {
      for (const route of table.routes()) {
        use(table.before(route));
        if (table.after(route) !== 0) use(table.after(route));
      }
      for (const out of this.#locRib.outs[table.family]) for (const id of out.setIds()) use(id);
    }
    const wrong: string[] = [];
    for (const [id, counted] of this.#sets.uses()) {
      const real = uses.get(id) ?? 0;
      if (counted !== real || real === 0) wrong.push(`attribute set ${id}: ${real} uses, ${counted} counted`);
      uses.delete(id);
    }
    for (const id of uses.keys()) wrong.push(`attribute set ${id}: used, and forgotten`);
    for (const table of [this.#tables[4], this.#tables[6]]) {
      for (let row = 1; row < table.prefixes.end; row++) {
        const isNeeded = table.first(row) !== 0 || table.isHeld(row);
        if (table.prefixes.has(row) !== isNeeded)
          wrong.push(`prefix ${row}: there ${!isNeeded}, needed ${isNeeded}`);
      }
    }
    return wrong;
  }

  #newPeer(peer: RibPeer): PeerState {
    let number = 1;
    while (this.#byNumber[number] !== undefined) number++;
    const state = new PeerState(number, peer, this.#sets);
    this.#byNumber[number] = state;
    this.#peers.set(peer.name, state);
    return state;
  }

  #peer(name: string): PeerState {
    const state = this.#peers.get(name);
    if (state === undefined) throw new RangeError(`no peer ${name} is up`);
    return state;
  }

  #forgetIfGone(state: PeerState): void {
    if (state.isUp || state.received[4] + state.received[6] > 0) return;
    if (this.#peers.get(state.peer.name) === state) this.#peers.delete(state.peer.name);
    this.#departed.delete(state);
    this.#byNumber[state.number] = undefined;
    this.#forgetExports();
  }

  /** @returns how many routes were removed, which are `most` when there may be more */
  #leave(state: PeerState, most: number): number {
    let all = 0;
    for (const family of FAMILIES) {
      const leaving = state.leaving[family];
      if (leaving === undefined) continue;
      const { from, mark } = leaving;
      const { removed, next } = this.#adjRibIn.removeSome(
        state,
        this.#tables[family],
        from,
        mark,
        most - all,
      );
      all += removed;
      leaving.from = next;
      if (next !== 0) return all;
      delete state.leaving[family];
      this.#forgetIfGone(state);
    }
    return all;
  }

  /** It is back. */
  #leaveNow(name: string): void {
    const state = this.#peers.get(name);
    if (state !== undefined) this.#leave(state, Number.POSITIVE_INFINITY);
  }

  #dropStale(state: PeerState, family: Family): void {
    const { staleUntil, longLivedUntil } = state;
    if (staleUntil[family] === undefined && longLivedUntil[family] === undefined) return;
    delete staleUntil[family];
    delete longLivedUntil[family];
    this.#adjRibIn.removeAll(state, this.#tables[family], Mark.stale | Mark.longLived);
  }

  #change(state: PeerState, peer: RibPeer): void {
    state.peer = peer;
    state.forget();
    for (const family of FAMILIES) {
      this.#adjRibIn.renewAll(state, this.#tables[family]);
      state.outs[family]?.sweep();
    }
  }

  /** A peer's number stands for another now: what others are told of its routes depends on what it is. */
  #forgetExports(): void {
    for (const state of this.#peers.values()) state.forgetExports();
  }

  #withdraw(state: PeerState, family: Family, all: readonly Nlri[]): void {
    for (const nlri of all) this.#adjRibIn.withdraw(state, this.#tables[family], nlri);
  }

  #announce(state: PeerState, family: Family, all: readonly Nlri[], set: AttributeSet): Verdict {
    const table = this.#tables[family];
    const { maxAttributeBytes = MOST_ATTRIBUTE_BYTES } = state.peer.options;
    if (state.account.bytes > maxAttributeBytes) {
      this.#sets.forgetUnused(set);
      return { exhausted: maxAttributeBytes };
    }
    let fits = true;
    for (const nlri of all) {
      fits = this.#adjRibIn.announce(state, table, nlri, set);
      if (!fits) break;
    }
    this.#sets.forgetUnused(set);
    return this.#judge(state, family, fits);
  }

  #judge(state: PeerState, family: Family, fits: boolean): Verdict {
    const bound = state.peer.options.maxPrefixes?.[family];
    if (bound === undefined) return FINE;
    const { limit, warnAt = Math.ceil(WARN_AT * limit) } = bound;
    const received = state.received[family];
    const count: PrefixCount = { family, count: fits ? received : received + 1, limit };
    if (!fits) return { exceeded: count };
    if (state.warned[family] || received < warnAt) return FINE;
    state.warned[family] = true;
    return { warning: count };
  }

  #newFeed(table: Table): LocRibFeed {
    const lookup = {
      chosen: (row: number) => this.#locRib.chosen(table, row),
      only: (route: number) => this.#locRib.forwarding(table, route),
    };
    return new LocRibFeed(table, lookup, () => this.#options.onBest());
  }

  #offersTo(to: PeerState, table: Table): Offers {
    return {
      best: (row) => {
        if (row === table.defaultPrefix && this.#makesDefault(to, table)) return this.#ownDefault(to, table);
        const best = table.best.get(row);
        return best === 0 ? 0 : this.#export(to, table, row, best);
      },
      paths: (row) => {
        if (row !== table.defaultPrefix || !this.#makesDefault(to, table)) {
          return this.#pathsTo(to, table, row);
        }
        const set = this.#ownDefault(to, table);
        return set === 0 ? [] : [{ pathId: 0, set }];
      },
    };
  }

  #makesDefault({ peer }: PeerState, { family }: Table): boolean {
    return peer.options.defaultOriginate?.includes(family) === true;
  }

  #ownDefault(to: PeerState, table: Table): AttributeSet {
    const words = table.family === 4 ? [0] : [0, 0, 0, 0];
    const own: RouteAttributes = { origin: 0, asPath: [], nextHop: { family: table.family, words } };
    const prefix = table.prefixes.prefixOf(table.defaultPrefix);
    const result = exportRoute(own, prefix, undefined, { ...to.peer, export: ACCEPT_ALL }, this.#self);
    return typeof result === 'string' ? 0 : this.#sets.intern(result);
  }

  #pathsTo(to: PeerState, table: Table, row: number): readonly Offer[] {
    const offers: Offer[] = [];
    for (const { route } of this.#locRib.ranked(table, row)) {
      if (offers.length === to.peer.options.maxPathsSent) break;
      const set = this.#export(to, table, row, route);
      // A route's number is its own as long as it is there, which is what a path identifier has to be.
      if (set !== 0) offers.push({ pathId: route, set });
    }
    return offers;
  }

  #export(to: PeerState, table: Table, row: number, route: number): AttributeSet {
    const number = table.peer.get(route);
    const set = table.after(route);
    if (set === 0) return 0;
    const known = to.exports?.get(set, number);
    if (known !== undefined) return known;
    const from = this.#byNumber[number]?.peer;
    const result = exportRoute(
      this.#sets.attributesOf(set),
      table.prefixes.prefixOf(row),
      from,
      to.peer,
      this.#self,
    );
    const out = typeof result === 'string' ? 0 : this.#sets.intern(result);
    to.exports?.set(set, number, out);
    return out;
  }
}

/** '::' beside a link-local address, or that twice: it is the link-local one that is meant. */
const nextHopOf = (
  nextHop: Address,
  linkLocal: Address | undefined,
): Pick<RouteAttributes, 'nextHop' | 'linkLocal'> => {
  if (linkLocal === undefined || !isLinkLocal(linkLocal)) return { nextHop };
  if (isUnspecified(nextHop) || isLinkLocal(nextHop)) return { nextHop: linkLocal };
  return { nextHop, linkLocal };
};
