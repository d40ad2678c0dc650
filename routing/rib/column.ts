/**
 * One number a row, in pages that exist once a row of theirs is written: a million rows cost four bytes each, or less where
 * numbers are small, and no garbage collection, and a column in which few rows say something costs little.
 */
const PAGE_BITS = 12;
const PAGE_ROWS = 1 << PAGE_BITS;
const IN_PAGE = PAGE_ROWS - 1;

/** Rows that were never written are 0. */
export class Column {
  readonly #pages: (Uint32Array | undefined)[] = [];

  get(row: number): number {
    const page = this.#pages[row >>> PAGE_BITS];
    return page === undefined ? 0 : page[row & IN_PAGE];
  }

  set(row: number, value: number): void {
    const at = row >>> PAGE_BITS;
    let page = this.#pages[at];
    if (page === undefined) {
      if (value === 0) return;
      // No holes, which would make every access slower.
      while (this.#pages.length <= at) this.#pages.push(undefined);
      page = new Uint32Array(PAGE_ROWS);
      this.#pages[at] = page;
    }
    page[row & IN_PAGE] = value;
  }

  /** Every row that is not 0. */
  *[Symbol.iterator](): IterableIterator<[row: number, value: number]> {
    for (const [at, page] of this.#pages.entries()) {
      if (page === undefined) continue;
      for (let i = 0; i < PAGE_ROWS; i++) if (page[i] !== 0) yield [(at << PAGE_BITS) | i, page[i]];
    }
  }
}

/** The same for small numbers, several of which share a word. */
export class NarrowColumn {
  /** Rows to a word are two to the power of that. */
  readonly #shift: number;
  readonly #most: number;
  readonly #words = new Column();

  /** @param bits of a number: 16, 8 … 1 */
  constructor(bits: number) {
    this.#shift = 5 - Math.log2(bits);
    this.#most = 2 ** bits - 1;
  }

  get(row: number): number {
    const word = this.#words.get(row >>> this.#shift);
    return (word >>> ((row << (5 - this.#shift)) & 31)) & this.#most;
  }

  /** @throws RangeError for what the column has no bits for */
  set(row: number, value: number): void {
    const most = this.#most;
    if (value > most) throw new RangeError(`${value} in a column for numbers up to ${most}`);
    const at = row >>> this.#shift;
    const position = (row << (5 - this.#shift)) & 31;
    this.#words.set(at, ((this.#words.get(at) & ~(most << position)) | (value << position)) >>> 0);
  }
}

/** A set of rows, a bit each. */
export class RowSet {
  readonly #bits = new NarrowColumn(1);

  has(row: number): boolean {
    return this.#bits.get(row) === 1;
  }

  add(row: number): void {
    this.#bits.set(row, 1);
  }

  delete(row: number): void {
    this.#bits.set(row, 0);
  }
}

/** Row numbers from 1 on; those given back are given out again first, so that columns stay dense. */
export class Rows {
  /** Every row ever given out is below. */
  end = 1;
  /** The one given back last, and of each the one before it: a list of a million would be copied as it grows. */
  #free = 0;
  readonly #before = new Column();

  take(): number {
    const row = this.#free;
    if (row === 0) return this.end++;
    this.#free = this.#before.get(row);
    return row;
  }

  giveBack(row: number): void {
    this.#before.set(row, this.#free);
    this.#free = row;
  }
}

/** Rows that wait for their turn, each once: in pages that go when they have been read. */
export class RowQueue {
  size = 0;
  #pages: Uint32Array[] = [];
  /** Of the first page: where the next one stands; of the last: where there is room. */
  #head = 0;
  #tail = PAGE_ROWS;
  readonly #waiting = new RowSet();

  /** @returns whether it was not there */
  add(row: number): boolean {
    if (this.#waiting.has(row)) return false;
    this.#waiting.add(row);
    if (this.#tail === PAGE_ROWS) {
      this.#pages.push(new Uint32Array(PAGE_ROWS));
      this.#tail = 0;
    }
    this.#pages[this.#pages.length - 1][this.#tail++] = row;
    this.size++;
    return true;
  }

  /** The one that has waited longest; there has to be one. */
  shift(): number {
    const row = this.#pages[0][this.#head++];
    this.#waiting.delete(row);
    this.size--;
    if (this.#head === PAGE_ROWS) {
      this.#pages.shift();
      this.#head = 0;
    } else if (this.size === 0) {
      this.#head = 0;
      this.#tail = 0;
    }
    return row;
  }
}
