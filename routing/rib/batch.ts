/** What one peer is to be told next, gathered by attribute set and then packed into messages. */
import type { Coding } from '../bgp/codec/attributes.ts';
import { type Family, type Nlri, nlriSize } from '../bgp/codec/family.ts';
import { packShared, packWithdrawals, type Share, shareInBody, shareOf } from '../bgp/codec/pack.ts';
import type { Update } from '../bgp/codec/update.ts';
import type { AttributeSet, AttributeSets } from './attribute-sets.ts';

const NONE: Nlri[] = [];

class Group {
  readonly family: Family;
  nlri: Nlri[] = NONE;
  readonly share: Share;

  constructor(family: Family, share: Share) {
    this.family = family;
    this.share = share;
  }

  add(nlri: Nlri): void {
    // An array that begins empty has room for 17 once there is something in it, and most have one.
    if (this.nlri === NONE) this.nlri = [nlri];
    else this.nlri.push(nlri);
  }
}

/** Sets are kept as the bytes that most peers are sent: taking these is less work than making them anew. */
const shareOfSet = (family: Family, set: AttributeSet, coding: Coding, sets: AttributeSets): Share => {
  const encoded = coding.asBytes === 4 ? sets.encodedOf(set) : undefined;
  if (encoded !== undefined && family === 4 && sets.isWhole(set)) return shareInBody(encoded, coding);
  const { nextHop, linkLocal, ...attributes } = sets.attributesOf(set);
  const group = { family, attributes, nextHop, ...(linkLocal !== undefined && { linkLocal }) };
  return shareOf(group, coding, encoded);
};

export class Batch {
  /** About as many as the messages will have. */
  bytes = 0;
  readonly #family: Family;
  readonly #coding: Coding;
  readonly #sets: AttributeSets;
  readonly #withdrawn: Nlri[] = [];
  readonly #groups = new Map<AttributeSet, Group>();
  /** Of the last announcement: mostly the next one's as well. */
  #lastSet: AttributeSet = 0;
  #lastGroup: Group | undefined;

  /** @param sets whose numbers are announced */
  constructor(family: Family, coding: Coding, sets: AttributeSets) {
    this.#family = family;
    this.#coding = coding;
    this.#sets = sets;
  }

  withdraw(nlri: Nlri): void {
    this.#withdrawn.push(nlri);
    this.bytes += this.#sizeOf(nlri);
  }

  /** False: the attributes leave no room for a prefix in any message to this peer (RFC 8654 section 5). */
  announce(set: AttributeSet, nlri: Nlri): boolean {
    const group = this.#groupOf(set);
    const bytes = this.#sizeOf(nlri);
    if (bytes > group.share.room) {
      if (group.nlri.length === 0) this.#forget(set);
      return false;
    }
    if (group.nlri.length === 0) this.bytes += this.#coding.maxLength - group.share.room;
    group.add(nlri);
    this.bytes += bytes;
    return true;
  }

  updates(): Update[] {
    const all: Update[] = [];
    if (this.#withdrawn.length > 0) {
      all.push(...packWithdrawals(this.#family, this.#withdrawn, this.#coding));
    }
    for (const group of this.#groups.values()) {
      all.push(...packShared(group, group.share, this.#coding).updates);
    }
    return all;
  }

  /** The set may be nobody's, and its number another one's before this is over. */
  #forget(set: AttributeSet): void {
    this.#groups.delete(set);
    this.#lastSet = 0;
    this.#lastGroup = undefined;
  }

  #groupOf(set: AttributeSet): Group {
    if (this.#lastSet === set && this.#lastGroup !== undefined) return this.#lastGroup;
    let group = this.#groups.get(set);
    if (group === undefined) {
      group = new Group(this.#family, shareOfSet(this.#family, set, this.#coding, this.#sets));
      this.#groups.set(set, group);
    }
    this.#lastSet = set;
    this.#lastGroup = group;
    return group;
  }

  #sizeOf(nlri: Nlri): number {
    return nlriSize(nlri, this.#coding.addPath[this.#family]);
  }
}
