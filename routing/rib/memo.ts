/**
 * What a policy made of attribute sets, remembered: mostly the same is asked again at once. A set's number finds it; what was
 * forgotten since is not believed.
 */
import type { AttributeSet, AttributeSets } from './attribute-sets.ts';
import { Column, NarrowColumn } from './column.ts';

/** In the place of a result: most policies leave most sets as they are. */
const SAME = 0xffff_ffff;
const REJECTED = 0xffff_fffe;

export class Memo {
  readonly #sets: AttributeSets;
  /** By set; 0: nothing is known. */
  readonly #results = new Column();
  /** Of the results. */
  readonly #serials = new Column();
  /** The other thing that the result depends on. */
  readonly #others = new NarrowColumn(16);

  constructor(sets: AttributeSets) {
    this.#sets = sets;
  }

  /** @param other a small number @returns 0: rejected; undefined: not known */
  get(set: AttributeSet, other: number): AttributeSet | undefined {
    const result = this.#results.get(set);
    if (result === 0 || this.#others.get(set) !== other) return undefined;
    if (result === SAME) return set;
    if (result === REJECTED) return 0;
    return this.#sets.serialOf(result) === this.#serials.get(set) ? result : undefined;
  }

  /** @param result 0: rejected */
  set(set: AttributeSet, other: number, result: AttributeSet): void {
    this.#others.set(set, other);
    const isOther = result !== 0 && result !== set;
    this.#serials.set(set, isOther ? this.#sets.serialOf(result) : 0);
    if (isOther) this.#results.set(set, result);
    else this.#results.set(set, result === 0 ? REJECTED : SAME);
  }

  /** The number will be another set's. */
  forget(set: AttributeSet): void {
    this.#results.set(set, 0);
  }
}
