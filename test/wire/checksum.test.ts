// The SIMD kernel and the plain sum against the definition: RFC 1071, word by word.

import { expect, it } from 'vitest';
import { checksumBytes, foldChecksum, instantiateChecksum } from '../../wire/checksum.ts';
import { random } from '../support/random.ts';

const SIZE = 4 * 65536;

/** The ones' complement sum of 16-bit words as a little-endian machine loads them, one carry at a time. */
function definition(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i] + 256 * (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

const memory = new WebAssembly.Memory({ initial: SIZE / 65536, maximum: SIZE / 65536 });
const u8 = new Uint8Array(memory.buffer);
const sum = instantiateChecksum(memory);
const next = random(0x51ad);

const fills: Record<string, (at: number) => number> = {
  'random bytes': () => next(256),
  'all ones': () => 0xff,
  zeros: () => 0,
  'ones among zeros': (at) => (at % 7 === 0 ? 0xff : 0),
};

it.each(Object.entries(fills))('%s, of every length and alignment', (_, fill) => {
  for (let i = 0; i < SIZE; i++) u8[i] = fill(i);
  const expectSame = (at: number, length: number): void => {
    const bytes = u8.subarray(at, at + length);
    const expected = definition(bytes);
    // Zero has two forms in ones' complement; of bytes that are not all zero it is 0xffff.
    const folded = foldChecksum(sum(at, length));
    expect(folded, `${length} at ${at}`).toBe(expected === 0 && bytes.some(Boolean) ? 0xffff : expected);
    expect(checksumBytes(u8, at, length), `${length} at ${at}`).toBe(folded);
  };
  for (let length = 0; length < 200; length++) for (let at = 0; at < 33; at++) expectSame(at, length);
  for (let n = 0; n < 300; n++) expectSame(next(1000), next(65536));
  expectSame(1, 65535);
});

it('does not read outside what it is given', () => {
  u8.fill(0xff);
  u8.fill(0, 100, 133);
  for (let at = 100; at < 133; at++)
    for (let length = 0; at + length <= 133; length++) expect(sum(at, length)).toBe(0);
  expect(() => sum(SIZE - 10, 11)).toThrow('memory access out of bounds');
});

it('parts add up, when all but the last are even', () => {
  for (let i = 0; i < SIZE; i++) u8[i] = next(256);
  for (let n = 0; n < 200; n++) {
    const [a, b] = [2 * next(2000), next(4000)];
    expect(foldChecksum(sum(10, a) + sum(10 + a, b))).toBe(foldChecksum(sum(10, a + b)));
  }
});
