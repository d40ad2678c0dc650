/**
 * What changed in the Loc-RIB, for the node: taken from there when the node has taken the batch before, so that a slow node
 * sees fewer changes and not older ones.
 */
import { addressEquals } from '../../wire/address.ts';
import { isLinkLocal } from '../rib/hops.ts';
import type { BestRoutes, ForwardingRoute } from '../rib/loc-rib-feed.ts';
import type { BgpPath } from './bgp.ts';
import type { RouteBatch } from './route-batch.ts';

/** Of a Rib what is needed. */
export interface BestSource {
  takeBest(most: number): BestRoutes | undefined;
}

/** Prefixes a batch: as many as the node takes in some milliseconds, which are more as it warms up. */
const LEAST = 64;
const MOST = 1024;
/** A batch that was taken sooner is followed by a larger one, milliseconds. */
const PACE = 2;

const NONE: readonly BgpPath[] = [];

export class Changes {
  readonly #deliver: (batch: RouteBatch) => Promise<void> | void;
  readonly #interfaceOf: (peer: string) => string | undefined;
  /** The newest last; of those before it there may be something left. */
  readonly #sources: BestSource[] = [];
  #busy = false;
  #waiting: (() => void)[] = [];

  /** @param interfaceOf a peer's session is on */
  constructor(
    deliver: (batch: RouteBatch) => Promise<void> | void,
    interfaceOf: (peer: string) => string | undefined,
  ) {
    this.#deliver = deliver;
    this.#interfaceOf = interfaceOf;
  }

  /** From now on, and once the one before has nothing more. */
  follow(source: BestSource): void {
    this.#sources.push(source);
  }

  /** There is something to take. */
  wake(): void {
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(() => void this.#run());
  }

  /** When all that there was until now has been taken. */
  settled(): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #run(): Promise<void> {
    let size = LEAST;
    for (let best = this.#next(size); best !== undefined; best = this.#next(size)) {
      const began = performance.now();
      await this.#deliver(this.#batchOf(best));
      const took = performance.now() - began;
      if (took < PACE) size = Math.min(MOST, 2 * size);
      else if (took > 2 * PACE) size = Math.max(LEAST, size / 2);
    }
    this.#busy = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #next(most: number): BestRoutes | undefined {
    for (;;) {
      const best = this.#sources[0]?.takeBest(most);
      if (best !== undefined || this.#sources.length < 2) return best;
      this.#sources.shift();
    }
  }

  #batchOf({ family, words, lengths, which, routes }: BestRoutes): RouteBatch {
    // Sets of attributes differ in much that forwarding does not ask for.
    let last = NONE;
    const paths = routes.map((some) => {
      if (!this.#leadsBy(some, last)) last = some.flatMap((route) => this.#pathOf(route));
      return last;
    });
    return { family, words, lengths, which, paths };
  }

  /** Whether a route is by this one path. */
  #leadsBy(routes: readonly ForwardingRoute[], paths: readonly BgpPath[]): boolean {
    if (routes.length !== 1 || paths.length !== 1) return false;
    const { peer, attributes } = routes[0];
    const [path] = paths;
    return (
      path.peer === peer &&
      path.tunnels === attributes.tunnels &&
      addressEquals(path.nextHop, attributes.nextHop)
    );
  }

  /** None for what was made on this node, which is no news to it. */
  #pathOf({ attributes, source, peer }: ForwardingRoute): BgpPath[] {
    if (peer === undefined) return [];
    const { nextHop, tunnels } = attributes;
    const on = isLinkLocal(nextHop) ? this.#interfaceOf(peer) : undefined;
    return [
      {
        peer,
        source: source === 'internal' ? 'internal' : 'external',
        nextHop,
        ...(on !== undefined && { interface: on }),
        ...(tunnels !== undefined && { tunnels }),
      },
    ];
  }
}
