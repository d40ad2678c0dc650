/** What a RIB holds, for people: one route at a time, so that who reads can stop in between. */
import { type Prefix, prefixContains, prefixEquals } from '../../wire/prefix.ts';
import type { Rib } from '../rib/rib.ts';
import type { RouteQuery, RouteView } from './bgp.ts';

/** Undefined stands for a route that was looked at and not asked for. */
export function* routesOf(rib: Rib, query: RouteQuery): IterableIterator<RouteView | undefined> {
  const wanted = (prefix: Prefix): boolean => isWanted(prefix, query);
  const { peer } = query;
  if (query.rib === 'local' || peer === undefined) {
    for (const { prefix, routes } of rib.locRib()) {
      if (!wanted(prefix)) yield undefined;
      else {
        yield* routes.map(({ pathId, peer: from, attributes, staleness }, i) => ({
          prefix,
          pathId,
          ...(from !== undefined && { peer: from }),
          attributes,
          staleness,
          best: i === 0,
        }));
      }
    }
    return;
  }
  if (query.rib === 'advertised') {
    for (const { prefix, pathId = 0, attributes } of rib.adjOut(peer)) {
      yield wanted(prefix)
        ? { prefix, pathId, peer, attributes, staleness: 'fresh', best: false }
        : undefined;
    }
    return;
  }
  for (const route of rib.adjIn(peer, query.rib === 'received' ? 'before' : 'after')) {
    yield wanted(route.prefix) ? { ...route, peer, best: false } : undefined;
  }
}

const isWanted = (prefix: Prefix, { prefix: asked, longer }: RouteQuery): boolean => {
  if (asked === undefined) return true;
  if (prefixEquals(asked, prefix)) return true;
  return longer === true && prefix.length > asked.length && prefixContains(asked, prefix.address);
};
