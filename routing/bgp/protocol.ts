/**
 * What the node and the speaker's thread say to each other: values that can be cloned. Calls are answered in any order,
 * by their numbers; a batch of routes is followed by the next one when it was taken.
 */
import type { Prefix } from '../../wire/prefix.ts';
import type { Explanation } from '../rib/route.ts';
import type {
  BgpEvents,
  DownloadQuery,
  OriginatedRoute,
  PeerView,
  ResolvedNextHop,
  RouteQuery,
  RouteView,
  StartOptions,
} from './bgp.ts';
import type { CollectorView } from './bmp/collector.ts';
import type { RouteBatch } from './route-batch.ts';
import type { BgpSettings } from './settings.ts';

/** With which a thread begins. */
export interface ThreadSetup {
  readonly settings: BgpSettings;
  readonly options: StartOptions;
}

/** What can be asked, and what is answered. */
export interface Calls {
  apply(settings: BgpSettings): void;
  peers(): readonly PeerView[];
  collectors(): readonly CollectorView[];
  explain(prefix: Prefix): readonly Explanation[];
  clear(peer: string, how: 'hard' | 'in' | 'out'): void;
  shutdown(peer: string, text: string): void;
  enable(peer: string): void;
}

/** Events that nobody answers. */
export type Told = Omit<BgpEvents, 'onRoutes' | 'onFailure'>;

type CallOf<Name extends keyof Calls> = {
  readonly kind: 'call';
  readonly id: number;
  readonly name: Name;
  readonly args: Parameters<Calls[Name]>;
};
type EventOf<Name extends keyof Told> = {
  readonly kind: 'event';
  readonly name: Name;
  readonly args: Parameters<Told[Name]>;
};

export type ToThread =
  | { [Name in keyof Calls]: CallOf<Name> }[keyof Calls]
  | { readonly kind: 'originate'; readonly routes: readonly OriginatedRoute[] }
  | { readonly kind: 'nextHops'; readonly resolved: readonly ResolvedNextHop[] }
  | { readonly kind: 'peerLost'; readonly peer: string; readonly why: string }
  /** The batch that came last is in use. */
  | { readonly kind: 'taken' }
  /** Some more routes of a query, which the first of these begins; `end`: no more of it. */
  | { readonly kind: 'read'; readonly id: number; readonly query?: RouteQuery }
  | { readonly kind: 'end'; readonly id: number }
  /** The next piece of a download, likewise. */
  | { readonly kind: 'pull'; readonly id: number; readonly query?: DownloadQuery }
  | { readonly kind: 'stop'; readonly restart: boolean };

export type FromThread =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly message: string }
  | { readonly kind: 'routes'; readonly batch: RouteBatch }
  /** Undefined: there are no more. */
  | { readonly kind: 'page'; readonly id: number; readonly routes: readonly RouteView[] | undefined }
  | { readonly kind: 'chunk'; readonly id: number; readonly bytes: Uint8Array | undefined }
  | { [Name in keyof Told]: EventOf<Name> }[keyof Told];
