/**
 * The next hops in use, each with the cost of the way to it, asked for once and again when it may have changed.
 * Link-local ones are on the link they were learned from, and cost nothing.
 */
import type { Address } from '../../wire/address.ts';
import { Rows } from './column.ts';

export interface Hop {
  /** Its own as long as it is in use; from 1 on. */
  readonly number: number;
  readonly address: Address;
  /** Undefined: it does not resolve. */
  readonly cost: number | undefined;
}

interface Counted extends Hop {
  cost: number | undefined;
  uses: number;
}

/** Undefined: it does not resolve. */
export type Resolve = (nextHop: Address) => number | undefined;

export class Hops {
  readonly #resolve: Resolve;
  readonly #onUnused: (nextHop: Address) => void;
  readonly #byAddress = new Map<string, Counted>();
  readonly #numbers = new Rows();
  readonly #byNumber: (Counted | undefined)[] = [undefined];

  constructor(resolve: Resolve, onUnused: (nextHop: Address) => void = () => {}) {
    this.#resolve = resolve;
    this.#onUnused = onUnused;
  }

  /** Undefined: no such number is in use. */
  get(number: number): Hop | undefined {
    return this.#byNumber[number];
  }

  /** One use more. */
  retain(address: Address): Hop {
    const key = keyOf(address);
    let hop = this.#byAddress.get(key);
    if (hop === undefined) {
      hop = { number: this.#numbers.take(), address, cost: this.#cost(address), uses: 0 };
      this.#byAddress.set(key, hop);
      this.#byNumber[hop.number] = hop;
    }
    hop.uses++;
    return hop;
  }

  release(hop: Hop): void {
    const counted = hop as Counted;
    counted.uses--;
    if (counted.uses > 0) return;
    this.#byAddress.delete(keyOf(counted.address));
    this.#byNumber[counted.number] = undefined;
    this.#numbers.giveBack(counted.number);
    if (!isLinkLocal(counted.address)) this.#onUnused(counted.address);
  }

  /** Asks again. @param addresses all, when absent @returns those whose cost is another now */
  refresh(addresses?: readonly Address[]): ReadonlySet<Hop> {
    const asked =
      addresses === undefined
        ? this.#byAddress.values()
        : addresses.flatMap((address) => this.#byAddress.get(keyOf(address)) ?? []);
    const changed = new Set<Hop>();
    for (const hop of asked) {
      const cost = this.#cost(hop.address);
      if (cost === hop.cost) continue;
      hop.cost = cost;
      changed.add(hop);
    }
    return changed;
  }

  #cost(address: Address): number | undefined {
    return isLinkLocal(address) ? 0 : this.#resolve(address);
  }
}

const keyOf = ({ words }: Address): string => words.join('.');

/** fe80::/10 */
export const isLinkLocal = ({ family, words }: Address): boolean => family === 6 && words[0] >>> 22 === 0x3fa;

/** 0.0.0.0 or ::. */
export const isUnspecified = ({ words }: Address): boolean => words.every((word) => word === 0);
