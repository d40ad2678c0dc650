/**
 * Values by prefix, found by exact prefix and by the address that a prefix contains, longest first. Made for thousands of
 * look-ups, not for packets: that is the engine's FIB.
 */
import type { Address } from '../wire/address.ts';
import { maskAddress, type Prefix } from '../wire/prefix.ts';
import { keyOf, type PrefixKey } from './route-table.ts';

export class PrefixMap<Value> {
  readonly #values = new Map<PrefixKey, { readonly prefix: Prefix; readonly value: Value }>();
  /** How many prefixes there are of each length, by family. */
  readonly #lengths = { 4: new Map<number, number>(), 6: new Map<number, number>() };

  get size(): number {
    return this.#values.size;
  }

  get(prefix: Prefix): Value | undefined {
    return this.#values.get(keyOf(prefix))?.value;
  }

  set(prefix: Prefix, value: Value): void {
    const key = keyOf(prefix);
    if (!this.#values.has(key)) this.#count(prefix, 1);
    this.#values.set(key, { prefix, value });
  }

  delete(prefix: Prefix): void {
    if (this.#values.delete(keyOf(prefix))) this.#count(prefix, -1);
  }

  clear(): void {
    this.#values.clear();
    for (const lengths of Object.values(this.#lengths)) lengths.clear();
  }

  /** Of the prefixes that contain the address, the longest first. */
  *covering(address: Address): Generator<{ readonly prefix: Prefix; readonly value: Value }> {
    for (const length of [...this.#lengths[address.family].keys()].sort((a, b) => b - a)) {
      const found = this.#values.get(keyOf({ address: maskAddress(address, length), length }));
      if (found) yield found;
    }
  }

  entries(): IterableIterator<{ readonly prefix: Prefix; readonly value: Value }> {
    return this.#values.values();
  }

  #count({ address, length }: Prefix, change: number): void {
    const lengths = this.#lengths[address.family];
    const count = (lengths.get(length) ?? 0) + change;
    if (count === 0) lengths.delete(length);
    else lengths.set(length, count);
  }
}
