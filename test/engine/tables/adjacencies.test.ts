import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as adjacencies from '../../../engine/tables/adjacencies.ts';
import { Limits } from '../../../engine/tables/limits.ts';
import type { Mac } from '../../../wire/mac.ts';

const word = fc.integer({ min: 0, max: 0xffffffff });
const row = fc.record(
  {
    kind: fc.constantFrom(...Object.values(adjacencies.AdjacencyKind)),
    mtu: fc.nat(65_535),
    port: fc.nat(Limits.ports - 1),
    remote: fc.nat(Limits.remotes - 1),
    outer: fc.oneof(
      fc.record({ family: fc.constant<4>(4), words: fc.tuple(word) }),
      fc.record({ family: fc.constant<6>(6), words: fc.tuple(word, word, word, word) }),
    ),
    udpPort: fc.nat(65_535),
    vni: fc.nat(0xffffff),
    mac: fc.integer({ min: 0, max: 2 ** 48 - 1 }).map((value) => value as Mac),
  },
  { requiredKeys: ['kind', 'mtu'] },
);
const id = fc.integer({ min: 0, max: Limits.adjacencies - 1 });
const newTable = () => new Int32Array(adjacencies.ADJACENCY_WORDS);

/** What the readers say of a row, in the shape of what was written. */
const read = (table: Int32Array, of: number): Required<adjacencies.AdjacencyRow> => ({
  kind: adjacencies.kind(table, of) as adjacencies.AdjacencyKind,
  mtu: adjacencies.mtu(table, of),
  port: adjacencies.port(table, of),
  remote: adjacencies.remote(table, of),
  outer: {
    family: adjacencies.outerFamily(table, of) as 4 | 6,
    words: [0, 1, 2, 3].map((w) => adjacencies.outerWord(table, of, w) >>> 0),
  },
  udpPort: adjacencies.udpPort(table, of),
  vni: adjacencies.vni(table, of),
  mac: adjacencies.mac(table, of),
});
const expected = (written: adjacencies.AdjacencyRow) => {
  const words = written.outer?.words ?? [];
  return {
    port: 0,
    remote: 0,
    udpPort: 0,
    vni: 0,
    mac: 0,
    ...written,
    outer: { family: written.outer?.family ?? 0, words: [0, 1, 2, 3].map((w) => words[w] ?? 0) },
  };
};

it('a row says what was written last, and nothing of what it said before', () => {
  const table = newTable();
  const last = new Map<number, adjacencies.AdjacencyRow>();
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 2, 77, Limits.adjacencies - 1), row, (of, written) => {
      const generation = adjacencies.generation(table, of);
      adjacencies.writeAdjacency(table, of, written);
      last.set(of, written);
      expect(adjacencies.generation(table, of)).toBe(generation + 1);
      // The rows beside it stay as they were.
      for (const [other, its] of last) expect(read(table, other)).toEqual(expected(its));
    }),
    { numRuns: 500 },
  );
});

it('a new MTU changes the MTU alone', () => {
  fc.assert(
    fc.property(id, row, fc.nat(65_535), (of, written, mtu) => {
      const table = newTable();
      adjacencies.writeAdjacency(table, of, written);
      const before = table.slice();
      adjacencies.setMtu(table, of, mtu);
      expect(read(table, of)).toEqual(expected({ ...written, mtu }));
      const changed = before.filter((value, at) => value !== table[at]).length;
      expect(changed).toBe(mtu === written.mtu ? 0 : 1);
    }),
    { numRuns: 30 },
  );
});
