/** What one peer is to be told next, gathered by attribute set and then packed into messages. */
import type { Address } from '../../wire/address.ts';
import type { Coding } from '../bgp/codec/attributes.ts';
import { type Family, type Nlri, nlriSize } from '../bgp/codec/family.ts';
import { packRoutes, packWithdrawals, type RouteGroup, type Share, shareOf } from '../bgp/codec/pack.ts';
import type { Update } from '../bgp/codec/update.ts';
import type { AttributeSet } from './attribute-sets.ts';
import type { RouteAttributes } from './route.ts';

const NONE: Nlri[] = [];

class Group implements RouteGroup {
  readonly family: Family;
  readonly attributes: RouteGroup['attributes'];
  readonly nextHop: Address;
  readonly linkLocal?: Address;
  nlri: Nlri[] = NONE;
  readonly share: Share;

  constructor(family: Family, attributes: RouteAttributes, coding: Coding) {
    const { nextHop } = attributes;
    this.family = family;
    this.nextHop = nextHop;
    if (nextHop.family === 4) {
      // As they are: taking them apart for each set costs more than encoding them.
      this.attributes = attributes;
    } else {
      const { nextHop: _, linkLocal, ...rest } = attributes;
      this.attributes = rest;
      if (linkLocal !== undefined) this.linkLocal = linkLocal;
    }
    this.share = shareOf(this, coding);
  }

  add(nlri: Nlri): void {
    // An array that begins empty has room for 17 once there is something in it, and most have one.
    if (this.nlri === NONE) this.nlri = [nlri];
    else this.nlri.push(nlri);
  }
}

export class Batch {
  /** About as many as the messages will have. */
  bytes = 0;
  readonly #family: Family;
  readonly #coding: Coding;
  readonly #withdrawn: Nlri[] = [];
  /** By the sets' numbers: these need no hash to be made for each object. */
  readonly #groups = new Map<number, Group>();
  /** Of the last announcement: mostly the next one's as well. */
  #lastSet: AttributeSet | undefined;
  #lastGroup: Group | undefined;

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
      all.push(...packRoutes(group, this.#coding, group.share).updates);
    }
    return all;
  }

  #groupOf(set: AttributeSet): Group {
    if (this.#lastSet === set && this.#lastGroup !== undefined) return this.#lastGroup;
    let group = this.#groups.get(set.id);
    if (group === undefined) {
      group = new Group(this.#family, set.attributes, this.#coding);
      this.#groups.set(set.id, group);
    }
    this.#lastSet = set;
    this.#lastGroup = group;
    return group;
  }

  #sizeOf(nlri: Nlri): number {
    return nlriSize(nlri, this.#coding.addPath[this.#family]);
  }
}
