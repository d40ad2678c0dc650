// Ports: what is attached to the engine, and the descriptor by which each worker reads and writes it.

import { Limits } from './limits.ts';

export const PortKind = { free: 0, pod: 1, host: 2 } as const;

const ROW = 8 + Limits.workers;
const KIND = 0;
const MTU = 1;
const FD = 8;

export const PORT_WORDS = Limits.ports * ROW;

export const kind = (table: Int32Array, id: number): number => table[id * ROW + KIND];
export const mtu = (table: Int32Array, id: number): number => table[id * ROW + MTU];
/** Descriptor of the queue of `worker`. */
export const fd = (table: Int32Array, id: number, worker: number): number => table[id * ROW + FD + worker];

/** Control only: `fds` has one descriptor a worker. */
export const writePort = (
  table: Int32Array,
  id: number,
  row: { readonly kind: number; readonly mtu: number; readonly fds: readonly number[] },
): void => {
  const at = id * ROW;
  table.set(row.fds, at + FD);
  table[at + MTU] = row.mtu;
  table[at + KIND] = row.kind;
};

/** Control only: from now on nobody may send to it; -1 makes a late writer fail with EBADF. */
export const clearPort = (table: Int32Array, id: number): void => {
  table[id * ROW + KIND] = PortKind.free;
  table.fill(-1, id * ROW + FD, (id + 1) * ROW);
};
