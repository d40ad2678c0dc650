// The stages that decide about a packet, in the order in which it passes them. This list is the only sequence there is:
// the forwarder runs it over every batch, `weft why` over one packet, telling after each stage what it found. A stage
// has no effect on anything but the batch and the bytes of its packets, and leaves alone what has a verdict.

import { admit } from './admit.ts';
import type { Batch } from './batch.ts';
import { settleEcn } from './ecn.ts';
import { limit } from './limit.ts';
import type { PacketMemory } from './memory.ts';
import { recognisePartial } from './offload/recognise.ts';
import { parse } from './parse.ts';
import { rewrite } from './rewrite.ts';
import { route } from './route.ts';
import type { Tables } from './tables/buffers.ts';

interface Stage {
  readonly name: string;
  /** Owns its loop over the batch: called once a batch, it need not be inlined. */
  readonly run: (batch: Batch, memory: PacketMemory, tables: Tables) => void;
}

export const STAGES = [
  { name: 'parse', run: parse },
  { name: 'ecn', run: settleEcn },
  { name: 'partial', run: recognisePartial },
  { name: 'admit', run: admit },
  { name: 'route', run: route },
  { name: 'limit', run: limit },
  { name: 'rewrite', run: rewrite },
] as const satisfies readonly Stage[];

export type StageName = (typeof STAGES)[number]['name'];

export const decide = (batch: Batch, memory: PacketMemory, tables: Tables): void => {
  for (let n = 0; n < STAGES.length; n++) STAGES[n].run(batch, memory, tables);
};

/** What the stages from `limit` on are for packets that have passed it: those that waited have no adjacency any more. */
export const decideLeaving = (batch: Batch, memory: PacketMemory, tables: Tables): void => {
  route(batch, memory, tables);
  rewrite(batch, memory, tables);
};
