import { expect, it } from 'vitest';
import {
  COUNTER_CELLS,
  clearPortCells,
  clearRemoteCells,
  maxCell,
  PortCounter,
  portCell,
  RemoteCounter,
  remoteCell,
  sumCell,
  verdictCell,
} from '../../../engine/tables/counters.ts';
import { Limits } from '../../../engine/tables/limits.ts';
import { Verdict } from '../../../engine/verdict.ts';

const allOf = (counters: Record<string, number>, cell: (counter: number) => number): number[] =>
  Object.values(counters).map(cell);
const ids = (limit: number): number[] => Array.from({ length: limit }, (_, id) => id);

it('every verdict, port and remote has cells of its own', () => {
  const cells = [
    ...Object.values(Verdict).map(verdictCell),
    ...ids(Limits.ports).flatMap((id) => allOf(PortCounter, (counter) => portCell(id, counter))),
    ...ids(Limits.remotes).flatMap((id) => allOf(RemoteCounter, (counter) => remoteCell(id, counter))),
  ];
  expect(new Set(cells).size).toBe(cells.length);
  expect(cells.every((cell) => Number.isInteger(cell) && cell >= 0 && cell < COUNTER_CELLS)).toBe(true);
});

it('readers add the blocks of all workers up, and see the latest of times', () => {
  const blocks = [1, 10, 5].map((value) => new Float64Array(COUNTER_CELLS).fill(value));
  expect(sumCell(blocks, portCell(3, PortCounter.drops))).toBe(16);
  expect(maxCell(blocks, remoteCell(3, RemoteCounter.lastSeen))).toBe(10);
  // Beyond 32 bits: 100 Gbit/s are 2^32 bytes in a third of a second.
  blocks[0][portCell(3, PortCounter.takenBytes)] = 2 ** 52;
  expect(sumCell(blocks, portCell(3, PortCounter.takenBytes))).toBe(2 ** 52 + 15);
});

it.each([
  ['port', Limits.ports, clearPortCells, PortCounter, portCell],
  ['remote', Limits.remotes, clearRemoteCells, RemoteCounter, remoteCell],
] as const)(
  'clearing a %s clears its cells in every block, and nothing else',
  (_, limit, clear, names, cell) => {
    for (const id of [0, 1, 100, limit - 1]) {
      const blocks = [1, 2].map(() => new Float64Array(COUNTER_CELLS).fill(7));
      clear(blocks, id);
      const own = new Set(allOf(names, (counter) => cell(id, counter)));
      for (const block of blocks) {
        const cleared = ids(COUNTER_CELLS).filter((at) => block[at] !== 7);
        expect(new Set(cleared)).toEqual(own);
        expect(cleared.every((at) => block[at] === 0)).toBe(true);
      }
    }
  },
);
