/** A speaker without peers: holds what it is told, and tells what a test has it tell. */
import type {
  Bgp,
  BgpEvents,
  DownloadQuery,
  OriginatedRoute,
  PeerView,
  ResolvedNextHop,
  RouteChange,
  RouteQuery,
  RouteView,
} from '../../routing/bgp/bgp.ts';
import type { CollectorView } from '../../routing/bgp/bmp/collector.ts';
import type { BgpSettings } from '../../routing/bgp/settings.ts';
import type { Explanation } from '../../routing/rib/route.ts';
import { formatAddress, parseAddress } from '../../wire/address.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { batchesOf } from './route-batch.ts';

const NONE = { open: 0, update: 0, notification: 0, keepalive: 0, routeRefresh: 0 };

export class FakeBgp implements Bgp {
  settings: BgpSettings;
  readonly events: BgpEvents;
  readonly restarting: boolean;
  originated: readonly OriginatedRoute[] = [];
  /** Cost by next hop, null: cannot be reached. */
  readonly nextHopCosts = new Map<string, number | null>();
  stopped: { readonly restart: boolean } | undefined;
  readonly asked: string[] = [];
  views: PeerView[];
  stations: CollectorView[] = [];
  table: RouteView[] = [];
  explanation: Explanation[] = [];
  refusing: string | undefined;

  constructor(options: { settings: BgpSettings; events: BgpEvents; restarting: boolean }) {
    this.settings = options.settings;
    this.events = options.events;
    this.restarting = options.restarting;
    this.views = options.settings.peers.map((peer) => ({
      name: peer.name,
      ...(peer.endpoint.kind === 'address' && { address: peer.endpoint.address }),
      dynamic: false,
      ...(typeof peer.asn === 'number' && { asn: peer.asn }),
      state: 'established',
      uptimeSeconds: 7,
      received: 3,
      accepted: 2,
      advertised: 1,
      messages: { received: { ...NONE, update: 5 }, sent: NONE },
      bytes: { received: 500, sent: 50 },
      malformedUpdates: 0,
      sessions: 1,
      lastError: null,
      notes: [],
    }));
  }

  /** As BGP would. */
  async learn(
    ...changes: readonly (readonly [string, ...(Partial<RouteChange['paths'][number]> & { via: string })[]])[]
  ) {
    const values = changes.map(([prefix, ...paths]) => ({
      prefix: parsePrefix(prefix),
      paths: paths.map(({ via, ...more }) => ({
        peer: 'p',
        source: 'internal' as const,
        nextHop: parseAddress(via),
        ...more,
      })),
    }));
    for (const batch of batchesOf(values)) await this.events.onRoutes(batch);
  }

  async apply(settings: BgpSettings) {
    if (this.refusing) throw new Error(this.refusing);
    this.settings = settings;
  }
  originate(routes: readonly OriginatedRoute[]) {
    this.originated = routes;
  }
  nextHops(resolved: readonly ResolvedNextHop[]) {
    for (const { address, cost } of resolved) this.nextHopCosts.set(formatAddress(address), cost);
  }
  async peers() {
    return this.views;
  }
  async collectors() {
    return this.stations;
  }
  async *routes(query: RouteQuery) {
    this.asked.push(`routes ${query.rib} ${query.peer ?? ''}`);
    yield this.table.slice(0, 1);
    yield this.table.slice(1);
  }
  async *download(query: DownloadQuery) {
    this.asked.push(`download ${query.kind}`);
    yield new TextEncoder().encode(query.kind);
    yield new Uint8Array(0);
  }
  async explain() {
    return this.explanation;
  }
  async clear(peer: string, how: string) {
    this.asked.push(`clear ${peer} ${how}`);
  }
  async shutdown(peer: string, text: string) {
    this.asked.push(`shutdown ${peer} ${text}`);
  }
  async enable(peer: string) {
    this.asked.push(`enable ${peer}`);
  }
  peerLost(peer: string, why: string) {
    this.asked.push(`lost ${peer} ${why}`);
  }
  async stop(how: { readonly restart: boolean }) {
    this.stopped = how;
  }
}
