/** A batch of changes as it goes from the speaker's thread to the node: numbers in a few arrays, which cost little to clone. */
import type { Address } from '../../wire/address.ts';
import type { BgpPath, RouteChange } from './bgp.ts';
import type { Family } from './codec/family.ts';

export interface RouteBatch {
  readonly family: Family;
  /** Of the prefixes' addresses: one each of IPv4, four of IPv6. */
  readonly words: Uint32Array;
  /** Of the prefixes. */
  readonly lengths: Uint8Array;
  /** Of each prefix, which of `paths`. */
  readonly which: Uint16Array;
  /** Prefixes that are reached alike share theirs. */
  readonly paths: readonly (readonly BgpPath[])[];
}

export function* changesOf({ family, words, lengths, which, paths }: RouteBatch): Generator<RouteChange> {
  for (let i = 0; i < lengths.length; i++) {
    const address: Address =
      family === 4
        ? { family, words: [words[i]] }
        : { family, words: [words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]] };
    yield { prefix: { address, length: lengths[i] }, paths: paths[which[i]] };
  }
}
