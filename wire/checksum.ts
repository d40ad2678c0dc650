// The Internet checksum (RFC 1071). Sums are of 16-bit words as a little-endian machine loads them: folding keeps the
// byte order, so a folded sum is stored with setUint16(at, sum, true) and no byte is ever swapped on the way.

import { CHECKSUM_WASM } from './checksum-wasm.ts';

let compiled: WebAssembly.Module | undefined;

/**
 * The sum over `length` bytes at `offset` of `memory`, unfolded and below 2^21, so that thousands can be added before
 * folding. An odd last byte counts as the low half of a word. SIMD: 1,400 bytes in about 30 ns, TypeScript alone 300.
 */
export const instantiateChecksum = (memory: WebAssembly.Memory): ((offset: number, length: number) => number) => {
  compiled ??= new WebAssembly.Module(Buffer.from(CHECKSUM_WASM, 'base64'));
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  return instance.exports.sum as (offset: number, length: number) => number;
};

/** A sum below 2^32 brought to 16 bits, not complemented. */
export const foldChecksum = (sum: number): number => {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
};

/** A big-endian field's value as a word of such a sum. */
export const swap16 = (value: number): number => ((value & 0xff) << 8) | ((value >> 8) & 0xff);

/** The same sum, folded, in plain TypeScript: the reference, and for bytes outside packet memory. */
export const checksumBytes = (bytes: Uint8Array, start = 0, length = bytes.length - start): number => {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (i & 1) === 0 ? bytes[start + i] : bytes[start + i] << 8;
  return foldChecksum(sum);
};
