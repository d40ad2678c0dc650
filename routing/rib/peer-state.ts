/** A peer as the RIBs keep it while its session is up, and after that as long as routes of it are kept. */
import type { Family } from '../bgp/codec/family.ts';
import { asksForPrefix } from '../policy/match.ts';
import type { Policy } from '../policy/policy.ts';
import type { AdjRibInFeed, FeedView } from './adj-rib-in-feed.ts';
import type { AdjRibOut } from './adj-rib-out.ts';
import { Account, type AttributeSet, type AttributeSets } from './attribute-sets.ts';
import { Memo } from './memo.ts';
import type { RibPeer } from './peer.ts';

export const FAMILIES = [4, 6] as const satisfies readonly Family[];

/** Milliseconds of the caller's clock, by family; absent: nothing is waited for. */
export type Deadlines = { 4?: number; 6?: number };

export interface Leaving {
  readonly mark: number | undefined;
  from: number;
}

export class PeerState {
  /** In the column of routes' peers; 0 is this node. */
  readonly number: number;
  peer: RibPeer;
  isUp = true;
  readonly outs: { 4?: AdjRibOut; 6?: AdjRibOut } = {};
  /** Who follows its Adj-RIB-In, while its session is up. */
  readonly feeds = { 4: new Set<AdjRibInFeed>(), 6: new Set<AdjRibInFeed>() };
  /** Routes in Adj-RIB-In, and of these the ones that policy let pass. */
  readonly received = { 4: 0, 6: 0 };
  readonly accepted = { 4: 0, 6: 0 };
  readonly warned = { 4: false, 6: false };
  /** Attributes that it brought, before policy and after. */
  readonly account = new Account();

  /** Until when the peer has to be back, or, when it is, to have announced its routes again. */
  readonly staleUntil: Deadlines = {};
  readonly longLivedUntil: Deadlines = {};
  /** How long its routes are kept as long-lived stale ones, seconds. */
  longLivedSeconds: Deadlines = {};
  readonly refreshUntil: Deadlines = {};
  /** Routes that are being removed: those with a mark, or all, and the row from which on they may still be there. */
  readonly leaving: { 4?: Leaving; 6?: Leaving } = {};

  /** What import and export come to by attribute set; undefined: the policy also asks for prefixes. */
  imports: Memo | undefined;
  /** As `imports`, and by the number of the peer that the route came from. */
  exports: Memo | undefined;

  readonly #sets: AttributeSets;

  constructor(number: number, peer: RibPeer, sets: AttributeSets) {
    this.#sets = sets;
    this.number = number;
    this.peer = peer;
    this.forget();
  }

  /** A route of its Adj-RIB-In is not what it was: call it while the prefix has its row. */
  tellFeeds(family: Family, view: FeedView, row: number, pathId: number): void {
    const feeds = this.feeds[family];
    if (feeds.size === 0) return;
    for (const feed of feeds) if (feed.view === view) feed.changed(row, pathId);
  }

  /** Something that import or export depend on has changed. */
  forget(): void {
    this.imports = dependsOnPrefix(this.peer.import) ? undefined : new Memo(this.#sets);
    this.forgetExports();
  }

  /** Its number will be another one's. */
  forgetSet(set: AttributeSet): void {
    this.imports?.forget(set);
    this.exports?.forget(set);
  }

  /** What it is told of others' routes also depends on who these are. */
  forgetExports(): void {
    this.exports = dependsOnPrefix(this.peer.export) ? undefined : new Memo(this.#sets);
  }
}

const dependsOnPrefix = (policy: Policy | undefined): boolean =>
  policy !== undefined && asksForPrefix(policy);
