// How long a worker keeps looking for packets before it sleeps. Waking a thread up costs 20 to 40 µs, more than all the
// rest of a packet's way; but looking costs a core. So it looks only while that pays: when what it last waited for came
// within the time that it may look, the next may too. Traffic sparser than that, and idleness, cost nothing.

export class BusyPoll {
  readonly #limit: number;
  #pays = false;

  /** @param limit milliseconds to look at most; 0: always sleep at once */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Milliseconds to look before the next sleep. */
  get window(): number {
    return this.#pays ? this.#limit : 0;
  }

  /** Something came, `milliseconds` after there was nothing to do, looking and sleeping together. */
  came(milliseconds: number): void {
    this.#pays = milliseconds < this.#limit;
  }
}
