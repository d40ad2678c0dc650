/**
 * What changed in the Loc-RIB since the node was last told: of each prefix the newest only. Handed over in batches, the
 * next one when the one before was taken, so that a slow node sees fewer changes and not older ones.
 */
import type { Prefix } from '../../wire/prefix.ts';
import { isLinkLocal } from '../rib/hops.ts';
import type { RibRoute } from '../rib/route.ts';
import { keyOf, type PrefixKey } from '../route-table.ts';
import type { BgpPath, RouteChange } from './bgp.ts';

/** Prefixes a batch: some milliseconds of the node's time. */
const BATCH = 512;

export class Changes {
  readonly #pending = new Map<PrefixKey, RouteChange>();
  readonly #deliver: (batch: readonly RouteChange[]) => Promise<void> | void;
  readonly #interfaceOf: (peer: string) => string | undefined;
  /** Paths of the routes that came last: most prefixes share them. */
  readonly #paths = new WeakMap<object, BgpPath>();
  #busy = false;
  #waiting: (() => void)[] = [];

  /** @param interfaceOf a peer's session is on */
  constructor(
    deliver: (batch: readonly RouteChange[]) => Promise<void> | void,
    interfaceOf: (peer: string) => string | undefined,
  ) {
    this.#deliver = deliver;
    this.#interfaceOf = interfaceOf;
  }

  /** @param routes that are best now; those made on this node are no news to it */
  add(prefix: Prefix, routes: readonly RibRoute[]): void {
    const paths = routes.flatMap((route) =>
      route.peer === undefined ? [] : this.#pathOf(route, route.peer),
    );
    this.#pending.set(keyOf(prefix), { prefix, paths });
    if (!this.#busy) this.#start();
  }

  /** When all that was added so far has been taken. */
  settled(): Promise<void> {
    if (!this.#busy && this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #start(): void {
    this.#busy = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#pending.size > 0) {
      let batch: RouteChange[] = [];
      // One iterator for many batches: another would pass all those again that are deleted. What is added comes last.
      for (const [key, change] of this.#pending) {
        batch.push(change);
        this.#pending.delete(key);
        if (batch.length < BATCH) continue;
        await this.#deliver(batch);
        batch = [];
      }
      if (batch.length > 0) await this.#deliver(batch);
    }
    this.#busy = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #pathOf({ attributes, source }: RibRoute, peer: string): BgpPath {
    const known = this.#paths.get(attributes);
    if (known?.peer === peer) return known;
    const { nextHop, tunnels } = attributes;
    const on = isLinkLocal(nextHop) ? this.#interfaceOf(peer) : undefined;
    const path: BgpPath = {
      peer,
      source: source === 'internal' ? 'internal' : 'external',
      nextHop,
      ...(on !== undefined && { interface: on }),
      ...(tunnels !== undefined && { tunnels }),
    };
    this.#paths.set(attributes, path);
    return path;
  }
}
