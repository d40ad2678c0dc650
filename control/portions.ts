/** Work that is many small pieces, done so that everything else has its turn in between. */

/** Pieces in one go: a millisecond or two. */
const PORTION = 2048;

export async function inPortions<T>(all: Iterable<T>, each: (one: T) => void): Promise<void> {
  let portion = 0;
  for (const one of all) {
    each(one);
    if (++portion % PORTION === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
