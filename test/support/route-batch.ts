/** Changes as values, into batches as the speaker makes them. */
import type { RouteChange } from '../../routing/bgp/bgp.ts';
import type { RouteBatch } from '../../routing/bgp/route-batch.ts';

/** One for each family that is among them. */
export const batchesOf = (changes: readonly RouteChange[]): RouteBatch[] =>
  ([4, 6] as const).flatMap((family) => {
    const own = changes.filter(({ prefix }) => prefix.address.family === family);
    if (own.length === 0) return [];
    const paths = [...new Set(own.map((change) => change.paths))];
    return {
      family,
      words: Uint32Array.from(own.flatMap(({ prefix }) => prefix.address.words)),
      lengths: Uint8Array.from(own, ({ prefix }) => prefix.length),
      which: Uint16Array.from(own, (change) => paths.indexOf(change.paths)),
      paths,
    };
  });
