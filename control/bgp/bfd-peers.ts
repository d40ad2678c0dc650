/**
 * BFD beside BGP (RFC 5882): who has a session and wants it is watched from then on, until it is configured no more or shut
 * down; who is lost loses its session. The thread runs while there is somebody to watch.
 */
import type { Log } from '../../cni/host.ts';
import type { Bfd, BfdTarget, BfdView, StartBfd } from '../../routing/bfd/bfd.ts';
import type { PeerEvent } from '../../routing/bgp/bgp.ts';
import { isLinkLocal } from '../../routing/rib/hops.ts';
import type { BgpConfig } from '../config/bgp-config.ts';

export interface BfdPeersOptions {
  config(): BgpConfig | undefined;
  readonly start: StartBfd;
  onLost(peer: string, why: string): void;
  onFailure(error: Error): void;
  readonly log: Log;
}

export interface BfdPeers {
  onPeer(event: PeerEvent): void;
  /** By the operator, or again not. */
  shutDown(peer: string, isShut: boolean): void;
  /** The configuration has changed. */
  refresh(): void;
  view(peer: string): BfdView | undefined;
  stop(): Promise<void>;
}

export function openBfdPeers({ config, start, onLost, onFailure, log }: BfdPeersOptions): BfdPeers {
  /** Where sessions were last. */
  const places = new Map<string, Pick<BfdTarget, 'remote' | 'local' | 'interface'>>();
  const shut = new Set<string>();
  const views = new Map<string, BfdView>();
  let bfd: Bfd | undefined;
  const targets = (): BfdTarget[] =>
    (config()?.peers ?? []).flatMap(({ name, bfd: wanted, multihop, shutdown }) => {
      const place = places.get(name);
      if (!wanted || !place || shut.has(name) || shutdown !== false) return [];
      const { interval, multiplier } = wanted;
      return [{ name, ...place, multihop: wanted.multihop ?? multihop > 1, interval, multiplier }];
    });
  const refresh = (): void => {
    const wanted = targets();
    for (const name of views.keys()) if (!wanted.some((each) => each.name === name)) views.delete(name);
    if (wanted.length > 0) {
      bfd ??= start({
        onLost,
        onView: (view) => {
          if (targets().some(({ name }) => name === view.name)) views.set(view.name, view);
        },
        onLog: (level, fields, text) => log[level](fields, text),
        onFailure,
      });
    }
    bfd?.watch(wanted);
  };
  return {
    onPeer({ peer, up, address, localAddress, interface: link }) {
      if (!up) return;
      places.set(peer, {
        remote: address,
        ...(localAddress && { local: localAddress }),
        // A session of link-local addresses is on its link; any other may come by a different one tomorrow.
        ...(link !== undefined && isLinkLocal(address) && { interface: link }),
      });
      refresh();
    },
    shutDown(peer, isShut) {
      if (isShut) shut.add(peer);
      else shut.delete(peer);
      refresh();
    },
    refresh,
    view: (peer) => views.get(peer),
    stop: async () => bfd?.stop(),
  };
}
