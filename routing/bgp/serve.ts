/**
 * A speaker behind a message port: carries out what comes, answers, and passes on what the speaker tells. Knows no thread,
 * so that a test can have both ends in one.
 */
import type { BgpEvents, RouteView } from './bgp.ts';
import { Downloads } from './downloads.ts';
import { Lull } from './lull.ts';
import type { Calls, FromThread, ThreadSetup, Told, ToThread } from './protocol.ts';
import { Speaker } from './speaker.ts';

/** Of a MessagePort what is needed. */
export interface Port {
  postMessage(message: FromThread): void;
  on(event: 'message', listener: (message: ToThread) => void): unknown;
  close(): void;
}

/** Routes a page, and routes that may be looked at for one: less than a millisecond. */
const PAGE = 256;
const LOOKS = 4096;
/** Changes that leave something to tidy up, and milliseconds without any. */
const MUCH = 10_000;
const REST = 1000;

/** @param tidyUp called when much has happened and nothing does @throws SysError when it cannot listen */
export function serve(port: Port, { settings, options }: ThreadSetup, tidyUp = (): void => {}): void {
  const lull = new Lull(MUCH, REST, tidyUp);
  const say = (message: FromThread): void => port.postMessage(message);
  let taken: (() => void) | undefined;
  const event =
    <Name extends keyof Told>(name: Name) =>
    (...args: Parameters<Told[Name]>): void =>
      say({ kind: 'event', name, args } as FromThread);
  const events: BgpEvents = {
    onRoutes(batch) {
      say({ kind: 'routes', batch });
      lull.happened(batch.lengths.length);
      return new Promise((resolve) => {
        taken = resolve;
      });
    },
    onInitialRoutes: event('onInitialRoutes'),
    onNextHops: event('onNextHops'),
    onPeer: event('onPeer'),
    onLog: event('onLog'),
    onFailure(error) {
      throw error;
    },
  };
  const speaker = new Speaker(settings, events, options);
  const calls: Calls = {
    apply: (next) => speaker.apply(next),
    peers: () => speaker.peers(),
    collectors: () => speaker.collectors(),
    explain: (prefix) => speaker.explain(prefix),
    clear: (peer, how) => speaker.clear(peer, how),
    shutdown: (peer, text) => speaker.shutdown(peer, text),
    enable: (peer) => speaker.enable(peer),
  };
  const downloads = new Downloads((query) => speaker.download(query), say);
  const queries = new Map<number, Iterator<RouteView | undefined>>();

  const answer = (id: number, value: () => unknown): void => {
    try {
      say({ kind: 'answer', id, value: value() });
    } catch (error) {
      say({ kind: 'refusal', id, message: (error as Error).message });
    }
  };

  port.on('message', (message) => {
    switch (message.kind) {
      case 'call':
        answer(message.id, () => (calls[message.name] as (...args: unknown[]) => unknown)(...message.args));
        break;
      case 'originate':
        speaker.originate(message.routes);
        break;
      case 'nextHops':
        speaker.nextHops(message.resolved);
        break;
      case 'peerLost':
        speaker.peerLost(message.peer, message.why);
        break;
      case 'taken':
        taken?.();
        break;
      case 'read':
        read(message);
        break;
      case 'end':
        queries.delete(message.id);
        downloads.end(message.id);
        break;
      case 'pull':
        downloads.pull(message.id, message.query);
        break;
      case 'stop':
        speaker.stop(message);
        port.close();
    }
  });
  speaker.start();

  function read({ id, query }: ToThread & { kind: 'read' }): void {
    try {
      if (query !== undefined) queries.set(id, speaker.routes(query));
      const routes = page(queries.get(id));
      if (routes === undefined) queries.delete(id);
      say({ kind: 'page', id, routes });
    } catch (error) {
      queries.delete(id);
      say({ kind: 'refusal', id, message: (error as Error).message });
    }
  }
}

/** May be empty though there are more: then only others were looked at. */
function page(routes: Iterator<RouteView | undefined> | undefined): RouteView[] | undefined {
  const found: RouteView[] = [];
  for (let looks = 0; looks < LOOKS && found.length < PAGE; looks++) {
    const next = routes?.next();
    if (next === undefined || next.done) return found.length > 0 ? found : undefined;
    if (next.value !== undefined) found.push(next.value);
  }
  return found;
}
