/**
 * BFD as the rest of the node sees it: whom to watch, what is known of them, who is lost. Values only, since it runs in a
 * thread of its own (spawn.ts starts it).
 */
import type { Address } from '../../wire/address.ts';

/** Whom to watch, and from where. */
export interface BfdTarget {
  /** Its alone. */
  readonly name: string;
  readonly remote: Address;
  readonly local?: Address;
  /** Of link-local addresses: the name of their link. */
  readonly interface?: string;
  /** Further away than a link (RFC 5883). */
  readonly multihop: boolean;
  /** Milliseconds between packets, both ways. */
  readonly interval: number;
  readonly multiplier: number;
}

export type BfdStateName = 'adminDown' | 'down' | 'init' | 'up';

export interface BfdView {
  readonly name: string;
  readonly state: BfdStateName;
  /** Milliseconds without a packet after which the peer is lost; null: nothing was heard yet. */
  readonly detectionMs: number | null;
  /** Milliseconds between our packets, null: none are wanted. */
  readonly intervalMs: number | null;
  /** How often it was lost. */
  readonly losses: number;
  /** Of the last loss; null: none so far. */
  readonly lastLoss: string | null;
}

export interface BfdEvents {
  /** It was up, and its path or itself is not any more. Not for who says that it was shut down (RFC 5882 section 4.2). */
  onLost(name: string, why: string): void;
  onView(view: BfdView): void;
  onLog(level: 'info' | 'warn' | 'error', fields: Readonly<Record<string, unknown>>, text: string): void;
  onFailure(error: Error): void;
}

export interface Bfd {
  /** All there are: who is among them no more hears that it is meant; a changed interval does not end a session. */
  watch(targets: readonly BfdTarget[]): void;
  stop(): Promise<void>;
}

export type StartBfd = (events: BfdEvents) => Bfd;

/** What the thread is told, and tells. */
export type ToBfd =
  | { readonly kind: 'watch'; readonly targets: readonly BfdTarget[] }
  | { readonly kind: 'stop' };
export type FromBfd =
  | { readonly kind: 'lost'; readonly name: string; readonly why: string }
  | { readonly kind: 'view'; readonly view: BfdView }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly fields: Readonly<Record<string, unknown>>;
      readonly text: string;
    };
