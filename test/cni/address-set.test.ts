import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressSet } from '../../cni/ipam/address-set.ts';

// Offsets around the borders of words and of their summaries, where mistakes would be.
const offset = fc.oneof(
  fc.integer({ min: 0, max: 70 }),
  fc.integer({ min: 1020, max: 1060 }),
  fc.integer({ min: 32760, max: 32800 }),
  fc.constantFrom(0xffff_fffe, 0xffff_ffff, 0x7fff_ffff, 0x8000_0000),
);
const operation = fc.tuple(fc.constantFrom('add', 'delete', 'nextFree'), offset);

describe('AddressSet', () => {
  it('agrees with a plain Set under random operations', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
        const set = new AddressSet();
        const plain = new Set<number>();
        for (const [name, at] of operations) {
          if (name === 'add') {
            expect(set.add(at)).toBe(!plain.has(at));
            plain.add(at);
          } else if (name === 'delete') {
            expect(set.delete(at)).toBe(plain.delete(at));
          } else {
            let free = at;
            while (plain.has(free)) free++;
            expect(set.nextFree(at)).toBe(free);
          }
          expect(set.has(at)).toBe(plain.has(at));
          expect(set.size).toBe(plain.size);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('finds the gap in a long run of taken ones, and what follows the run', () => {
    const set = new AddressSet();
    for (let i = 0; i < 100_000; i++) set.add(i);
    expect(set.nextFree(0)).toBe(100_000);
    set.delete(77_777);
    expect(set.nextFree(5)).toBe(77_777);
    expect(set.nextFree(77_778)).toBe(100_000);
  });
});
