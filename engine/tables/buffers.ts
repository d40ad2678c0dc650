// All shared tables of a node: one SharedArrayBuffer each, made by control, opened by every worker.

import { ADJACENCY_WORDS } from './adjacencies.ts';
import { CONTROL_WORDS } from './control-block.ts';
import { COUNTER_CELLS, type Counters } from './counters.ts';
import { FIB4_WORDS } from './fib4.ts';
import { FIB6_WORDS } from './fib6.ts';
import { BUCKET_WORDS, NEXT_HOP_WORDS } from './next-hops.ts';
import { PORT_WORDS } from './ports.ts';
import { RATE_WORDS } from './rates.ts';
import { REMOTE_WORDS } from './remotes.ts';

const WORDS = {
  control: CONTROL_WORDS,
  fib4: FIB4_WORDS,
  fib6: FIB6_WORDS,
  nextHops: NEXT_HOP_WORDS,
  buckets: BUCKET_WORDS,
  adjacencies: ADJACENCY_WORDS,
  ports: PORT_WORDS,
  remotes: REMOTE_WORDS,
  rates: RATE_WORDS,
} as const;

type TableName = keyof typeof WORDS;

/** What a worker is handed; structured-cloneable without copying. */
export type TableBuffers = Readonly<Record<TableName, SharedArrayBuffer>> & {
  /** One block a worker. */
  readonly counters: readonly SharedArrayBuffer[];
};

export type Tables = Readonly<Record<TableName, Int32Array>> & {
  readonly counters: readonly Counters[];
};

const names = Object.keys(WORDS) as TableName[];

/** Zeroed and, until touched, without memory behind them. */
export const createTableBuffers = (workers: number): TableBuffers => {
  const tables = Object.fromEntries(names.map((name) => [name, new SharedArrayBuffer(WORDS[name] * 4)]));
  const counters = Array.from({ length: workers }, () => new SharedArrayBuffer(COUNTER_CELLS * 8));
  return { ...(tables as Record<TableName, SharedArrayBuffer>), counters };
};

export const openTables = (buffers: TableBuffers): Tables => {
  const views = Object.fromEntries(names.map((name) => [name, new Int32Array(buffers[name])]));
  return {
    ...(views as Record<TableName, Int32Array>),
    counters: buffers.counters.map((buffer) => new Float64Array(buffer)),
  };
};
