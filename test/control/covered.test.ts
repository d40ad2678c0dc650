// Ranges of addresses that prefixes cover, against each address by itself.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Covered } from '../../control/covered.ts';
import { parseAddress } from '../../wire/address.ts';
import { formatPrefix, lastAddress, maskAddress, parsePrefix } from '../../wire/prefix.ts';

const rangesOf = (...prefixes: string[]): string[] => {
  const covered = new Covered();
  for (const prefix of prefixes) covered.add(parsePrefix(prefix));
  return [...covered.ranges(4), ...covered.ranges(6)];
};

describe('what prefixes cover', () => {
  it('is one range where they touch or lie in each other', () => {
    expect(rangesOf('10.0.0.0/24', '10.0.1.0/24')).toEqual(['10.0.0.0/23']);
    expect(rangesOf('10.0.1.0/24', '10.0.2.0/24', '10.0.3.0/24')).toEqual(['10.0.1.0-10.0.3.255']);
    expect(rangesOf('10.0.0.0/8', '10.244.0.0/16', '192.0.2.0/24')).toEqual(['10.0.0.0/8', '192.0.2.0/24']);
    expect(rangesOf('0.0.0.0/1', '128.0.0.0/1')).toEqual(['0.0.0.0/0']);
    expect(rangesOf('255.255.255.0/24')).toEqual(['255.255.255.0/24']);
    expect(rangesOf()).toEqual([]);
  });

  it('is listed as it is where it is smaller than a /24, or of IPv6', () => {
    expect(rangesOf('192.0.2.1/32', '10.0.0.0/24', 'fd00::/64', '10.0.0.0/25')).toEqual([
      ...['10.0.0.0/24', '192.0.2.1/32', '10.0.0.0/25', 'fd00::/64'],
    ]);
  });

  it('is the same addresses, as few as there are', () => {
    const prefix = fc
      .tuple(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 14, max: 24 }))
      .map(([n, length]) => {
        const address = maskAddress({ family: 4, words: [0x0a000000 + n * 0x4000] }, length);
        return { address, length };
      });
    fc.assert(
      fc.property(fc.array(prefix, { maxLength: 12 }), (prefixes) => {
        const blocks = new Set<number>();
        for (const one of prefixes) {
          const [first, last] = [one.address.words[0] >>> 8, lastAddress(one).words[0] >>> 8];
          for (let block = first; block <= last; block++) blocks.add(block);
        }
        const found = rangesOf(...prefixes.map(formatPrefix)).map((range) => {
          const [from, to] = range.split('-');
          if (to !== undefined) return [parseAddress(from).words[0], parseAddress(to).words[0]];
          return [parsePrefix(from).address.words[0], lastAddress(parsePrefix(from)).words[0]];
        });
        const again = found.flatMap(([from, to]) =>
          Array.from({ length: (to + 1 - from) / 256 }, (_, i) => (from >>> 8) + i),
        );
        expect(again).toEqual([...blocks].sort((a, b) => a - b));
        for (const [i, [from]] of found.entries()) expect(from).not.toBe((found[i - 1]?.[1] ?? -2) + 1);
      }),
    );
  });
});
