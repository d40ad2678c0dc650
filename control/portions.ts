/** Work that is many small pieces, done so that everything else has its turn in between. */

/** Pieces in one go: less than a millisecond. */
export const PORTION = 512;

/** Resolves when what waits has had its turn. */
export const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function inPortions<T>(all: Iterable<T>, each: (one: T) => void): Promise<void> {
  let portion = 0;
  for (const one of all) {
    each(one);
    if (++portion % PORTION === 0) await pause();
  }
}

/** The same values in order, equal ones as they were; merges portions that are in order. */
export async function sortInPortions<T>(all: readonly T[], compare: (a: T, b: T) => number): Promise<T[]> {
  let runs: T[][] = [];
  for (let at = 0; at < all.length; at += PORTION) {
    runs.push(all.slice(at, at + PORTION).sort(compare));
    await pause();
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      merged.push(i + 1 < runs.length ? await merge(runs[i], runs[i + 1], compare) : runs[i]);
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge<T>(
  first: readonly T[],
  second: readonly T[],
  compare: (a: T, b: T) => number,
): Promise<T[]> {
  const merged: T[] = [];
  let [i, j] = [0, 0];
  while (i < first.length && j < second.length) {
    merged.push(compare(first[i], second[j]) <= 0 ? first[i++] : second[j++]);
    if (merged.length % PORTION === 0) await pause();
  }
  for (; i < first.length; i++) merged.push(first[i]);
  for (; j < second.length; j++) merged.push(second[j]);
  return merged;
}
