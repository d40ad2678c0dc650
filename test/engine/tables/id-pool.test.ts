import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IdPool } from '../../../engine/tables/id-pool.ts';

const LIMIT = 9;

it('never gives out what is in use, or what a worker may still see', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('take' as const) }),
    fc.record({ do: fc.constant('release' as const), which: fc.nat() }),
    fc.record({ do: fc.constant('acknowledge' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const pool = new IdPool(LIMIT, 'things');
      const inUse: number[] = [];
      const resting = new Map<number, number>();
      let epoch = 1;
      for (const now of steps) {
        if (now.do === 'take') {
          if (inUse.length + resting.size === LIMIT - 1) {
            expect(() => pool.take()).toThrow(/no more things: all 8 are in use/);
            continue;
          }
          const id = pool.take();
          expect(id).toBeGreaterThanOrEqual(1);
          expect(id).toBeLessThan(LIMIT);
          expect(inUse).not.toContain(id);
          expect(resting.has(id)).toBe(false);
          inUse.push(id);
        } else if (now.do === 'release' && inUse.length > 0) {
          const [id] = inUse.splice(now.which % inUse.length, 1);
          pool.release(id, epoch + 1);
          resting.set(id, epoch + 1);
        } else if (now.do === 'acknowledge') {
          epoch++;
          pool.reclaim(epoch);
          for (const [id, until] of resting) if (until <= epoch) resting.delete(id);
        }
      }
    }),
  );
});
