/**
 * Reading from bytes that a peer sent, writing bytes for it. Neither throws: a read past the end gives 0 and is
 * remembered in `overrun`, to be asked once behind a group of reads.
 */

export class Reader {
  /** True when something behind the end was asked for; what was read since the last check is then worthless. */
  overrun = false;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  get offset(): number {
    return this.#offset;
  }

  u8(): number {
    return this.#has(1) ? this.#bytes[this.#offset++] : 0;
  }

  u16(): number {
    if (!this.#has(2)) return 0;
    this.#offset += 2;
    return this.#view.getUint16(this.#offset - 2);
  }

  u32(): number {
    if (!this.#has(4)) return 0;
    this.#offset += 4;
    return this.#view.getUint32(this.#offset - 4);
  }

  /** 48 bits in a safe integer. */
  u48(): number {
    return this.u16() * 0x1_0000_0000 + this.u32();
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
    this.#offset = this.#bytes.length;
    return false;
  }
}

const FIRST_SIZE = 512;

export class Writer {
  #bytes = new Uint8Array(FIRST_SIZE);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u16(value: number): this {
    this.#room(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#view.setUint32(this.#length, value);
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
    const at = this.#length;
    this.u16(0);
    body(this);
    this.#view.setUint16(at, this.#length - at - 2);
    return this;
  }

  /** The same in one byte: for bodies that are known to have at most 255. */
  counted8(body: (writer: Writer) => void): this {
    const at = this.#length;
    this.u8(0);
    body(this);
    this.#bytes[at] = this.#length - at - 1;
    return this;
  }

  patch16(at: number, value: number): void {
    this.#view.setUint16(at, value);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
