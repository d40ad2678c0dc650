// Numbers by prefix against a Map, under random changes.
import { expect, it } from 'vitest';
import { maskAddress, type Prefix, prefixContains } from '../../wire/prefix.ts';
import { PrefixNumbers } from '../../wire/prefix-numbers.ts';
import { random } from '../support/random.ts';

const STEPS = 60_000;

it.each([4, 6] as const)('IPv%d: is what a map is, growing and shrinking', (family) => {
  const next = random(family);
  const bits = family === 4 ? 32 : 128;
  const numbers = new PrefixNumbers(family);
  const model = new Map<string, { readonly prefix: Prefix; value: number }>();
  const anyPrefix = (): Prefix => {
    const length = next(4) === 0 ? next(bits + 1) : bits - next(12);
    // High words differ in few bits, so that hashes have something to spread.
    const words = Array.from({ length: bits / 32 }, (_, w) =>
      w === 0 ? (0xfe000000 + next(3) * 65536 + next(4096)) >>> 0 : next(4),
    );
    return { address: maskAddress({ family, words }, length), length };
  };
  const keyOf = ({ address, length }: Prefix): string => `${address.words.join('.')}/${length}`;
  for (let n = 0; n < STEPS; n++) {
    const prefix = anyPrefix();
    const { words } = prefix.address;
    const key = keyOf(prefix);
    const before = model.get(key)?.value ?? 0;
    expect(numbers.get(words, prefix.length)).toBe(before);
    // More and more of them, and then fewer and fewer.
    if (next(10) < (n < STEPS / 2 ? 7 : 1)) {
      // Of two bytes at first.
      const value = 1 + next(n < STEPS / 4 ? 0xffff : 0xffffffff);
      expect(numbers.set(words, prefix.length, value)).toBe(before);
      model.set(key, { prefix, value });
    } else {
      const gone = [...model.values()][next(Math.max(1, Math.min(50, model.size)))]?.prefix ?? prefix;
      const wanted = model.get(keyOf(gone))?.value ?? 0;
      expect(numbers.delete(gone.address.words, gone.length)).toBe(wanted);
      model.delete(keyOf(gone));
    }
    expect(numbers.size).toBe(model.size);
  }
  const byKey = (all: Iterable<{ readonly prefix: Prefix; readonly value: number }>) =>
    [...all].map(({ prefix, value }) => [keyOf(prefix), value]).sort();
  expect(byKey(numbers.entries())).toEqual(byKey(model.values()));
  for (let n = 0; n < 200; n++) {
    const { address } = anyPrefix();
    const containing = [...model.values()].filter(({ prefix }) => prefixContains(prefix, address));
    expect([...numbers.covering(address)].map(({ prefix, value }) => [keyOf(prefix), value])).toEqual(
      containing
        .sort((a, b) => b.prefix.length - a.prefix.length)
        .map(({ prefix, value }) => [keyOf(prefix), value]),
    );
  }
  for (let length = 0; length <= bits; length++) {
    expect(numbers.hasLength(length)).toBe(
      [...model.values()].some(({ prefix }) => prefix.length === length),
    );
  }
});

it('in parts: what stays is there once, whatever else comes and goes in between', () => {
  const next = random(7);
  const numbers = new PrefixNumbers(4);
  const seen = new Map<number, number>();
  for (let n = 0; n < 20_000; n++) numbers.set([n * 256], 24, 1);
  for (const part of numbers.parts()) {
    for (const { prefix } of part) {
      const [word] = prefix.address.words;
      seen.set(word, (seen.get(word) ?? 0) + 1);
    }
    // Those of odd numbers go, and others come.
    for (let n = 0; n < 400; n++) {
      numbers.delete([(2 * next(10_000) + 1) * 256], 24);
      numbers.set([(20_000 + next(100_000)) * 256], 24, 1);
    }
  }
  for (let n = 0; n < 20_000; n += 2) expect(seen.get(n * 256)).toBe(1);
});
