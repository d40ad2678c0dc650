// Both FIBs against a linear table that knows nothing but the definition of longest-prefix match.

import { describe, expect, it } from 'vitest';
import type { FibBuilder } from '../../../engine/tables/fib-builder.ts';
import { FIB4_WORDS, fib4Lookup } from '../../../engine/tables/fib4.ts';
import { Fib4Builder } from '../../../engine/tables/fib4-builder.ts';
import { FIB6_WORDS, fib6Lookup } from '../../../engine/tables/fib6.ts';
import { Fib6Builder } from '../../../engine/tables/fib6-builder.ts';
import { random } from '../../support/random.ts';

const STEPS = 4000;
const LOOKUPS_A_STEP = 8;
const NEXT_HOPS = 16383;

type Random = ReturnType<typeof random>;

interface Family {
  readonly bits: number;
  /** Lengths that are likelier than others: where tables end and begin. The shortest fill millions of cells in IPv4. */
  readonly lengths: readonly number[];
  open(): { builder: FibBuilder; lookup(words: readonly number[]): number; epoch(): void };
}

const shared = (words: number): Int32Array => new Int32Array(new SharedArrayBuffer(words * 4));

const families: Record<string, Family> = {
  IPv4: {
    bits: 32,
    lengths: [0, 5, 8, 16, 23, 24, 25, 26, 31, 32],
    open() {
      let epoch = 1;
      const fib = shared(FIB4_WORDS);
      const builder = new Fib4Builder(fib, () => epoch + 1);
      return { builder, lookup: ([word]) => fib4Lookup(fib, word), epoch: () => builder.reclaim(++epoch) };
    },
  },
  IPv6: {
    bits: 128,
    lengths: [0, 1, 31, 32, 33, 48, 64, 65, 96, 127, 128],
    open() {
      let epoch = 1;
      const fib = shared(FIB6_WORDS);
      const builder = new Fib6Builder(fib, () => epoch + 1);
      return {
        builder,
        lookup: ([a, b, c, d]) => fib6Lookup(fib, a, b, c, d),
        epoch: () => builder.reclaim(++epoch),
      };
    },
  },
};

const toWords = (value: bigint, bits: number): number[] =>
  Array.from({ length: bits / 32 }, (_, w) => Number((value >> BigInt(bits - 32 - 32 * w)) & 0xffffffffn));

const cut = (value: bigint, bits: number, length: number): bigint => {
  const rest = BigInt(bits - length);
  return (value >> rest) << rest;
};

/** Routes by a number that is the prefix and its length. */
class LinearTable {
  readonly routes = new Map<bigint, { value: bigint; length: number; nextHop: number }>();
  readonly bits: number;

  constructor(bits: number) {
    this.bits = bits;
  }

  set(value: bigint, length: number, nextHop: number): void {
    this.routes.set(value * 256n + BigInt(length), { value, length, nextHop });
  }

  delete(value: bigint, length: number): boolean {
    return this.routes.delete(value * 256n + BigInt(length));
  }

  lookup(address: bigint): number {
    let best = { length: -1, nextHop: 0 };
    for (const route of this.routes.values()) {
      if (route.length > best.length && cut(address, this.bits, route.length) === route.value) best = route;
    }
    return best.nextHop;
  }
}

describe.each(Object.entries(families))('%s', (_, { bits, lengths, open }) => {
  const randomAddress = (next: Random): bigint => {
    // Few different high bits, so that prefixes nest and share cells.
    let value = 0n;
    for (let at = 0; at < bits; at += 32) {
      const word =
        at === 0 ? (10 << 24) | (next(3) << 8) | next(256) : next(4) === 0 ? next(3) : next(2 ** 31);
      value = (value << 32n) | BigInt(word >>> 0);
    }
    return value;
  };
  const randomLength = (next: Random): number =>
    next(2) === 0 ? lengths[next(lengths.length)] : 8 + next(bits - 7);

  it.each([1, 2, 3])('as a linear table, whatever is inserted, replaced and removed (seed %i)', (seed) => {
    const next = random(seed * 7919);
    const { builder, lookup, epoch } = open();
    const linear = new LinearTable(bits);
    const expectEqual = (address: bigint) => {
      const words = toWords(address, bits);
      expect(lookup(words), `${address.toString(16)}`).toBe(linear.lookup(address));
    };
    for (let step = 0; step < STEPS; step++) {
      const known = [...linear.routes.values()];
      const picked = known[next(known.length || 1)];
      // Grows to some hundred routes, then shrinks to none, over and over.
      const growing = Math.floor(step / 500) % 2 === 0;
      if (picked && (growing ? next(4) === 0 : next(4) !== 0)) {
        expect(builder.remove(toWords(picked.value, bits), picked.length)).toBe(true);
        linear.delete(picked.value, picked.length);
        expectEqual(picked.value);
      } else {
        const length = randomLength(next);
        const value = cut(randomAddress(next), bits, length);
        const nextHop = 1 + next(NEXT_HOPS);
        builder.insert(toWords(value, bits), length, nextHop);
        linear.set(value, length, nextHop);
        expect(builder.get(toWords(value, bits), length)).toBe(nextHop);
        expectEqual(value);
        expectEqual(value + ((1n << BigInt(bits - length)) - 1n)); // the last address of the prefix
        if (value > 0n) expectEqual(value - 1n);
      }
      for (let n = 0; n < LOOKUPS_A_STEP; n++) expectEqual(randomAddress(next));
      expect(builder.size).toBe(linear.routes.size);
      if (next(10) === 0) epoch();
    }
    for (const { value, length } of [...linear.routes.values()]) {
      expect(builder.remove(toWords(value, bits), length)).toBe(true);
      linear.delete(value, length);
    }
    expect(builder.size).toBe(0);
    for (let n = 0; n < 100; n++) expect(lookup(toWords(randomAddress(next), bits))).toBe(0);
  });

  it('says so when what is to be removed is not there', () => {
    const { builder } = open();
    const words = toWords(0n, bits);
    expect(builder.remove(words, 24)).toBe(false);
    builder.insert(words, 24, 7);
    expect(builder.remove(words, 25)).toBe(false);
    expect(builder.get(words, 25)).toBe(0);
    expect(builder.remove(words, 24)).toBe(true);
    expect(builder.remove(words, 24)).toBe(false);
  });
});

describe('IPv4 with all groups in use', () => {
  it('refuses one more, keeps what it had, and takes it when a group was given back and let go of', () => {
    const { builder, lookup, epoch } = families.IPv4.open();
    const groupAddress = (group: number): number => (group << 8) >>> 0;
    let made = 0;
    const fill = () => {
      for (; made <= 1 << 20; made++) builder.insert([groupAddress(made)], 25, 1 + (made % NEXT_HOPS));
    };
    expect(fill).toThrow(RangeError);
    expect(lookup([groupAddress(made)])).toBe(0);
    expect(builder.size).toBe(made);
    expect(lookup([groupAddress(made - 1)])).toBe(1 + ((made - 1) % NEXT_HOPS));
    builder.remove([groupAddress(0)], 25);
    expect(() => builder.insert([groupAddress(made)], 25, 5)).toThrow(RangeError);
    epoch();
    epoch();
    builder.insert([groupAddress(made)], 25, 5);
    expect(lookup([groupAddress(made)])).toBe(5);
    expect(lookup([groupAddress(0)])).toBe(0);
  });
});
