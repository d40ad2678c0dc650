// Stage 3, route: longest-prefix match of the destination, then one adjacency of its next hop by flow hash, so that
// the packets of a flow stay on one path (RFC 2992).

import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { Batch } from './batch.ts';
import type { PacketMemory } from './memory.ts';
import * as adjacencies from './tables/adjacencies.ts';
import type { Tables } from './tables/buffers.ts';
import { fib4Lookup } from './tables/fib4.ts';
import { fib6Lookup } from './tables/fib6.ts';
import { selectAdjacency } from './tables/next-hops.ts';
import { Verdict } from './verdict.ts';

export const route = (batch: Batch, memory: PacketMemory, tables: Tables): void => {
  const { view } = memory;
  for (let i = 0; i < batch.count; i++) {
    // A fragment made here follows the packet that it was cut from, whose way is chosen already.
    if (batch.verdict[i] !== Verdict.pending || batch.adjacency[i] !== 0) continue;
    if (batch.repeats[i] !== 0 && batch.verdict[i - 1] === Verdict.pending) {
      batch.adjacency[i] = batch.adjacency[i - 1];
      continue;
    }
    const at = batch.offset[i];
    const nextHop =
      batch.family[i] === 4
        ? fib4Lookup(tables.fib4, ipv4.destination(view, at))
        : fib6Lookup(
            tables.fib6,
            ipv6.destinationWord(view, at, 0),
            ipv6.destinationWord(view, at, 1),
            ipv6.destinationWord(view, at, 2),
            ipv6.destinationWord(view, at, 3),
          );
    if (nextHop === 0) {
      batch.verdict[i] = Verdict.noRoute;
      continue;
    }
    const adjacency = selectAdjacency(tables.nextHops, tables.buckets, nextHop, batch.hash[i]);
    batch.adjacency[i] = adjacency;
    const kind = adjacencies.kind(tables.adjacencies, adjacency);
    if (kind === adjacencies.AdjacencyKind.none) batch.verdict[i] = Verdict.noRoute;
    else if (kind === adjacencies.AdjacencyKind.unreachable) batch.verdict[i] = Verdict.unreachable;
  }
};
