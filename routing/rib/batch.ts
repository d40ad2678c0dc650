/** What one peer is to be told next, gathered by attribute set and then packed into messages. */
import type { Coding } from '../bgp/codec/attributes.ts';
import { type Family, type Nlri, nlriSize } from '../bgp/codec/family.ts';
import { packRoutes, packWithdrawals, type RouteGroup, type Share, shareOf } from '../bgp/codec/pack.ts';
import type { Update } from '../bgp/codec/update.ts';
import type { AttributeSet } from './attribute-sets.ts';

interface Group extends RouteGroup {
  readonly nlri: Nlri[];
  readonly share: Share;
}

export class Batch {
  /** About as many as the messages will have. */
  bytes = 0;
  readonly #family: Family;
  readonly #coding: Coding;
  readonly #withdrawn: Nlri[] = [];
  readonly #groups = new Map<AttributeSet, Group>();
  /** Of the last announcement: mostly the next one's as well. */
  #last: { set: AttributeSet; group: Group } | undefined;

  constructor(family: Family, coding: Coding) {
    this.#family = family;
    this.#coding = coding;
  }

  withdraw(nlri: Nlri): void {
    this.#withdrawn.push(nlri);
    this.bytes += this.#sizeOf(nlri);
  }

  /** False: the attributes leave no room for a prefix in any message to this peer (RFC 8654 section 5). */
  announce(set: AttributeSet, nlri: Nlri): boolean {
    const group = this.#groupOf(set);
    const bytes = this.#sizeOf(nlri);
    if (bytes > group.share.room) return false;
    if (group.nlri.length === 0) this.bytes += this.#coding.maxLength - group.share.room;
    group.nlri.push(nlri);
    this.bytes += bytes;
    return true;
  }

  updates(): Update[] {
    const all: Update[] = [];
    if (this.#withdrawn.length > 0) {
      all.push(...packWithdrawals(this.#family, this.#withdrawn, this.#coding));
    }
    for (const group of this.#groups.values()) {
      all.push(...packRoutes(group, this.#coding, group.share).updates);
    }
    return all;
  }

  #groupOf(set: AttributeSet): Group {
    if (this.#last?.set === set) return this.#last.group;
    let group = this.#groups.get(set);
    if (group === undefined) {
      const { nextHop, linkLocal, ...attributes } = set.attributes;
      const shared = {
        family: this.#family,
        attributes,
        nextHop,
        ...(linkLocal !== undefined && { linkLocal }),
      };
      group = { ...shared, nlri: [], share: shareOf(shared, this.#coding) };
      this.#groups.set(set, group);
    }
    this.#last = { set, group };
    return group;
  }

  #sizeOf(nlri: Nlri): number {
    return nlriSize(nlri, this.#coding.addPath[this.#family]);
  }
}
