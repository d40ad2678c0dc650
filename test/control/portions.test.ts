import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inPortions, PORTION, sortInPortions } from '../../control/portions.ts';
import { PrefixOrder } from '../../control/prefix-order.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../../wire/prefix.ts';
import { collected } from '../support/collected.ts';

/** How often something else had its turn until it is done. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const count = (): void => {
    if (over) return;
    turns++;
    setImmediate(count);
  };
  setImmediate(count);
  await work;
  over = true;
  return turns;
}

const PORTIONS = 5;
const numbers = Array.from({ length: PORTIONS * PORTION }, (_, i) => (i * 7919) % 10_007);

it('does everything, others having their turn in between', async () => {
  const done: number[] = [];
  expect(await turnsDuring(inPortions(numbers, (one) => done.push(one)))).toBeGreaterThanOrEqual(
    PORTIONS - 1,
  );
  expect(done).toEqual(numbers);
});

it('sorts as Array does, equal ones staying as they were', async () => {
  const pairs = numbers.map((key, i) => ({ key, i }));
  const byKey = (a: { key: number }, b: { key: number }) => a.key - b.key;
  const sorting = sortInPortions(pairs, byKey);
  expect(await turnsDuring(sorting)).toBeGreaterThanOrEqual(PORTIONS);
  expect(await sorting).toEqual([...pairs].sort(byKey));
  for (const length of [0, 1, PORTION, PORTION + 1, 3 * PORTION]) {
    const some = numbers.slice(0, length);
    expect(await sortInPortions(some, (a, b) => a - b)).toEqual([...some].sort((a, b) => a - b));
  }
});

const word = fc.nat({ max: 0xffffffff });
const prefix: fc.Arbitrary<Prefix> = fc.oneof(
  fc.tuple(word, fc.nat({ max: 32 })).map(([one, length]) => ({
    address: { family: 4 as const, words: [one] },
    length,
  })),
  fc.tuple(fc.array(word, { minLength: 4, maxLength: 4 }), fc.nat({ max: 128 })).map(([words, length]) => ({
    address: { family: 6 as const, words },
    length,
  })),
);

it('brings prefixes into order, IPv4 first, each once', async () => {
  const inOrder = async (prefixes: readonly Prefix[]) => {
    const order = new PrefixOrder();
    for (const one of prefixes) order.add(one);
    return collected(order.inOrder());
  };
  const texts = [
    '2001:db8::/32',
    '10.0.0.0/16',
    '255.0.0.0/8',
    '10.0.0.0/8',
    '0.0.0.0/0',
    '9.0.0.0/8',
    '::/0',
  ];
  expect((await inOrder(texts.map(parsePrefix))).map(formatPrefix)).toEqual([
    '0.0.0.0/0',
    '9.0.0.0/8',
    '10.0.0.0/8',
    '10.0.0.0/16',
    '255.0.0.0/8',
    '::/0',
    '2001:db8::/32',
  ]);
  await fc.assert(
    fc.asyncProperty(fc.array(prefix, { maxLength: 50 }), async (prefixes) => {
      const sorted = await inOrder([...prefixes, ...prefixes]);
      const key = ({ address, length }: Prefix) => [address.family, ...address.words, length];
      const unique = new Map(prefixes.map((one) => [JSON.stringify(one), one]));
      const expected = [...unique.values()].sort((a, b) => {
        const [left, right] = [key(a), key(b)];
        const at = left.findIndex((value, i) => value !== right[i]);
        return at < 0 ? 0 : left[at] - right[at];
      });
      expect(sorted).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});
