// The updates of an IPv4 header that touch only a part of it, against RFC 1071 written down plainly over the whole header.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as ipv4 from '../../wire/ipv4.ts';

/** RFC 1071 section 4.1, in network order, not complemented. */
const reference = (bytes: Uint8Array): number => {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i] * 256 + bytes[i + 1];
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
};

const header = fc
  .tuple(fc.integer({ min: 0, max: 10 }), fc.uint8Array({ minLength: 60, maxLength: 60 }))
  .map(([options, random]) => {
    const made = random.slice(0, 20 + 4 * options);
    made[0] = 0x45 + options;
    return made;
  });
/** The header as it is right when its checksum is computed from scratch, by the reference. */
const sealed = (unsealed: Uint8Array): Uint8Array => {
  const made = unsealed.slice();
  made[10] = 0;
  made[11] = 0;
  const right = ~reference(made) & 0xffff;
  made[10] = right >> 8;
  made[11] = right & 0xff;
  return made;
};
const view = (made: Uint8Array): DataView => new DataView(made.buffer);

it('updateHeaderChecksum is the reference, and verifyHeaderChecksum finds every bit that is wrong', () => {
  fc.assert(
    fc.property(header, fc.nat(), (unsealed, flip) => {
      const made = unsealed.slice();
      ipv4.updateHeaderChecksum(view(made), 0);
      expect(made).toEqual(sealed(unsealed));
      expect(ipv4.verifyHeaderChecksum(view(made), 0)).toBe(true);
      const bit = 8 + (flip % (made.length * 8 - 8)); // not in the length of the header itself
      made[bit >> 3] ^= 1 << (bit & 7);
      expect(ipv4.verifyHeaderChecksum(view(made), 0)).toBe(false);
    }),
  );
});

it('decrementTtl and changeTos give, to the bit, what computing anew gives', () => {
  fc.assert(
    fc.property(header, fc.nat(255), (unsealed, tos) => {
      unsealed[8] = Math.max(1, unsealed[8]);
      const made = sealed(unsealed);
      ipv4.decrementTtl(view(made), 0);
      const lived = unsealed.slice();
      lived[8]--;
      expect(made).toEqual(sealed(lived));
      ipv4.changeTos(view(made), 0, tos);
      lived[1] = tos;
      expect(made).toEqual(sealed(lived));
    }),
    { numRuns: 2000 },
  );
});

it('they do so where the checksum goes through both zeros', () => {
  // Every identification once: one of them gives a checksum of zero.
  const made = new Uint8Array(20).fill(0);
  made[0] = 0x45;
  made[8] = 1;
  made[9] = 17;
  const seen = new Set<number>();
  for (let id = 0; id < 65_536; id++) {
    made[4] = id >> 8;
    made[5] = id & 0xff;
    const now = sealed(made);
    ipv4.decrementTtl(view(now), 0);
    const lived = made.slice();
    lived[8] = 0;
    const right = sealed(lived);
    seen.add((right[10] << 8) | right[11]);
    if (Buffer.compare(now, right) !== 0) expect(now, `identification ${id}`).toEqual(right);
  }
  expect(seen.has(0)).toBe(true);
  // All ones would need a header of nothing but zeros.
  expect(seen.has(0xffff)).toBe(false);
});

it('writeUnshared on sharedSum gives the header of each segment', () => {
  fc.assert(
    fc.property(header, fc.nat(65_535), fc.nat(70_000), (unsealed, length, id) => {
      const made = sealed(unsealed);
      const shared = ipv4.sharedSum(view(made), 0);
      ipv4.writeUnshared(view(made), 0, shared, length, id);
      const right = unsealed.slice();
      view(right).setUint16(2, length);
      view(right).setUint16(4, id);
      expect(made).toEqual(sealed(right));
    }),
  );
});
