/**
 * Rows by hash: open addressing, half full at most. A slot has the row's number and, above it, those bits of the hash that
 * do not say where it stands, so that other rows, which are anywhere in memory, are hardly ever looked at.
 *
 * Nothing is taken out. Who looks compares with what a row holds now: one that is gone, or that is something else's by now,
 * is not what was looked for. So a row costs its slot nothing when it goes, and what is left of it goes when the table is
 * made anew, or is used again by what has the same hash.
 */

const FIRST_SLOTS = 1024;

export class RowSlots {
  /** Its length is a power of two, and more than any row number. 0: free. */
  #slots = new Int32Array(FIRST_SLOTS);
  #taken = 0;

  /** From `from` on, a slot whose row may have this hash; -1: there is none. */
  seek(hash: number, from = hash): number {
    const slots = this.#slots;
    const last = slots.length - 1;
    for (let slot = from & last; ; slot = (slot + 1) & last) {
      const there = slots[slot];
      if (there === 0) return -1;
      if (((there ^ hash) & ~last) === 0) return slot;
    }
  }

  rowAt(slot: number): number {
    return this.#slots[slot] & (this.#slots.length - 1);
  }

  /** There is no room for another: `renew`, and those that are there added again. */
  get isFull(): boolean {
    return 2 * (this.#taken + 1) > this.#slots.length;
  }

  /** @param row one more than ever, at most */
  add(hash: number, row: number): void {
    const slots = this.#slots;
    const last = slots.length - 1;
    let slot = hash & last;
    while (slots[slot] !== 0) slot = (slot + 1) & last;
    slots[slot] = (hash & ~last) | row;
    this.#taken++;
  }

  /** In the place of a row of the same hash that is gone. */
  replace(slot: number, row: number): void {
    this.#slots[slot] += row - this.rowAt(slot);
  }

  /** Empty. Larger, where it was not mostly taken by what is gone. @param rows that are there */
  renew(rows: number): void {
    const { length } = this.#slots;
    this.#slots = new Int32Array(3 * rows < length ? length : 2 * length);
    this.#taken = 0;
  }
}
