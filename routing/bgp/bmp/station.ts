/**
 * What one monitoring station is to be told (RFC 7854), in which order: that a peer is up, all of its routes, what changes of
 * them, what it counts, that it is down. Knows no socket: what there is to send is taken when there is room for it.
 *
 *    peerUp, peerDown, statistics ──▶ said ──┐
 *    Adj-RIB-In ─▶ feeds of each peer ───────┴▶ take
 */
import type { AdjRibInFeed, FeedOptions, FeedView } from '../../rib/adj-rib-in-feed.ts';
import type { Coding } from '../codec/attributes.ts';
import { encodeMessage } from '../codec/message.ts';
import {
  type BmpPeer,
  initiation,
  type PeerDown,
  type PeerStatistics,
  type PeerUp,
  peerDown,
  peerUp,
  routeMonitoring,
  statistics,
  termination,
} from './encode.ts';

/** A peer whose session is up. */
export interface Monitored extends BmpPeer, PeerUp {
  readonly name: string;
  /** Of what it sends. */
  readonly coding: Coding;
  follow(views: readonly FeedView[], options: FeedOptions): AdjRibInFeed[];
  unfollow(feeds: readonly AdjRibInFeed[]): void;
  statistics(): PeerStatistics;
}

interface Followed {
  readonly peer: Monitored;
  readonly coding: Coding;
  readonly feeds: readonly AdjRibInFeed[];
}

export class Station {
  readonly #views: readonly FeedView[];
  readonly #onPending: () => void;
  readonly #peers = new Map<string, Followed>();
  /** Names of peers of which there are routes to tell. */
  readonly #pending = new Set<string>();
  #said: Uint8Array[];

  /** @param identity as the station is to know this speaker @param onPending there is something to take */
  constructor(
    identity: { readonly name: string; readonly description: string },
    views: readonly FeedView[],
    onPending: () => void,
  ) {
    this.#views = views;
    this.#onPending = onPending;
    this.#said = [initiation(identity.name, identity.description)];
  }

  get hasPending(): boolean {
    return this.#said.length > 0 || this.#pending.size > 0;
  }

  /** @param at here and below: milliseconds since 1970 */
  peerUp(peer: Monitored, at: number): void {
    const { name } = peer;
    // Section 4.6: AS paths as the router itself has them. The local preference of policy goes to whom it does not concern.
    const coding: Coding = { ...peer.coding, asBytes: 4, internal: true };
    const feeds = peer.follow(this.#views, {
      coding,
      onPending: () => {
        this.#pending.add(name);
        this.#onPending();
      },
    });
    this.#peers.set(name, { peer, coding, feeds });
    this.#pending.add(name);
    this.#say(peerUp(peer, at, peer));
  }

  /** The station forgets its routes with that. */
  peerDown(name: string, at: number, how: PeerDown): void {
    const followed = this.#peers.get(name);
    if (followed === undefined) return;
    this.#peers.delete(name);
    this.#pending.delete(name);
    this.#say(peerDown(followed.peer, at, how));
  }

  statistics(at: number): void {
    for (const { peer } of this.#peers.values()) this.#say(statistics(peer, at, peer.statistics()));
  }

  /** About as many bytes of messages as are asked for; empty: there is nothing for now. */
  take(maxBytes: number, at: number): Uint8Array {
    if (this.#said.length > 0) {
      const all = Buffer.concat(this.#said);
      this.#said = [];
      return all;
    }
    const [name] = this.#pending;
    const followed = name === undefined ? undefined : this.#peers.get(name);
    if (name === undefined || followed === undefined) return new Uint8Array(0);
    // The next one's turn is next.
    this.#pending.delete(name);
    const messages = followed.feeds.flatMap((feed) => messagesOf(followed, feed, maxBytes, at));
    if (followed.feeds.some(({ hasPending }) => hasPending)) this.#pending.add(name);
    return Buffer.concat(messages);
  }

  /** Nothing is to be told any more. @returns a last message, for a station that still listens */
  close(why: string): Uint8Array {
    for (const { peer, feeds } of this.#peers.values()) peer.unfollow(feeds);
    this.#peers.clear();
    this.#pending.clear();
    return termination(why);
  }

  #say(message: Uint8Array): void {
    this.#said.push(message);
    this.#onPending();
  }
}

const messagesOf = (
  { peer, coding }: Followed,
  feed: AdjRibInFeed,
  maxBytes: number,
  at: number,
): Uint8Array[] => {
  if (!feed.hasPending) return [];
  // Of what was there before it was asked for nobody knows the time any more.
  const since = feed.isComplete ? at : 0;
  return feed.take(maxBytes).map((update) => {
    const message = encodeMessage({ kind: 'update', update }, coding);
    return routeMonitoring(peer, since, feed.view === 'accepted', message);
  });
};
