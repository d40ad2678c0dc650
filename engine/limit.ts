// Stage 4, limit: finds the packets that have to pass a token bucket, of the port that they come from or of the one that
// they go to. What the engine makes itself passes none. Takes no tokens: that is for those who forward (pacer.ts).

import { type Batch, Ingress } from './batch.ts';
import type { PacketMemory } from './memory.ts';
import * as adjacencies from './tables/adjacencies.ts';
import type { Tables } from './tables/buffers.ts';
import { anyLimited, Direction, isLimited, rateRow } from './tables/rates.ts';
import { LIMITED, Verdict } from './verdict.ts';

export const limit = (batch: Batch, _memory: PacketMemory, tables: Tables): void => {
  if (!anyLimited(tables.rates) || batch.ingress === Ingress.self) return;
  for (let i = 0; i < batch.count; i++) {
    if (batch.verdict[i] !== Verdict.pending) continue;
    if (egressRow(batch, i, tables) !== 0 || ingressRow(batch, i, tables) !== 0) batch.verdict[i] = LIMITED;
  }
};

/** Row of the bucket for what the port that it came from sends; 0 for none. */
export const egressRow = (batch: Batch, i: number, tables: Tables): number =>
  batch.ingress === Ingress.port && isLimited(tables.rates, batch.source[i], Direction.egress)
    ? rateRow(batch.source[i], Direction.egress)
    : 0;

/** Row of the bucket for what the port that it goes to receives; 0 for none. */
export const ingressRow = (batch: Batch, i: number, tables: Tables): number => {
  const table = tables.adjacencies;
  const adjacency = batch.adjacency[i];
  if (adjacencies.kind(table, adjacency) !== adjacencies.AdjacencyKind.port) return 0;
  const port = adjacencies.port(table, adjacency);
  return isLimited(tables.rates, port, Direction.ingress) ? rateRow(port, Direction.ingress) : 0;
};
