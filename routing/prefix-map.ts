/**
 * Values by prefix, found by exact prefix and by the address that a prefix contains, longest first. Made for a million
 * prefixes that share few values. Not for packets: that is the engine's FIB.
 */
import type { Address } from '../wire/address.ts';
import type { Prefix } from '../wire/prefix.ts';
import { PrefixNumbers } from '../wire/prefix-numbers.ts';

interface Shared<Value> {
  readonly value: Value;
  readonly number: number;
  users: number;
}

export class PrefixMap<Value> {
  /** Of values. */
  readonly #numbers = { 4: new PrefixNumbers(4), 6: new PrefixNumbers(6) };
  readonly #byNumber: (Shared<Value> | undefined)[] = [undefined];
  readonly #byValue = new Map<Value, Shared<Value>>();
  readonly #free: number[] = [];

  get size(): number {
    return this.#numbers[4].size + this.#numbers[6].size;
  }

  get({ address: { family, words }, length }: Prefix): Value | undefined {
    return this.#byNumber[this.#numbers[family].get(words, length)]?.value;
  }

  set({ address: { family, words }, length }: Prefix, value: Value): void {
    const shared = this.#share(value);
    shared.users++;
    this.#release(this.#numbers[family].set(words, length, shared.number));
  }

  delete({ address: { family, words }, length }: Prefix): void {
    this.#release(this.#numbers[family].delete(words, length));
  }

  clear(): void {
    for (const family of [4, 6] as const) this.#numbers[family] = new PrefixNumbers(family);
    this.#byNumber.length = 1;
    this.#byValue.clear();
    this.#free.length = 0;
  }

  /** Of the prefixes that contain the address, the longest first. */
  *covering(address: Address): Generator<{ readonly prefix: Prefix; readonly value: Value }> {
    for (const { prefix, value } of this.#numbers[address.family].covering(address)) {
      yield { prefix, value: this.#valueOf(value) };
    }
  }

  /** In no order. What changes meanwhile may be missing, or there twice. */
  *entries(): Generator<{ readonly prefix: Prefix; readonly value: Value }> {
    for (const family of [4, 6] as const) {
      for (const { prefix, value } of this.#numbers[family].entries()) {
        yield { prefix, value: this.#valueOf(value) };
      }
    }
  }

  /**
   * The prefixes of such values, some thousand of a million at a time. Whatever changes in between, those that stay are there, each
   * once.
   */
  *portions(which: (value: Value) => boolean): Generator<Prefix[]> {
    for (const family of [4, 6] as const) {
      for (const part of this.#numbers[family].parts()) {
        const some: Prefix[] = [];
        for (const { prefix, value } of part) if (which(this.#valueOf(value))) some.push(prefix);
        if (some.length > 0) yield some;
      }
    }
  }

  /** Each value once, and how many prefixes have it. */
  *values(): Generator<{ readonly value: Value; readonly prefixes: number }> {
    for (const { value, users } of this.#byValue.values()) yield { value, prefixes: users };
  }

  #valueOf(number: number): Value {
    return (this.#byNumber[number] as Shared<Value>).value;
  }

  #share(value: Value): Shared<Value> {
    let shared = this.#byValue.get(value);
    if (shared === undefined) {
      shared = { value, number: this.#free.pop() ?? this.#byNumber.length, users: 0 };
      this.#byNumber[shared.number] = shared;
      this.#byValue.set(value, shared);
    }
    return shared;
  }

  /** @param number 0: of none */
  #release(number: number): void {
    const shared = this.#byNumber[number];
    if (shared === undefined || --shared.users > 0) return;
    this.#byValue.delete(shared.value);
    this.#byNumber[number] = undefined;
    this.#free.push(number);
  }
}
