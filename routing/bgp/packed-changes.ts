/** A batch of changes as it goes from the speaker's thread to the node: numbers in a few arrays, which cost little to clone. */
import type { Address } from '../../wire/address.ts';
import type { BgpPath, RouteChange } from './bgp.ts';

export interface PackedChanges {
  /** Of the addresses: one each of IPv4, four of IPv6. */
  readonly words: Uint32Array;
  /** Prefix lengths, IPV6 added to those of IPv6. */
  readonly lengths: Uint16Array;
  /** Of each change, which of `paths`. */
  readonly sets: Uint16Array;
  /** Changes alike share theirs. */
  readonly paths: readonly (readonly BgpPath[])[];
}

const IPV6 = 256;

/** @param batch 65,536 changes at most */
export function packChanges(batch: readonly RouteChange[]): PackedChanges {
  const words = new Uint32Array(batch.reduce((sum, { prefix }) => sum + prefix.address.words.length, 0));
  const lengths = new Uint16Array(batch.length);
  const sets = new Uint16Array(batch.length);
  const numbers = new Map<readonly BgpPath[], number>();
  let at = 0;
  for (const [i, { prefix, paths }] of batch.entries()) {
    const { family, words: own } = prefix.address;
    for (const word of own) words[at++] = word;
    lengths[i] = prefix.length + (family === 6 ? IPV6 : 0);
    let number = numbers.get(paths);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(paths, number);
    }
    sets[i] = number;
  }
  return { words, lengths, sets, paths: [...numbers.keys()] };
}

export function unpackChanges({ words, lengths, sets, paths }: PackedChanges): RouteChange[] {
  const batch: RouteChange[] = [];
  let at = 0;
  for (let i = 0; i < lengths.length; i++) {
    const six = lengths[i] >= IPV6;
    const address: Address = six
      ? { family: 6, words: [words[at], words[at + 1], words[at + 2], words[at + 3]] }
      : { family: 4, words: [words[at]] };
    at += address.words.length;
    batch.push({ prefix: { address, length: six ? lengths[i] - IPV6 : lengths[i] }, paths: paths[sets[i]] });
  }
  return batch;
}
