// Ranges of addresses that prefixes cover, against each address by itself.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Covered } from '../../control/covered.ts';
import { type Address, parseAddress } from '../../wire/address.ts';
import { formatPrefix, lastAddress, maskAddress, parsePrefix, prefixContains } from '../../wire/prefix.ts';

const rangesOf = async (...prefixes: string[]): Promise<string[]> => {
  const covered = new Covered();
  for (const prefix of prefixes) covered.add(parsePrefix(prefix));
  const ranges = await covered.ranges();
  return [...ranges[4], ...ranges[6]];
};

/** Of an address as a number, IPv6 as well. */
const numberOf = ({ words }: Address): bigint => words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
const bounds = (range: string): [first: bigint, last: bigint] => {
  const [from, to] = range.split('-');
  if (to !== undefined) return [numberOf(parseAddress(from)), numberOf(parseAddress(to))];
  const prefix = parsePrefix(from);
  return [numberOf(prefix.address), numberOf(lastAddress(prefix))];
};

describe('what prefixes cover', () => {
  it('is one range where they touch or lie in each other', async () => {
    expect(await rangesOf('10.0.0.0/24', '10.0.1.0/24')).toEqual(['10.0.0.0/23']);
    expect(await rangesOf('10.0.1.0/24', '10.0.2.0/24', '10.0.3.0/24')).toEqual(['10.0.1.0-10.0.3.255']);
    expect(await rangesOf('10.0.0.0/8', '10.244.0.0/16', '192.0.2.0/24')).toEqual([
      '10.0.0.0/8',
      '192.0.2.0/24',
    ]);
    expect(await rangesOf('0.0.0.0/1', '128.0.0.0/1')).toEqual(['0.0.0.0/0']);
    expect(await rangesOf('255.255.255.0/24')).toEqual(['255.255.255.0/24']);
    expect(await rangesOf()).toEqual([]);
  });

  it('is listed as it is where it is smaller than a /24, or of IPv6, and not inside of another', async () => {
    const given = ['192.0.2.1/32', '10.0.0.0/24', 'fd00::/64', '10.0.0.0/25', '192.0.2.0/30', 'fd00::1/128'];
    expect(await rangesOf(...given)).toEqual(['10.0.0.0/24', '192.0.2.0/30', 'fd00::/64']);
  });

  it('is the same addresses, and no address twice, of both families and any length', async () => {
    const prefix = fc
      .tuple(fc.boolean(), fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0, max: 12 }))
      .map(([isFour, n, less]) => {
        // In 4,096 addresses, some of the prefixes larger than the block that holds them all.
        const [family, length] = isFour ? ([4, 32 - less] as const) : ([6, 128 - less] as const);
        const words = isFour ? [0x0a000000 + n * 16] : [0xfd000000, 0, 0, n * 16];
        return { address: maskAddress({ family, words }, length), length };
      });
    await fc.assert(
      fc.asyncProperty(fc.array(prefix, { maxLength: 20 }), async (prefixes) => {
        const found = (await rangesOf(...prefixes.map(formatPrefix))).map(bounds);
        const sorted = found.sort(([a], [b]) => (a < b ? -1 : 1));
        for (const [i, [from]] of sorted.entries()) {
          if (i > 0) expect(from > sorted[i - 1][1]).toBe(true);
        }
        const size = (all: readonly (readonly [bigint, bigint])[]) =>
          all.reduce((sum, [from, to]) => sum + to - from + 1n, 0n);
        // Neither more nor less: what is found holds all that was given, and its size is that of their union.
        const given = prefixes.map((one) => bounds(formatPrefix(one)));
        for (const [from, to] of given) {
          expect(sorted.some(([first, last]) => first <= from && to <= last)).toBe(true);
        }
        const outer = new Set(
          prefixes
            .filter(
              (one) => !prefixes.some((two) => two.length < one.length && prefixContains(two, one.address)),
            )
            .map(formatPrefix),
        );
        expect(size(sorted)).toBe(size([...outer].map(bounds)));
      }),
    );
  });

  it('is the same addresses, as few as there are', async () => {
    const prefix = fc
      .tuple(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 14, max: 24 }))
      .map(([n, length]) => {
        const address = maskAddress({ family: 4, words: [0x0a000000 + n * 0x4000] }, length);
        return { address, length };
      });
    await fc.assert(
      fc.asyncProperty(fc.array(prefix, { maxLength: 12 }), async (prefixes) => {
        const blocks = new Set<number>();
        for (const one of prefixes) {
          const [first, last] = [one.address.words[0] >>> 8, lastAddress(one).words[0] >>> 8];
          for (let block = first; block <= last; block++) blocks.add(block);
        }
        const found = (await rangesOf(...prefixes.map(formatPrefix))).map((range) =>
          bounds(range).map(Number),
        );
        const again = found.flatMap(([from, to]) =>
          Array.from({ length: (to + 1 - from) / 256 }, (_, i) => (from >>> 8) + i),
        );
        expect(again).toEqual([...blocks].sort((a, b) => a - b));
        for (const [i, [from]] of found.entries()) expect(from).not.toBe((found[i - 1]?.[1] ?? -2) + 1);
      }),
    );
  });
});
