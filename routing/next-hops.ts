/**
 * How the next hop of a learned route is reached (RFC 4271 section 5.1.3, 9.1.2.1): over a link of this node, through a
 * router of the kernel's table, or recursively through other learned routes. A function of those tables: what it says
 * never depends on what was installed because of it, so that two routes cannot hold each other up.
 */
import { type Address, formatAddress } from '../wire/address.ts';
import { formatPrefix, type Prefix } from '../wire/prefix.ts';
import { keyOf } from './route-table.ts';

/** Who is on a link of this node. */
export interface Via {
  readonly address: Address;
  /** Index. */
  readonly interface?: number;
}

/** A route of the kernel's table that is not Weft's. */
export interface KernelWay {
  /** None: the kernel refuses or drops what goes there. Without gateway: destinations are on the link. */
  readonly hops: readonly { readonly gateway?: Address; readonly interface: number }[];
}

/** A route that was learned. */
export interface LearnedWay {
  /** None of them needs to resolve. */
  readonly nextHops: readonly NextHop[];
  /** Goes through a tunnel, whose own packets must not take it. */
  readonly tunnelled: boolean;
}

/** As a route names it; `interface` of a peer on a link-local address. */
export interface NextHop {
  readonly address: Address;
  readonly interface?: number;
}

export interface Ways {
  isOwn(address: Address): boolean;
  /** The routes that contain the address, longest first. */
  kernel(address: Address): Iterable<{ readonly prefix: Prefix; readonly value: KernelWay }>;
  learned(address: Address): Iterable<{ readonly prefix: Prefix; readonly value: LearnedWay }>;
}

export type Resolution =
  /** `cost`: routers on the way, as far as it is known. */
  { readonly vias: readonly Via[]; readonly cost: number } | { readonly why: string };

export const isResolved = (
  resolution: Resolution,
): resolution is { readonly vias: readonly Via[]; readonly cost: number } => 'vias' in resolution;

/** Of learned routes that lead over learned routes. */
const MOST_LEVELS = 4;

export function resolveNextHop(nextHop: NextHop, ways: Ways): Resolution {
  return resolve(nextHop, ways, new Set());
}

/** @param asking next hops on whose behalf this is asked, which therefore are no answer */
function resolve(nextHop: NextHop, ways: Ways, asking: ReadonlySet<string>): Resolution {
  const { address } = nextHop;
  if (ways.isOwn(address)) return { why: `${formatAddress(address)} is an address of this node` };
  if (nextHop.interface !== undefined) {
    return { vias: [{ address, interface: nextHop.interface }], cost: 0 };
  }
  const above = new Set([...asking, nextHopKey(nextHop)]);
  for (const way of longestFirst(ways, address)) {
    if ('hops' in way.value) return throughKernel(address, way.prefix, way.value);
    if (way.value.tunnelled) {
      return { why: `the way to it leads through a tunnel (${formatPrefix(way.prefix)})` };
    }
    const found = throughLearned(way.value, ways, above);
    if (found) return found;
  }
  return { why: `no route to ${formatAddress(address)}` };
}

function throughKernel(address: Address, prefix: Prefix, { hops }: KernelWay): Resolution {
  if (hops.length === 0) {
    return { why: `the node's table has no way to ${formatAddress(address)} (${formatPrefix(prefix)})` };
  }
  const vias = hops.map(({ gateway = address, interface: index }) => ({
    address: gateway,
    interface: index,
  }));
  return { vias, cost: hops.some(({ gateway }) => gateway) ? 1 : 0 };
}

/** Undefined when none of its next hops resolves: what is not in use does not stand in the way of shorter prefixes. */
function throughLearned(
  { nextHops }: LearnedWay,
  ways: Ways,
  asking: ReadonlySet<string>,
): Resolution | undefined {
  if (asking.size > MOST_LEVELS || nextHops.some((nextHop) => asking.has(nextHopKey(nextHop))))
    return undefined;
  const found = nextHops.map((nextHop) => resolve(nextHop, ways, asking)).filter(isResolved);
  if (found.length === 0) return undefined;
  const vias = new Map(found.flatMap((each) => each.vias).map((via) => [nextHopKey(via), via]));
  return { vias: [...vias.values()], cost: 1 + Math.max(...found.map(({ cost }) => cost)) };
}

/** Of two routes to one prefix the kernel's comes first: the node takes it too. */
function* longestFirst(ways: Ways, address: Address) {
  const sources = [
    ways.kernel(address)[Symbol.iterator](),
    ways.learned(address)[Symbol.iterator](),
  ] as const;
  let [kernel, learned] = [sources[0].next(), sources[1].next()];
  while (!kernel.done || !learned.done) {
    if (!kernel.done && (learned.done || kernel.value.prefix.length >= learned.value.prefix.length)) {
      yield kernel.value;
      kernel = sources[0].next();
    } else if (!learned.done) {
      yield learned.value;
      learned = sources[1].next();
    }
  }
}

export const nextHopKey = ({ address, interface: index }: NextHop): string =>
  `${keyOf({ address, length: 0 })}${index === undefined ? '' : `%${index}`}`;

/** RFC 4798: an IPv4 next hop where an IPv6 one has to stand, ::ffff:a.b.c.d. */
export const unmapped = (address: Address): Address => {
  const [w0, w1, w2, w3] = address.words;
  return address.family === 6 && w0 === 0 && w1 === 0 && w2 === 0xffff ? { family: 4, words: [w3] } : address;
};
