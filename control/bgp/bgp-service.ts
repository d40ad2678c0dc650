/**
 * BGP as the node has it: running while the configuration has a section `bgp`, started, changed and ended with it; and what
 * commands ask about it, put into the words of the interface (views.ts).
 */
import type { RouteQuery } from '../../routing/bgp/bgp.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { NodeConfig } from '../config/node-config.ts';
import { WeftError } from '../errors.ts';
import type {
  BgpClear,
  BgpDump,
  BgpPeer,
  BgpRecord,
  BgpRoute,
  BgpRoutesQuery,
  BgpSummary,
  BgpWhy,
  BmpStation,
} from '../service.ts';
import { type BgpNode, type BgpNodeOptions, openBgpNode } from './bgp-node.ts';
import { peerView, routeView, stationView, whyView } from './views.ts';

export interface BgpService {
  /** As the node starts: routes of before are in use, and the speaker runs. Resolves when peers have told theirs, or soon. */
  start(): Promise<void>;
  /** Rejects, with nothing changed, what cannot be. */
  apply(config: NodeConfig): Promise<void>;
  /** What the underlay is has changed. */
  underlayChanged(): void;
  /** Resolves when routes have followed all that has changed until now. */
  settled(): Promise<void>;
  /** To be called now and then: announces what has come true meanwhile. */
  tick(): void;
  stop(restart: boolean): Promise<void>;

  summary(): BgpSummary;
  peers(): Promise<BgpPeer[]>;
  stations(): Promise<BmpStation[]>;
  routes(query: BgpRoutesQuery): AsyncIterable<readonly BgpRoute[]>;
  why(prefix: Prefix): Promise<BgpWhy>;
  record(request: BgpRecord): AsyncIterable<Uint8Array>;
  dump(request: BgpDump): AsyncIterable<Uint8Array>;
  clear(request: BgpClear): Promise<void>;
  shutdown(peer: string, text: string): Promise<void>;
  enable(peer: string): Promise<void>;
  /** Of learned routes. */
  prefixes(): Iterable<Prefix>;
  /** Why the route, or a path of it, is not in use; empty when all are. */
  problems(prefix: Prefix): readonly string[];
  /** Whether it is a learned one with no path that can be used. */
  isUnusable(prefix: Prefix): boolean;
}

/** How long the node waits with its ready line for what peers tell, milliseconds: those that are up tell it at once. */
const START_PATIENCE = 2000;

/** Bytes of a recorded session. */
const MOST_RECORDED = 256 << 20;

export function createBgpService(options: BgpNodeOptions): BgpService {
  let running: BgpNode | undefined;
  let { config } = options;
  const open = () => openBgpNode({ ...options, config });
  const need = (): BgpNode => {
    if (running) return running;
    throw new WeftError(
      'not-found',
      "BGP is not configured on this node; give its configuration a section 'bgp'",
    );
  };
  return {
    async start() {
      if (!config.bgp) return options.onInitialRoutes();
      running = open();
      if (config.bgp.peers.some(({ shutdown }) => shutdown === false))
        await running.initialRoutes(START_PATIENCE);
    },
    async apply(next) {
      if (running && next.bgp) {
        await running.apply(next);
        config = next;
        return;
      }
      config = next;
      if (next.bgp) running = open();
      else if (running) {
        const ended = running;
        running = undefined;
        await ended.stop(false);
        await ended.forget();
      }
    },
    underlayChanged: () => running?.refresh(),
    settled: async () => running?.settled(),
    tick: () => running?.tick(),
    async stop(restart) {
      await running?.stop(restart);
      running = undefined;
    },

    summary() {
      return {
        ...(running?.sessions() ?? { peers: 0, established: 0 }),
        ...(config.bgp && { asn: config.bgp.asn }),
        learned: running?.learned.size ?? 0,
        unusable: running?.learned.unusableCount ?? 0,
      };
    },
    async peers() {
      const views = (await running?.bgp.peers()) ?? [];
      return views.map((view) => peerView(view, config.bgp, running?.bfd(view.name)));
    },
    async stations() {
      const views = (await running?.bgp.collectors()) ?? [];
      return views.map((view) => stationView(view, Date.now()));
    },
    routes: (query) => routesOf(running, query),
    async why(prefix) {
      const { bgp, learned } = need();
      return whyView(prefix, await bgp.explain(prefix), learned.problems(prefix));
    },
    async *record({ peer, seconds, messages }) {
      const { bgp } = need();
      const bounds = { seconds, bytes: MOST_RECORDED, ...(messages !== undefined && { messages }) };
      yield* bgp.download({ kind: 'recording', peer: await known(need(), peer), bounds });
    },
    async *dump({ rib, peer }) {
      const { bgp } = need();
      const one = peer === undefined ? {} : { peer: await known(need(), peer) };
      yield* bgp.download({ kind: 'mrt', view: rib, ...one });
    },
    clear: async ({ peer, how }) => need().bgp.clear(await known(need(), peer), how),
    shutdown: async (peer, text) => need().shutdown(await known(need(), peer), text),
    enable: async (peer) => need().enable(await known(need(), peer)),
    prefixes: () => running?.learned.prefixes() ?? [],
    problems: (prefix) => running?.learned.problems(prefix) ?? [],
    isUnusable: (prefix) => running?.learned.isUnusable(prefix) ?? false,
  };
}

/** @throws WeftError 'not-found', naming those there are */
async function known({ bgp }: BgpNode, name: string): Promise<string> {
  const names = (await bgp.peers()).map((peer) => peer.name);
  if (names.includes(name)) return name;
  throw new WeftError(
    'not-found',
    `there is no BGP peer '${name}'; there are: ${names.join(', ') || 'none'}`,
  );
}

async function* routesOf(
  running: BgpNode | undefined,
  { peer, rib, beforePolicy, prefix }: BgpRoutesQuery,
): AsyncGenerator<readonly BgpRoute[]> {
  if (!running) return;
  const range = prefix ? { prefix, longer: true } : {};
  const ask = async function* (query: RouteQuery) {
    for await (const views of running.bgp.routes(query)) {
      yield views.map((view) =>
        routeView(view, query, query.rib === 'local' ? running.learned.problems(view.prefix) : []),
      );
    }
  };
  if (rib === 'local') {
    yield* ask({ rib, ...range });
    return;
  }
  const all = (await running.bgp.peers()).map(({ name }) => name);
  const which = rib === 'out' ? 'advertised' : beforePolicy ? 'received' : 'accepted';
  for (const name of peer === undefined ? all : [await known(running, peer)]) {
    yield* ask({ rib: which, peer: name, ...range });
  }
}
