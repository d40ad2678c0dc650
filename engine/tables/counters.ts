// Counters: a block of Float64 cells a worker, which alone writes it; readers add the blocks up. A cell may be read while
// it is written: 64-bit stores are whole on the machines that Weft runs on.
//
//   [verdicts] [ports: delivered packets, bytes; taken packets, bytes; drops; dead] [remotes: sent packets, bytes; received packets, bytes; last seen]

import { Limits } from './limits.ts';

/** Cells for verdicts; engine/verdict.ts has fewer. */
const VERDICTS = 64;

export const PortCounter = {
  deliveredPackets: 0,
  deliveredBytes: 1,
  takenPackets: 2,
  takenBytes: 3,
  drops: 4,
  dead: 5,
} as const;
const PORT_CELLS = 6;
/** `lastSeen` is in milliseconds since 1970. */
export const RemoteCounter = {
  sentPackets: 0,
  sentBytes: 1,
  receivedPackets: 2,
  receivedBytes: 3,
  lastSeen: 4,
} as const;
const REMOTE_CELLS = 5;

const PORTS = VERDICTS;
const REMOTES = PORTS + Limits.ports * PORT_CELLS;
/** Cells of one worker. */
export const COUNTER_CELLS = REMOTES + Limits.remotes * REMOTE_CELLS;

export type Counters = Float64Array;

export const verdictCell = (verdict: number): number => verdict;
export const portCell = (port: number, counter: number): number => PORTS + port * PORT_CELLS + counter;
export const remoteCell = (remote: number, counter: number): number =>
  REMOTES + remote * REMOTE_CELLS + counter;

/** Sum of a cell over all workers. */
export const sumCell = (blocks: readonly Counters[], cell: number): number =>
  blocks.reduce((sum, block) => sum + block[cell], 0);

/** Latest of a cell over all workers. */
export const maxCell = (blocks: readonly Counters[], cell: number): number =>
  blocks.reduce((most, block) => Math.max(most, block[cell]), 0);

/** Control only, when an id is given to something new and no worker uses it. */
export const clearPortCells = (blocks: readonly Counters[], port: number): void => {
  for (const block of blocks) block.fill(0, portCell(port, 0), portCell(port, PORT_CELLS));
};
export const clearRemoteCells = (blocks: readonly Counters[], remote: number): void => {
  for (const block of blocks) block.fill(0, remoteCell(remote, 0), remoteCell(remote, REMOTE_CELLS));
};
