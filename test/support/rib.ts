/** RIBs under test: peers with as few words as possible, and what a peer makes of the UPDATEs that it is sent. */
import type { Attributes, Coding } from '../../routing/bgp/codec/attributes.ts';
import type { Nlri } from '../../routing/bgp/codec/family.ts';
import type { Message } from '../../routing/bgp/codec/message.ts';
import { endOfRibOf, type ReceivedUpdate, type Update } from '../../routing/bgp/codec/update.ts';
import { ACCEPT_ALL } from '../../routing/policy/policy.ts';
import type { BestRoutes } from '../../routing/rib/loc-rib-feed.ts';
import { readPacked } from '../../routing/rib/packed.ts';
import type { RibPeer } from '../../routing/rib/peer.ts';
import { Rib, type RibOptions } from '../../routing/rib/rib.ts';
import type { RibRoute, RouteAttributes } from '../../routing/rib/route.ts';
import { parseAddress } from '../../wire/address.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../../wire/prefix.ts';

export const OWN_AS = 64512;

export const CODING: Coding = {
  asBytes: 4,
  maxLength: 4096,
  addPath: { 4: false, 6: false },
  internal: false,
};

/** Number n: external, AS 64600 + n, at 10.0.n.1, we at 10.0.n.254; both policies accept everything. */
export const peer = (n: number, other: Partial<RibPeer> = {}): RibPeer => {
  const source = other.source ?? 'external';
  return {
    name: `p${n}`,
    address: parseAddress(`10.0.${n}.1`),
    asn: source === 'internal' ? OWN_AS : 64600 + n,
    localAsn: OWN_AS,
    source,
    routerId: parseAddress(`1.0.0.${n}`),
    localAddress: parseAddress(`10.0.${n}.254`),
    nextHops: { 6: parseAddress(`2001:db8:${n}::254`) },
    families: [4, 6],
    coding: { ...CODING, internal: source === 'internal' },
    extendedNextHop: false,
    client: false,
    options: {},
    import: ACCEPT_ALL,
    export: ACCEPT_ALL,
    ...other,
  };
};

/** The Rib, and what it said of the best routes: by prefix the peers' names. */
export const newRib = (options: Partial<RibOptions> = {}) => {
  const best = new Map<string, readonly RibRoute[]>();
  let changes = 0;
  const rib: Rib = new Rib({
    asn: OWN_AS,
    routerId: parseAddress('1.0.0.254'),
    resolve: () => 1,
    onBest: () => {
      for (const { prefix } of allBest(rib)) {
        const routes = rib.chosen(prefix);
        changes++;
        if (routes.length === 0) best.delete(formatPrefix(prefix));
        else best.set(formatPrefix(prefix), routes);
      }
    },
    ...options,
  });
  const bestOf = (prefix: string): (string | undefined)[] | undefined =>
    best.get(prefix)?.map((route) => route.peer);
  return { rib, best, bestOf, changes: () => changes };
};

/** All of which something else may be best now. */
export const allBest = (rib: Rib): PrefixAndBest[] => {
  const all: PrefixAndBest[] = [];
  for (let best = rib.takeBest(MOST); best !== undefined; best = rib.takeBest(MOST)) {
    const { family, words, lengths, which, routes } = best;
    const count = family === 4 ? 1 : 4;
    for (let i = 0; i < lengths.length; i++) {
      const address = { family, words: [...words.subarray(count * i, count * (i + 1))] };
      all.push({ prefix: { address, length: lengths[i] }, routes: routes[which[i]] });
    }
  }
  return all;
};

interface PrefixAndBest {
  readonly prefix: Prefix;
  readonly routes: BestRoutes['routes'][number];
}

const MOST = 100;

export const path = (...asns: number[]) => (asns.length === 0 ? [] : [{ type: 2, asns } as const]);

/** What peer n says by default. */
export const attributesOf = (n: number, other: Attributes = {}): RouteAttributes => ({
  origin: 0,
  asPath: path(64600 + n),
  nextHop: parseAddress(`10.0.${n}.1`),
  ...other,
});

const nlriOf = (prefix: string, pathId?: number): Nlri =>
  pathId === undefined ? { prefix: parsePrefix(prefix) } : { prefix: parsePrefix(prefix), pathId };

export const announcing = (
  prefixes: readonly string[],
  attributes: RouteAttributes,
  pathId?: number,
): ReceivedUpdate => {
  const nlri = prefixes.map((prefix) => nlriOf(prefix, pathId));
  const good = { kind: 'update', treatAsWithdraw: false, errors: [] } as const;
  const [first] = nlri;
  if (first?.prefix.address.family === 4 && attributes.nextHop.family === 4) {
    return { ...good, update: { withdrawn: [], attributes, nlri } };
  }
  const { nextHop, linkLocal, ...rest } = attributes;
  const family = first?.prefix.address.family ?? 6;
  const reach = { family, nextHop, ...(linkLocal !== undefined && { linkLocal }), nlri };
  return { ...good, update: { withdrawn: [], attributes: rest, reach, nlri: [] } };
};

export const withdrawing = (prefixes: readonly string[], pathId?: number): ReceivedUpdate => {
  const nlri = prefixes.map((prefix) => nlriOf(prefix, pathId));
  const is4 = ({ prefix }: Nlri): boolean => prefix.address.family === 4;
  const rest = nlri.filter((one) => !is4(one));
  const update: Update = {
    withdrawn: nlri.filter(is4),
    ...(rest.length > 0 && { unreach: { family: 6, nlri: rest } }),
    attributes: {},
    nlri: [],
  };
  return { kind: 'update', update, treatAsWithdraw: false, errors: [] };
};

/** Everything that is pending for a peer. */
export const takeAll = (rib: Rib, name: string, maxBytes = 1 << 16): Message[] => {
  const all: Message[] = [];
  while (rib.hasPending(name)) all.push(...rib.take(name, maxBytes));
  return all;
};

/** Of one to be sent: bytes that are of four-octet AS numbers where there are only these. */
const attributesOfUpdate = ({ attributes, encoded }: Update): Attributes =>
  encoded === undefined || Object.keys(attributes).length > 0
    ? attributes
    : readPacked(encoded, 0, encoded.length);

/** What a peer knows after these messages, by prefix and path identifier; and the families whose End-of-RIB came. */
export class Listener {
  readonly routes = new Map<string, RouteAttributes>();
  readonly endsOfRib: (4 | 6)[] = [];
  /** Announced or withdrawn, one a prefix. */
  said = 0;

  hear(messages: readonly Message[]): this {
    for (const message of messages) if (message.kind === 'update') this.#hear(message.update);
    return this;
  }

  #hear(update: Update): void {
    const end = endOfRibOf(update);
    if (end !== undefined) this.endsOfRib.push(end);
    const { withdrawn, unreach, reach, nlri } = update;
    const attributes = attributesOfUpdate(update);
    for (const gone of [...withdrawn, ...(unreach?.nlri ?? [])]) {
      this.said++;
      this.routes.delete(keyOf(gone));
    }
    for (const one of nlri) this.#learn(one, attributes as RouteAttributes);
    for (const one of reach?.nlri ?? []) {
      const { nextHop, linkLocal } = reach as NonNullable<typeof reach>;
      this.#learn(one, { ...attributes, nextHop, ...(linkLocal !== undefined && { linkLocal }) });
    }
  }

  #learn(nlri: Nlri, attributes: RouteAttributes): void {
    this.said++;
    this.routes.set(keyOf(nlri), attributes);
  }
}

export const keyOf = ({ prefix, pathId }: Nlri): string =>
  pathId === undefined ? formatPrefix(prefix) : `${formatPrefix(prefix)}#${pathId}`;
