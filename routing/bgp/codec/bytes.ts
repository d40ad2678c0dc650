/**
 * Reading from bytes that a peer sent, writing bytes for it. Neither throws: a read past the end gives 0 and is
 * remembered in `overrun`, to be asked once behind a group of reads.
 */

export class Reader {
  /** True when something behind the end was asked for; what was read since the last check is then worthless. */
  overrun = false;
  // No DataView: making one costs more than all that is read through it (a decoded UPDATE: 6.3 against 11 µs).
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #offset = 0;

  /** @param start to `end` is what is read */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#offset;
  }

  get offset(): number {
    return this.#offset;
  }

  u8(): number {
    return this.#has(1) ? this.#bytes[this.#offset++] : 0;
  }

  u16(): number {
    if (!this.#has(2)) return 0;
    const [bytes, at] = [this.#bytes, this.#offset];
    this.#offset += 2;
    return (bytes[at] << 8) | bytes[at + 1];
  }

  u32(): number {
    if (!this.#has(4)) return 0;
    const [bytes, at] = [this.#bytes, this.#offset];
    this.#offset += 4;
    return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
  }

  /** 48 bits in a safe integer. */
  u48(): number {
    return this.u16() * 0x1_0000_0000 + this.u32();
  }

  /** A reader of the next `count` bytes, over which this one is then; of none when so many are not there. */
  part(count: number): Reader {
    if (!this.#has(count)) return new Reader(this.#bytes, 0, 0);
    const at = this.#offset;
    this.#offset += count;
    return new Reader(this.#bytes, at, at + count);
  }

  /** A view, not a copy; empty when so many are not there. */
  take(count: number): Uint8Array {
    if (!this.#has(count)) return this.#bytes.subarray(0, 0);
    this.#offset += count;
    return this.#bytes.subarray(this.#offset - count, this.#offset);
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }

  #has(count: number): boolean {
    if (count <= this.left) return true;
    this.overrun = true;
    this.#offset = this.#end;
    return false;
  }
}

const FIRST_SIZE = 512;

export class Writer {
  #bytes = new Uint8Array(FIRST_SIZE);
  #length = 0;

  /** Empty again; its memory stays. */
  reset(): this {
    this.#length = 0;
    return this;
  }

  get length(): number {
    return this.#length;
  }

  /** In which what was written is, from the beginning on, until something more is. */
  get buffer(): Uint8Array {
    return this.#bytes;
  }

  u8(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u16(value: number): this {
    this.#room(2);
    this.#bytes[this.#length++] = value >>> 8;
    this.#bytes[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    const [bytes, at] = [this.#bytes, this.#length];
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.#length += 4;
    return this;
  }

  u48(value: number): this {
    return this.u16(Math.floor(value / 0x1_0000_0000)).u32(value % 0x1_0000_0000);
  }

  bytes(value: Uint8Array): this {
    this.#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** Writes what `body` writes behind its own length in two bytes. */
  counted16(body: (writer: Writer) => void): this {
    const at = this.begin16();
    body(this);
    this.end16(at);
    return this;
  }

  /** The same in two steps, for who writes so much that a function for each is a burden: room for a length. */
  begin16(): number {
    this.u16(0);
    return this.#length;
  }

  /** Writes the length of what was written since `begin16` returned `from`. */
  end16(from: number): void {
    this.patch16(from - 2, this.#length - from);
  }

  /** The same in one byte: for bodies that are known to have at most 255. */
  counted8(body: (writer: Writer) => void): this {
    const at = this.#length;
    this.u8(0);
    body(this);
    this.#bytes[at] = this.#length - at - 1;
    return this;
  }

  patch8(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  /** Sets bits of what was written. */
  set8(at: number, bits: number): void {
    this.#bytes[at] |= bits;
  }

  patch16(at: number, value: number): void {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  /** Moves what was written from `at` on one byte back, which makes room for one more before it. */
  shift(at: number): void {
    this.#room(1);
    this.#bytes.copyWithin(at + 1, at, this.#length);
    this.#length++;
  }

  /** A copy of what was written, from some place on. */
  finish(from = 0): Uint8Array {
    return this.#bytes.slice(from, this.#length);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
