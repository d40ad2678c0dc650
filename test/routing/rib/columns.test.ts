/** What the RIBs are kept in: columns against maps, the index of prefixes and the interned attributes against plain ones. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AttributeSets, sameAttributes } from '../../../routing/rib/attribute-sets.ts';
import { Column, RowSet, Rows } from '../../../routing/rib/column.ts';
import { PrefixIndex } from '../../../routing/rib/prefix-index.ts';
import type { RouteAttributes } from '../../../routing/rib/route.ts';
import { formatPrefix, maskAddress, type Prefix } from '../../../wire/prefix.ts';
import { address4, address6, attributes } from '../../support/bgp-arbitraries.ts';
import { CODING } from '../../support/rib.ts';

const row = fc.integer({ min: 0, max: 20_000 });

test('a column and a set of rows hold what was written last', () => {
  const writes = fc.array(fc.tuple(row, fc.constantFrom(0, 1, 0xffffffff)), { maxLength: 60 });
  fc.assert(
    fc.property(writes, (all) => {
      const [column, set, known] = [new Column(), new RowSet(), new Map<number, number>()];
      for (const [at, value] of all) {
        column.set(at, value);
        if (value === 0) set.delete(at);
        else set.add(at);
        known.set(at, value);
      }
      for (const [at, value] of known) {
        expect(column.get(at)).toBe(value);
        expect(set.has(at)).toBe(value !== 0);
        expect(set.has(at + 20_001)).toBe(false);
      }
      const written = [...known].filter(([, value]) => value !== 0).sort(([a], [b]) => a - b);
      expect([...column]).toEqual(written);
    }),
  );
});

test('rows given back are given out again before new ones', () => {
  const rows = new Rows();
  expect([rows.take(), rows.take(), rows.take()]).toEqual([1, 2, 3]);
  rows.giveBack(2);
  expect([rows.take(), rows.take(), rows.end]).toEqual([2, 4, 5]);
});

describe('the index of prefixes', () => {
  for (const family of [4, 6] as const) {
    test(`IPv${family}: as a map would, over thousands of prefixes that come and go`, () => {
      const bits = family === 4 ? 32 : 128;
      const prefix: fc.Arbitrary<Prefix> = fc
        .tuple(family === 4 ? address4 : address6, fc.integer({ min: 0, max: bits }))
        .map(([address, length]) => ({ address: maskAddress(address, length), length }));
      const pool = fc.sample(prefix, { numRuns: 3000, seed: family });
      // In runs, where a hash that only looks at some bits would pile up.
      for (let i = 0; i < 3000; i++) {
        const words = family === 4 ? [(0x0a000000 + i * 256) >>> 0] : [0x20010db8, i, 0, 0];
        pool.push({ address: { family, words }, length: family === 4 ? 24 : 64 });
      }
      const [index, known] = [new PrefixIndex(family), new Map<string, number>()];
      let state = 7;
      for (let n = 0; n < 30_000; n++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        const one = pool[state % pool.length];
        const key = formatPrefix(one);
        const there = known.get(key);
        expect(index.find(one)).toBe(there ?? 0);
        if ((state >>> 16) % 3 === 0 && there !== undefined) {
          index.remove(there);
          known.delete(key);
        } else {
          const added = index.add(one);
          expect(there ?? added).toBe(added);
          known.set(key, added);
        }
      }
      expect(known.size).toBeGreaterThan(1000);
      expect([index.size, new Set(known.values()).size]).toEqual([known.size, known.size]);
      for (const [key, at] of known)
        expect([formatPrefix(index.prefixOf(at)), index.has(at)]).toEqual([key, true]);
    });
  }
});

describe('interned attributes', () => {
  const made = fc
    .tuple(attributes({ ...CODING, internal: true }), address4, fc.option(address6, { nil: undefined }))
    .map(
      ([rest, nextHop, linkLocal]): RouteAttributes =>
        linkLocal === undefined ? { ...rest, nextHop } : { ...rest, nextHop, linkLocal },
    );

  test('equal ones are one, others are not, and none is left when its uses are over', () => {
    fc.assert(
      fc.property(fc.array(made, { minLength: 1, maxLength: 8 }), (all) => {
        const forgotten: unknown[] = [];
        const sets = new AttributeSets((set) => forgotten.push(set.attributes));
        for (const one of all) {
          const set = sets.intern(one);
          sets.retain(set);
          // Other objects, and keys in another order.
          const copy = Object.fromEntries(Object.entries(structuredClone(one)).reverse());
          expect(sets.intern(copy as unknown as RouteAttributes)).toBe(set);
          expect(sets.get(set.id)).toBe(set);
          expect(sets.intern({ ...one, med: (one.med ?? 0) + 1 })).not.toBe(set);
        }
        for (const one of all) sets.release(sets.intern(one).id);
        for (const one of all) sets.forgetUnused(sets.intern({ ...one, med: (one.med ?? 0) + 1 }));
        expect([...sets.uses()]).toEqual([]);
        expect(sets.size).toBe(0);
        expect(forgotten.length).toBeGreaterThan(0);
      }),
    );
  });

  test('what was found for an object is its own: not of copies, nor elsewhere, nor when it was forgotten', () => {
    fc.assert(
      fc.property(made, (one) => {
        const [here, there] = [new AttributeSets(() => {}), new AttributeSets(() => {})];
        const account = { bytes: 0 };
        const set = here.intern(one, account);
        here.retain(set);
        expect(here.intern(one, account)).toBe(set);
        expect(one).toEqual(structuredClone(one));
        const other = here.intern({ ...one, med: (one.med ?? 0) + 1 }, account);
        expect(other).not.toBe(set);
        here.forgetUnused(other);
        // Ids begin anew there: it is not the same one only because it has the same.
        expect(there.intern(one, { bytes: 0 })).not.toBe(set);

        here.release(set.id);
        expect([set.id, account.bytes]).toEqual([0, 0]);
        const again = here.intern(one, account);
        expect(again).not.toBe(set);
        expect(again.attributes).toBe(one);
        expect(account.bytes).toBeGreaterThan(0);
      }),
    );
  });

  test('each attribute makes a difference', () => {
    fc.assert(
      fc.property(made, (one) => {
        for (const key of Object.keys(one) as (keyof RouteAttributes)[]) {
          if (key === 'nextHop') continue;
          const { [key]: _, ...rest } = one;
          expect(sameAttributes(one, rest as RouteAttributes)).toBe(false);
          expect(sameAttributes(rest as RouteAttributes, one)).toBe(false);
        }
        expect(
          sameAttributes(one, { ...one, nextHop: { family: 4, words: [(one.nextHop.words[0] + 1) >>> 0] } }),
        ).toBe(false);
      }),
    );
  });
});
