/** What the decision asks of attribute sets, in columns: a set that is compared again and again is read once. */
import { Column } from './column.ts';
import type { Merits } from './decision.ts';

const KNOWN = 1;
const LONG_LIVED_STALE = 2;
const HAS_ORIGINATOR = 4;
const ORIGIN_SHIFT = 3;

export class MeritColumns {
  readonly #flags = new Column();
  readonly #localPref = new Column();
  readonly #pathLength = new Column();
  readonly #med = new Column();
  readonly #neighbourAs = new Column();
  readonly #originator = new Column();
  readonly #clusterLength = new Column();

  /** Undefined: not known. */
  get(row: number): Merits | undefined {
    const flags = this.#flags.get(row);
    if (flags === 0) return undefined;
    return {
      isLongLivedStale: (flags & LONG_LIVED_STALE) !== 0,
      localPref: this.#localPref.get(row),
      pathLength: this.#pathLength.get(row),
      origin: flags >>> ORIGIN_SHIFT,
      med: this.#med.get(row),
      neighbourAs: this.#neighbourAs.get(row),
      originator: (flags & HAS_ORIGINATOR) === 0 ? undefined : this.#originator.get(row),
      clusterLength: this.#clusterLength.get(row),
    };
  }

  set(row: number, merits: Merits): void {
    const { isLongLivedStale, origin, originator } = merits;
    const stale = isLongLivedStale ? LONG_LIVED_STALE : 0;
    const has = originator === undefined ? 0 : HAS_ORIGINATOR;
    this.#flags.set(row, KNOWN | stale | has | (origin << ORIGIN_SHIFT));
    this.#localPref.set(row, merits.localPref);
    this.#pathLength.set(row, merits.pathLength);
    this.#med.set(row, merits.med);
    this.#neighbourAs.set(row, merits.neighbourAs);
    this.#originator.set(row, originator ?? 0);
    this.#clusterLength.set(row, merits.clusterLength);
  }

  forget(row: number): void {
    this.#flags.set(row, 0);
  }
}
