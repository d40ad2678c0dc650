/**
 * The routes this node knows: for each prefix the candidates of each source, and which of them is best. Tells its one
 * listener when the best of a prefix changes. Pure state: no engine, no kernel, no clock; what follows from a change is
 * fib-sync's business.
 */
import type { Address } from '../wire/address.ts';
import { formatPrefix, type Prefix } from '../wire/prefix.ts';
import { type Path, samePaths } from './path.ts';
import { PrefixMap } from './prefix-map.ts';

/** Where a route comes from, in the words of `weft routes`. */
export type RouteSource = 'local' | 'host' | 'static' | 'bgp';

/** Administrative distance: of several sources the lowest is best. */
const DISTANCE: Readonly<Record<RouteSource, number>> = { local: 0, host: 10, static: 20, bgp: 30 };
const LAST_RESORT = 255;
const NONE: readonly Candidate[] = [];

export interface Candidate {
  readonly source: RouteSource;
  readonly paths: readonly Path[];
  /** Only when nothing else is known: the node's own default route, which any other default route beats. */
  readonly lastResort?: boolean;
}

export interface Route {
  readonly prefix: Prefix;
  /** Best first; never empty. */
  readonly candidates: readonly Candidate[];
}

/** `best` absent: the prefix has no route any more. */
export type RouteListener = (prefix: Prefix, best: Candidate | undefined) => void;

export class RouteTable {
  readonly #routes = new PrefixMap<readonly Candidate[]>();
  /** Of prefixes that only one source knows, the candidates: routes with the same one share them. */
  readonly #alone = new WeakMap<Candidate, readonly Candidate[]>();
  readonly #listener: RouteListener;

  constructor(listener: RouteListener) {
    this.#listener = listener;
  }

  get size(): number {
    return this.#routes.size;
  }

  /** Replaces what the source said of the prefix before. What the listener throws passes through, nothing being changed. */
  set(prefix: Prefix, candidate: Candidate): void {
    if (candidate.paths.length === 0) throw new RangeError(`${formatPrefix(prefix)}: a route needs a path`);
    const before = this.#candidates(prefix);
    const others = before.filter(({ source }) => source !== candidate.source);
    this.#replace(
      prefix,
      before,
      others.length === 0
        ? this.#only(candidate)
        : [...others, candidate].sort((a, b) => distance(a) - distance(b)),
    );
  }

  /** Nothing happens when the source said nothing of the prefix. */
  remove(prefix: Prefix, source: RouteSource): void {
    const candidates = this.#candidates(prefix);
    const others = candidates.filter((candidate) => candidate.source !== source);
    if (others.length < candidates.length) this.#replace(prefix, candidates, others);
  }

  get(prefix: Prefix): Route | undefined {
    const candidates = this.#routes.get(prefix);
    return candidates && { prefix, candidates };
  }

  /** The route of the longest prefix that contains the address (RFC 1812 section 5.2.4.3). */
  lookup(address: Address): Route | undefined {
    for (const { prefix, value } of this.#routes.covering(address)) return { prefix, candidates: value };
    return undefined;
  }

  /** In no order. What changes meanwhile may be missing, or there twice. */
  *[Symbol.iterator](): Generator<Route> {
    for (const { prefix, value } of this.#routes.entries()) yield { prefix, candidates: value };
  }

  /** How many prefixes have which candidate as their best. */
  *bests(): Generator<{ readonly best: Candidate; readonly prefixes: number }> {
    for (const { value, prefixes } of this.#routes.values()) yield { best: value[0], prefixes };
  }

  #candidates(prefix: Prefix): readonly Candidate[] {
    return this.#routes.get(prefix) ?? NONE;
  }

  #only(candidate: Candidate): readonly Candidate[] {
    let alone = this.#alone.get(candidate);
    if (alone === undefined) {
      alone = [candidate];
      this.#alone.set(candidate, alone);
    }
    return alone;
  }

  #replace(prefix: Prefix, before: readonly Candidate[], candidates: readonly Candidate[]): void {
    this.#store(prefix, candidates);
    if (sameRoute(before[0], candidates[0])) return;
    try {
      this.#listener(prefix, candidates[0]);
    } catch (error) {
      this.#store(prefix, before);
      throw error;
    }
  }

  #store(prefix: Prefix, candidates: readonly Candidate[]): void {
    if (candidates.length > 0) this.#routes.set(prefix, candidates);
    else this.#routes.delete(prefix);
  }
}

function sameRoute(a: Candidate | undefined, b: Candidate | undefined): boolean {
  if (!a || !b) return a === b;
  return a.source === b.source && samePaths(a.paths, b.paths);
}

function distance({ source, lastResort }: Candidate): number {
  return lastResort ? LAST_RESORT : DISTANCE[source];
}

/** A number for IPv4, which takes less time and room. */
export type PrefixKey = number | string;

/** Identifies a prefix: equal for equal prefixes, and for no others. */
export function keyOf({ address, length }: Prefix): PrefixKey {
  return address.family === 4 ? address.words[0] * 64 + length : `${address.words.join('.')}/${length}`;
}
