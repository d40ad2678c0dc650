/** Longest-prefix match in tables of a thousand to a million routes, every route asked for alike or a few mostly. */
import { fib4Lookup } from '../../engine/tables/fib4.ts';
import { fib6Lookup } from '../../engine/tables/fib6.ts';
import type { Pick } from './random.ts';
import { addressesIn, buildRoutes, type RouteTable } from './routes.ts';
import { expectCount, PACKETS, type Stage, type Work } from './stage.ts';

const SIZES = [
  { name: '1k', routes: 1000 },
  { name: '100k', routes: 100_000 },
  { name: '1m', routes: 1_000_000 },
] as const;

/** A million routes take seconds to build and serve two stages, one after the other. */
let latest: { readonly table: RouteTable; readonly count: number } | undefined;

function tableOf(family: 4 | 6, count: number): RouteTable {
  if (latest?.table.family !== family || latest.count !== count) {
    latest = undefined;
    latest = { table: buildRoutes(family, count), count };
  }
  return latest.table;
}

function lookups4(count: number, pick: Pick): Work {
  const table = tableOf(4, count);
  const { fib } = table;
  const addresses = addressesIn(table, pick);
  const found = new Int32Array(PACKETS);
  let first = 0;
  const run = (): void => {
    for (let n = 0; n < PACKETS; n++) found[n] = fib4Lookup(fib, addresses[first + n]);
    first = (first + PACKETS) & (addresses.length - 1);
  };
  const prove = (): void => {
    const asked = addresses.subarray(first, first + PACKETS);
    run();
    found.forEach((nextHop, n) => {
      expectCount(`next hop of address ${first + n}`, nextHop, table.nextHopOf([asked[n]]));
    });
  };
  return { run, prove };
}

function lookups6(count: number, pick: Pick): Work {
  const table = tableOf(6, count);
  const { fib } = table;
  const addresses = addressesIn(table, pick);
  const found = new Int32Array(PACKETS);
  let first = 0;
  const run = (): void => {
    for (let n = 0, at = first; n < PACKETS; n++, at += 4) {
      found[n] = fib6Lookup(fib, addresses[at], addresses[at + 1], addresses[at + 2], addresses[at + 3]);
    }
    first = (first + PACKETS * 4) & (addresses.length - 1);
  };
  const prove = (): void => {
    const asked = addresses.subarray(first, first + PACKETS * 4);
    run();
    found.forEach((nextHop, n) => {
      const words = [...asked.subarray(n * 4, n * 4 + 4)];
      expectCount(`next hop of address ${first + n}`, nextHop, table.nextHopOf(words));
    });
  };
  return { run, prove };
}

const PICKS: readonly Pick[] = ['uniform', 'skewed'];

export const lpmStages: readonly Stage[] = ([4, 6] as const).flatMap((family) =>
  SIZES.flatMap(({ name, routes }) =>
    PICKS.map((pick) => ({
      id: `lpm${family}-${name}-${pick}`,
      title: `LPM, IPv${family}, ${routes} routes, ${pick}`,
      prepare: () => (family === 4 ? lookups4(routes, pick) : lookups6(routes, pick)),
    })),
  ),
);
