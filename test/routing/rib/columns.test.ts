/** What the RIBs are kept in: columns against maps, the index of prefixes and the interned attributes against plain ones. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeAttributes } from '../../../routing/bgp/codec/update.ts';
import { Account, AttributeSets } from '../../../routing/rib/attribute-sets.ts';
import { ByteStore } from '../../../routing/rib/byte-store.ts';
import { Column, NarrowColumn, RowSet, Rows } from '../../../routing/rib/column.ts';
import { Hops } from '../../../routing/rib/hops.ts';
import { Memo } from '../../../routing/rib/memo.ts';
import { PrefixIndex } from '../../../routing/rib/prefix-index.ts';
import type { RouteAttributes } from '../../../routing/rib/route.ts';
import { RowSlots } from '../../../routing/rib/row-slots.ts';
import { ipv4, ipv6 } from '../../../wire/address.ts';
import { formatPrefix, maskAddress, type Prefix } from '../../../wire/prefix.ts';
import { address4, address6, attributes } from '../../support/bgp-arbitraries.ts';
import { random } from '../../support/random.ts';
import { CODING } from '../../support/rib.ts';

const hops = () => new Hops(() => 0);

const row = fc.integer({ min: 0, max: 20_000 });

test.each([32, 16, 8, 1])('a column of %i bits and a set of rows hold what was written last', (bits) => {
  const most = 2 ** bits - 1;
  // In neighbouring rows too, which may share a word.
  const writes = fc.array(fc.tuple(fc.oneof(row, fc.nat(40)), fc.constantFrom(0, 1, most >>> 1, most)), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(writes, (all) => {
      const column = bits === 32 ? new Column() : new NarrowColumn(bits);
      const [set, known] = [new RowSet(), new Map<number, number>()];
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
      if (column instanceof Column) expect([...column]).toEqual(written);
    }),
  );
  if (bits === 32) return;
  expect(() => new NarrowColumn(bits).set(1, most + 1)).toThrow(
    `${most + 1} in a column for numbers up to ${most}`,
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

test('prefixes are found in the order of their rows, against it, and in any other, also after all have gone', () => {
  const index = new PrefixIndex(4);
  const prefixes = Array.from({ length: 5000 }, (_, i): Prefix => {
    return { address: { family: 4, words: [(Math.imul(i, 0x9e3779b1) & 0xffffff00) >>> 0] }, length: 24 };
  });
  const byAddress = [...prefixes].sort((a, b) => a.address.words[0] - b.address.words[0]);
  const orders = [prefixes, [...prefixes].reverse(), byAddress, prefixes];
  for (const coming of orders) {
    const rows = new Map(coming.map((one) => [one, index.add(one)]));
    expect(new Set(rows.values()).size).toBe(prefixes.length);
    for (const looking of orders) for (const one of looking) expect(index.find(one)).toBe(rows.get(one));
    for (const one of coming) expect(index.add(one)).toBe(rows.get(one));
    for (const going of coming) {
      index.remove(index.find(going));
      expect(index.find(going)).toBe(0);
    }
    expect(index.size).toBe(0);
  }
  // As many as were there at once, however often they came.
  expect(index.end).toBe(prefixes.length + 1);
});

test('a prefix that comes and goes a million times takes no more than it did once', () => {
  const slots = new RowSlots();
  const found = (hash: number): number[] => {
    const rows: number[] = [];
    for (let slot = slots.seek(hash); slot >= 0; slot = slots.seek(hash, slot + 1))
      rows.push(slots.rowAt(slot));
    return rows;
  };
  slots.add(77, 1);
  slots.add(77 + (1 << 20), 2);
  slots.add(77, 3);
  expect([found(77), found(77 + (1 << 20)), found(77 + (2 << 20))]).toEqual([[1, 3], [2], []]);
  for (let n = 0; n < 1_000_000; n++) slots.replace(slots.seek(77), (n % 100) + 4);
  expect([found(77), slots.isFull]).toEqual([[103, 3], false]);
  for (let row = 4; !slots.isFull; row++) slots.add(row << 12, row);
  slots.renew(3);
  expect([found(77), slots.isFull]).toEqual([[], false]);
});

test('bytes by row are what was set last, of any length, and their memory is given to others', () => {
  const next = random(3);
  const store = new ByteStore();
  const known = new Map<number, Uint8Array>();
  const check = (row: number, bytes: Uint8Array): void => {
    const at = store.startOf(row);
    expect(store.lengthOf(row)).toBe(bytes.length);
    expect(Buffer.compare(store.bytesOf(row).subarray(at, at + bytes.length), bytes)).toBe(0);
    expect(store.is(row, bytes, 0, bytes.length)).toBe(true);
    if (bytes.length > 0) expect(store.is(row, bytes, 1, bytes.length)).toBe(false);
  };
  // Waves: many come, most go, others come where they were.
  for (let step = 0; step < 60_000; step++) {
    const row = 1 + next(4000);
    const there = known.get(row);
    const goes = Math.floor(step / 10_000) % 2 === 1 ? 9 : 2;
    if (there !== undefined) {
      check(row, there);
      if (next(10) >= goes) continue;
      store.delete(row);
      known.delete(row);
    } else if (next(10) >= goes) {
      const length = next(20) === 0 ? next(3000) : next(120);
      const bytes = Uint8Array.from({ length }, () => next(256));
      store.set(row, bytes, 0, length);
      known.set(row, bytes);
    }
  }
  for (const [row, bytes] of known) check(row, bytes);
  const slabs = new Set([...known.keys()].map((row) => store.bytesOf(row)));
  for (const row of known.keys()) store.delete(row);
  // One of a size stays, for what comes next; the others went.
  store.set(1, new Uint8Array(40), 0, 40);
  store.set(2, new Uint8Array(40), 0, 40);
  expect(slabs.size).toBeGreaterThan(10);
  expect(store.bytesOf(1)).toBe(store.bytesOf(2));
});

describe('interned attributes', () => {
  const made = fc
    .tuple(
      attributes({ ...CODING, internal: true }),
      fc.oneof(address4, address6),
      fc.option(address6, { nil: undefined }),
    )
    .map(
      ([rest, nextHop, linkLocal]): RouteAttributes =>
        linkLocal === undefined ? { ...rest, nextHop } : { ...rest, nextHop, linkLocal },
    );

  test('equal ones are one, others are not, and none is left when its uses are over', () => {
    fc.assert(
      fc.property(fc.array(made, { minLength: 1, maxLength: 8 }), (all) => {
        const forgotten: unknown[] = [];
        const sets: AttributeSets = new AttributeSets(hops(), (set) =>
          forgotten.push(sets.attributesOf(set)),
        );
        for (const one of all) {
          const set = sets.intern(one);
          sets.retain(set);
          // Other objects, and keys in another order.
          const copy = Object.fromEntries(Object.entries(structuredClone(one)).reverse());
          expect(sets.intern(copy as unknown as RouteAttributes)).toBe(set);
          expect(sets.intern({ ...one, med: (one.med ?? 0) + 1 })).not.toBe(set);
        }
        for (const one of all) sets.release(sets.intern(one));
        for (const one of all) sets.forgetUnused(sets.intern({ ...one, med: (one.med ?? 0) + 1 }));
        expect([...sets.uses()]).toEqual([]);
        expect(sets.size).toBe(0);
        expect(forgotten.length).toBeGreaterThan(0);
      }),
    );
  });

  test('what a set takes is on its account until it is forgotten, and its number is then another one’s', () => {
    fc.assert(
      fc.property(made, (one) => {
        const sets = new AttributeSets(hops());
        const account = new Account();
        const set = sets.intern(one, account);
        sets.retain(set);
        expect(sets.intern(structuredClone(one), account)).toBe(set);
        const { bytes } = account;
        const other = sets.intern({ ...one, med: (one.med ?? 0) + 1 }, account);
        expect(account.bytes).toBeGreaterThan(bytes);
        sets.forgetUnused(other);
        expect([sets.serialOf(other), account.bytes]).toEqual([0, bytes]);
        const serial = sets.serialOf(set);
        sets.release(set);
        expect([sets.serialOf(set), account.bytes]).toEqual([0, 0]);
        const again = sets.intern(one, account);
        expect(again).toBe(set);
        expect(sets.serialOf(again)).not.toBe(serial);
        expect([sets.attributesOf(again), account.bytes]).toEqual([one, bytes]);
      }),
    );
  });

  test('attributes are read from their bytes as they were given, whatever was asked for meanwhile', () => {
    fc.assert(
      fc.property(fc.array(made, { minLength: 1, maxLength: 8 }), (all) => {
        const sets = new AttributeSets(hops());
        const known = all.map((one) => sets.intern(structuredClone(one)));
        // As many more as stay decoded: what is asked for below has to be read.
        for (let med = 0; med < 5000; med++) sets.intern({ nextHop: ipv4(1), med });
        for (const [i, one] of all.entries()) {
          expect(sets.attributesOf(known[i])).toEqual(one);
          expect(sets.hasTunnels(known[i])).toBe(one.tunnels !== undefined);
          const isWhole = one.nextHop.family === 4 && one.linkLocal === undefined;
          expect(sets.isWhole(known[i])).toBe(isWhole);
          const { linkLocal: _, nextHop, ...rest } = one;
          const sent = nextHop.family === 4 ? { ...rest, nextHop } : rest;
          expect(sets.encodedOf(known[i])).toEqual(encodeAttributes(sent, { ...CODING, asBytes: 4 }));
        }
      }),
      { numRuns: 20 },
    );
  });

  test('lists that a policy has emptied, and more than a message holds, are kept as they are', () => {
    const sets = new AttributeSets(hops());
    const [nextHop, linkLocal] = [ipv6(0x20010db8, 0, 0, 1), ipv6(0xfe800000, 0, 0, 1)];
    const empty: RouteAttributes = {
      ...{ origin: 0, asPath: [], communities: [], extendedCommunities: [], largeCommunities: [] },
      ...{ nextHop, linkLocal, atomicAggregate: true },
    };
    const asns = Array.from({ length: 17_000 }, (_, i) => i + 1);
    const long: RouteAttributes = { origin: 0, asPath: [{ type: 2, asns }], nextHop };
    const account = new Account();
    const known = [empty, long].map((one) => sets.intern(one, account));
    for (let med = 0; med < 5000; med++) sets.intern({ nextHop, med });
    expect(known.map((set) => sets.attributesOf(set))).toEqual([empty, long]);
    expect(sets.encodedOf(known[1]).length).toBeGreaterThan(0xffff);
    for (const set of known) sets.forgetUnused(set);
    expect(account.bytes).toBe(0);
  });

  test('a memo knows what was last made of a set, until one of the two is forgotten', () => {
    const next = random(5);
    const sets: AttributeSets = new AttributeSets(hops(), (set) => memo.forget(set));
    const memo = new Memo(sets);
    const setOf = (n: number) => sets.intern({ nextHop: ipv4(1), med: n });
    /** By what they are made of, the sets that are there, and what is known of them. */
    const [there, known] = [new Set<number>(), new Map<number, { other: number; result: number }>()];
    const [REJECTED, asked] = [-1, { found: 0, gone: 0 }];
    for (let step = 0; step < 40_000; step++) {
      const n = next(60);
      if (!there.has(n)) {
        sets.retain(setOf(n));
        there.add(n);
      } else if (next(4) === 0) {
        sets.release(setOf(n));
        there.delete(n);
        known.delete(n);
        for (const [key, { result }] of known) if (result === n) known.delete(key);
        asked.gone++;
        continue;
      }
      const other = next(3);
      const expected = known.get(n)?.other === other ? known.get(n)?.result : undefined;
      const got = memo.get(setOf(n), other);
      if (expected === undefined) {
        expect(got).toBeUndefined();
        const result = next(5) === 0 ? REJECTED : next(3) === 0 ? n : ([...there][next(there.size)] ?? n);
        memo.set(setOf(n), other, result === REJECTED ? 0 : setOf(result));
        known.set(n, { other, result });
      } else {
        expect(got).toBe(expected === REJECTED ? 0 : setOf(expected));
        asked.found++;
      }
    }
    expect(asked.found).toBeGreaterThan(5000);
    expect(asked.gone).toBeGreaterThan(5000);
  });

  test('each attribute makes a difference', () => {
    fc.assert(
      fc.property(made, (one) => {
        const sets = new AttributeSets(hops());
        const set = sets.intern(one);
        for (const key of Object.keys(one) as (keyof RouteAttributes)[]) {
          if (key === 'nextHop') continue;
          const { [key]: _, ...rest } = one;
          expect(sets.intern(rest as RouteAttributes)).not.toBe(set);
        }
        const elsewhere: RouteAttributes = {
          ...one,
          nextHop: { family: 4, words: [(one.nextHop.words[0] + 1) >>> 0] },
        };
        expect(sets.intern(elsewhere)).not.toBe(set);
      }),
    );
  });
});
