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

const NONE: readonly BgpPath[] = [];

export class Changes {
  /** By prefix length and address, whose signed word is a quick key; of IPv6 by text. */
  readonly #pending4 = Array.from({ length: 33 }, () => new Map<number, readonly BgpPath[]>());
  readonly #pending6 = new Map<PrefixKey, RouteChange>();
  #count = 0;
  readonly #deliver: (batch: readonly RouteChange[]) => Promise<void> | void;
  readonly #interfaceOf: (peer: string) => string | undefined;
  /** Of routes that are alone, the path as a list: most prefixes share them. */
  readonly #alone = new WeakMap<object, readonly BgpPath[]>();
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
    const paths = this.#pathsOf(routes);
    const { address, length } = prefix;
    if (address.family === 4) {
      const pending = this.#pending4[length];
      const before = pending.size;
      pending.set(address.words[0] | 0, paths);
      this.#count += pending.size - before;
    } else {
      const before = this.#pending6.size;
      this.#pending6.set(keyOf(prefix), { prefix, paths });
      this.#count += this.#pending6.size - before;
    }
    if (!this.#busy) this.#start();
  }

  /** When all that was added so far has been taken. */
  settled(): Promise<void> {
    if (!this.#busy && this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #start(): void {
    this.#busy = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#count > 0) {
      let batch: RouteChange[] = [];
      for (const change of this.#take()) {
        batch.push(change);
        if (batch.length < BATCH) continue;
        await this.#deliver(batch);
        batch = [];
      }
      if (batch.length > 0) await this.#deliver(batch);
    }
    this.#busy = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /**
   * All that is pending. One iterator of a map for many batches: another would pass all those again that are deleted; what is
   * added meanwhile comes behind, or the next time.
   */
  *#take(): Generator<RouteChange> {
    for (const [length, pending] of this.#pending4.entries()) {
      for (const [word, paths] of pending) {
        pending.delete(word);
        this.#count--;
        yield { prefix: { address: { family: 4, words: [word >>> 0] }, length }, paths };
      }
    }
    for (const [key, change] of this.#pending6) {
      this.#pending6.delete(key);
      this.#count--;
      yield change;
    }
  }

  #pathsOf(routes: readonly RibRoute[]): readonly BgpPath[] {
    const [only] = routes;
    if (routes.length > 1) return routes.flatMap((route) => this.#pathsOf([route]));
    if (only?.peer === undefined) return NONE;
    const known = this.#alone.get(only.attributes);
    if (known !== undefined && known[0].peer === only.peer) return known;
    const paths = [this.#pathOf(only, only.peer)];
    this.#alone.set(only.attributes, paths);
    return paths;
  }

  #pathOf({ attributes, source }: RibRoute, peer: string): BgpPath {
    const { nextHop, tunnels } = attributes;
    const on = isLinkLocal(nextHop) ? this.#interfaceOf(peer) : undefined;
    return {
      peer,
      source: source === 'internal' ? 'internal' : 'external',
      nextHop,
      ...(on !== undefined && { interface: on }),
      ...(tunnels !== undefined && { tunnels }),
    };
  }
}
