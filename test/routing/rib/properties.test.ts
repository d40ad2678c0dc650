/** Whatever happens in whatever order: the RIBs, which work on what changed only, are what a computation from scratch says. */
import fc from 'fast-check';
import { test } from 'vitest';
import { history } from '../../support/rib-history.ts';
import { World } from '../../support/rib-model.ts';

test('incremental is what from scratch is', () => {
  fc.assert(
    fc.property(fc.constantFrom(1, 4), history, (maxPaths, events) => {
      const world = new World(maxPaths);
      for (const [i, event] of events.entries()) {
        world.apply(event);
        if (i % 7 === 6) world.check();
      }
      world.check();
    }),
    { numRuns: 300 },
  );
});
