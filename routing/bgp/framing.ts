/** A stream of bytes, cut into BGP messages. Keeps at most one message that is not whole yet; reads nothing but headers. */
import { ok, type Result } from './codec/errors.ts';
import { HEADER_BYTES, messageLength } from './codec/message.ts';

export class Framing {
  /** Of an UPDATE; changes when OPENs were exchanged. */
  maxLength: number;
  #partial: Uint8Array = new Uint8Array(0);
  #held = 0;

  /** @param partial the beginning of a message that another one held */
  constructor(maxLength: number, partial?: Uint8Array) {
    this.maxLength = maxLength;
    if (partial !== undefined) this.#keep(partial);
  }

  /** A copy of what there is of a message that is not whole yet. */
  get partial(): Uint8Array {
    return this.#partial.slice(0, this.#held);
  }

  /**
   * Calls `onMessage` with each whole message, where it begins and where it ends in some bytes, until it returns false, which
   * ends the reading for good. The bytes are valid until it returns. An error means that nothing behind it can be read.
   */
  push(chunk: Uint8Array, onMessage: (bytes: Uint8Array, from: number, to: number) => boolean): Result<void> {
    let at = 0;
    while (this.#held > 0) {
      const length = messageLength(this.#partial.subarray(0, this.#held), 0, this.maxLength);
      if (!length.ok) return length;
      if (length.value !== undefined && this.#held >= length.value) {
        this.#held = 0;
        if (!onMessage(this.#partial, 0, length.value)) return ok(undefined);
      } else {
        if (at >= chunk.length) return ok(undefined);
        // The header first: how much more is needed is in there.
        const taken = chunk.subarray(at, at + (length.value ?? HEADER_BYTES) - this.#held);
        this.#keep(taken);
        at += taken.length;
      }
    }
    while (at < chunk.length) {
      const length = messageLength(chunk, at, this.maxLength);
      if (!length.ok) return length;
      const end = at + (length.value ?? HEADER_BYTES);
      if (end > chunk.length) {
        this.#keep(chunk.subarray(at));
        break;
      }
      if (!onMessage(chunk, at, end)) break;
      at = end;
    }
    return ok(undefined);
  }

  #keep(bytes: Uint8Array): void {
    if (this.#held + bytes.length > this.#partial.length) {
      const larger = new Uint8Array(Math.max(2 * this.#partial.length, this.#held + bytes.length, 4096));
      larger.set(this.#partial.subarray(0, this.#held));
      this.#partial = larger;
    }
    this.#partial.set(bytes, this.#held);
    this.#held += bytes.length;
  }
}
