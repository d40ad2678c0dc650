// How long a worker keeps looking for packets before it sleeps. Waking a thread up costs 20 to 40 µs, more than all the
// rest of a packet's way; but looking costs a core. So it looks only while that may pay: when what it last waited for came
// soon and was little, the next may too; who has much to do has company, who needs the core more. Sparse traffic and idleness cost nothing. Figures: docs/adr/0003-busy-polling.md.

/**
 * What came within so many times the limit came soon. More than once, because a wait includes the waking up of all the
 * others on the way, who sleep because this worker did.
 */
const SOON = 3;

/** Packets at once that are no conversation any more. */
const FEW = 4;

export class BusyPoll {
  readonly #limit: number;
  #mayPay = false;
  #taken = 0;

  /** @param limit milliseconds to look at most; 0: always sleep at once */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Milliseconds to look before the next sleep. */
  get window(): number {
    return this.#mayPay ? this.#limit : 0;
  }

  /**
   * Something came.
   * @param milliseconds since there was nothing to do, looking and sleeping together  @param taken packets in all until then
   */
  came(milliseconds: number, taken: number): void {
    this.#mayPay = milliseconds < SOON * this.#limit && taken - this.#taken <= FEW;
    this.#taken = taken;
  }
}
