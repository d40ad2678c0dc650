// Ids of table rows. A freed id is given out again only when every worker has acknowledged an epoch after the one in
// which it was freed: until then a batch in flight may still use the row.

export class IdPool {
  readonly #limit: number;
  readonly #what: string;
  readonly #free: number[] = [];
  readonly #waiting: { readonly id: number; readonly epoch: number }[] = [];
  #next = 1;

  /** Ids are 1 to `limit` - 1; 0 means none everywhere. @param what for the error: 'ports', 'next hops' … */
  constructor(limit: number, what: string) {
    this.#limit = limit;
    this.#what = what;
  }

  /** @throws RangeError when all are in use */
  take(): number {
    const id = this.#free.pop() ?? this.#next++;
    if (id >= this.#limit) {
      this.#next = this.#limit;
      throw new RangeError(`no more ${this.#what}: all ${this.#limit - 1} are in use`);
    }
    return id;
  }

  /** Frees `id`, which was in use up to `epoch`. */
  release(id: number, epoch: number): void {
    this.#waiting.push({ id, epoch });
  }

  /** Makes reusable what every worker has let go of. */
  reclaim(acknowledged: number): void {
    let done = 0;
    while (done < this.#waiting.length && this.#waiting[done].epoch <= acknowledged)
      this.#free.push(this.#waiting[done++].id);
    if (done > 0) this.#waiting.splice(0, done);
  }
}
