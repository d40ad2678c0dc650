// The table of remotes against a Map, whatever is linked and unlinked; few different words, so that chains are shared.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Limits } from '../../../engine/tables/limits.ts';
import {
  linkRemote,
  REMOTE_WORDS,
  remoteAcceptsVni,
  remoteLookup,
  setRemoteVnis,
  unlinkRemote,
  VNIS_PER_REMOTE,
} from '../../../engine/tables/remotes.ts';
import { random } from '../../support/random.ts';

type Words = readonly [number, number, number, number];
const newTable = () => new Int32Array(new SharedArrayBuffer(REMOTE_WORDS * 4));
const lookup = (table: Int32Array, [a, b, c, d]: Words): number => remoteLookup(table, a, b, c, d);

describe.each([1, 2, 3])('as a map, seed %i', (seed) => {
  it.each([
    ['a few', 12, 400],
    // About as many as there are chains: many are shared.
    ['as many as there can be', Limits.remotes - 1, 40_000],
  ])('with %s', (_, most, steps) => {
    const next = random(seed * 104_729);
    const table = newTable();
    const ids = new Map<string, { id: number; words: Words }>();
    const free = Array.from({ length: most }, (_, n) => n + 1);
    const address = (): Words =>
      next(2) === 0
        ? [0, 0, 0xffff, 0xc0a80000 + next(2 * most)]
        : [0xfd000077, next(2), 0x80000000 + next(2), next(most)];
    for (let step = 0; step < steps; step++) {
      const words = address();
      const key = words.join();
      const known = ids.get(key);
      expect(lookup(table, words)).toBe(known?.id ?? 0);
      if (known && next(4) !== 0) {
        unlinkRemote(table, known.id);
        ids.delete(key);
        free.push(known.id);
        expect(lookup(table, words)).toBe(0);
      } else if (!known && free.length > 0) {
        const id = free.splice(next(free.length), 1)[0];
        linkRemote(table, id, words);
        ids.set(key, { id, words });
        expect(lookup(table, words)).toBe(id);
      }
    }
    expect(ids.size).toBeGreaterThan(Math.min(most, steps / 4) / 4);
    for (const { id, words } of ids.values()) {
      expect(lookup(table, words)).toBe(id);
      // Readers hand over words as they find them in packets: signed.
      expect(lookup(table, words.map((word) => word | 0) as unknown as Words)).toBe(id);
    }
  });
});

it('a reader that stands on a row when it is unlinked still finds all that followed it', () => {
  // The layout that readers walk: heads of chains, then rows of 16 words, the fifth of which is the next row's id.
  const row = (id: number): number => REMOTE_WORDS - (Limits.remotes - id) * 16;
  const followers = (table: Int32Array, id: number): number[] => {
    const found: number[] = [];
    for (let next = table[row(id) + 4]; next !== 0; next = table[row(next) + 4]) found.push(next);
    return found;
  };
  const table = newTable();
  const all = Array.from({ length: Limits.remotes - 1 }, (_, n) => n + 1);
  const words = (id: number): Words => [0, 0, 0xffff, 0x0a000000 + id];
  for (const id of all) linkRemote(table, id, words(id));
  const before = new Map(all.map((id) => [id, followers(table, id)]));
  const chained = [...before.values()].filter((chain) => chain.length > 1).length;
  expect(chained).toBeGreaterThan(1000);
  const isGone = (id: number): boolean => id % 3 === 0;
  for (const id of all.filter(isGone)) unlinkRemote(table, id);
  for (const id of all) {
    expect(lookup(table, words(id))).toBe(isGone(id) ? 0 : id);
    const now = followers(table, id);
    for (const next of before.get(id) as number[]) if (!isGone(next)) expect(now).toContain(next);
  }
});

it('a remote may use the VNIs that were set last, and no others', () => {
  const vnis = fc.uniqueArray(fc.nat(0xffffff), { maxLength: VNIS_PER_REMOTE });
  const table = newTable();
  linkRemote(table, 5, [0, 0, 0xffff, 5]);
  linkRemote(table, 6, [0, 0, 0xffff, 6]);
  setRemoteVnis(table, 6, [4096]);
  fc.assert(
    fc.property(vnis, vnis, (first, second) => {
      setRemoteVnis(table, 5, first);
      setRemoteVnis(table, 5, second);
      for (const vni of second) expect(remoteAcceptsVni(table, 5, vni)).toBe(true);
      for (const vni of first) expect(remoteAcceptsVni(table, 5, vni)).toBe(second.includes(vni));
      expect(remoteAcceptsVni(table, 6, 4096)).toBe(true);
      expect(remoteAcceptsVni(table, 6, 4097)).toBe(false);
      expect(lookup(table, [0, 0, 0xffff, 5])).toBe(5);
    }),
  );
  const tooMany = Array.from({ length: VNIS_PER_REMOTE + 1 }, (_, n) => n);
  setRemoteVnis(table, 5, [1]);
  expect(() => setRemoteVnis(table, 5, tooMany)).toThrow(`${VNIS_PER_REMOTE} VNIs at a time, not 11`);
  expect(remoteAcceptsVni(table, 5, 1)).toBe(true);
  expect(remoteAcceptsVni(table, 5, 2)).toBe(false);
  // A row that is given to somebody else begins with none.
  unlinkRemote(table, 5);
  linkRemote(table, 5, [0, 0, 0xffff, 7]);
  expect(remoteAcceptsVni(table, 5, 1)).toBe(false);
});
