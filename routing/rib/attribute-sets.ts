/**
 * Attribute sets, each there once whoever uses it: routes and Adj-RIB-Outs hold its number, which fits a column, and
 * equal sets are one object, so that asking whether an announcement changes anything is one comparison. Uses are
 * counted; a set without uses is forgotten, and its number given to another. What a set takes is on the account of who
 * brought it.
 */
import type { Address } from '../../wire/address.ts';
import type { AsPath } from '../bgp/codec/as-path.ts';
import { Column, Rows } from './column.ts';
import type { Hop } from './hops.ts';
import type { RouteAttributes } from './route.ts';

export interface AttributeSet {
  readonly attributes: RouteAttributes;
  /** 0 once forgotten: who remembers a set has to ask. */
  readonly id: number;
  /** Where its next hop is asked after; set by whom decides about its routes. */
  hop: Hop | undefined;
}

/** Bytes of memory, about, of the sets that somebody brought and that are still there. */
export interface Account {
  bytes: number;
}

interface Counted extends AttributeSet {
  id: number;
  readonly account: Account | undefined;
  /** On the account. */
  readonly bytes: number;
}

const FIRST_SLOTS = 1024;

export class AttributeSets {
  readonly #rows = new Rows();
  readonly #byId: (Counted | undefined)[] = [];
  /** By id. Not in the sets themselves: most that is asked of a set needs but this. */
  readonly #uses = new Column();
  /** By hash a set's id, 0: none; the others behind it in `next`. As many slots as sets, or more: a power of two. */
  #slots = new Uint32Array(FIRST_SLOTS);
  readonly #next = new Column();
  readonly #hashes = new Column();
  #size = 0;
  readonly #onForgotten: (set: AttributeSet) => void;
  /** Of attributes that were looked for before, in here: what was found. It goes with the object, and into no copy of it. */
  readonly #found = Symbol('set');

  constructor(onForgotten: (set: AttributeSet) => void) {
    this.#onForgotten = onForgotten;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Not counted as a use: who keeps the number says `retain`, who does not keep it `forgetUnused`.
   * @param account of who brings it @param from what it was made of, with which it shares values
   */
  intern(attributes: RouteAttributes, account?: Account, from?: RouteAttributes): AttributeSet {
    // Most announcements come with the very object that one before came with (attribute-cache.ts).
    const found = (attributes as Looked)[this.#found];
    if (found !== undefined && found.id !== 0) return found;
    const set = this.#find(attributes, account, from);
    if (account !== undefined) note(attributes, this.#found, set);
    return set;
  }

  #find(attributes: RouteAttributes, account: Account | undefined, from?: RouteAttributes): Counted {
    const hash = hashOf(attributes) >>> 0;
    for (let id = this.#slots[hash & (this.#slots.length - 1)]; id !== 0; id = this.#next.get(id)) {
      if (this.#hashes.get(id) !== hash) continue;
      const set = this.#byId[id] as Counted;
      if (sameAttributes(set.attributes, attributes)) return set;
    }
    const bytes = account === undefined ? 0 : bytesOfSet(attributes, from);
    if (account !== undefined) account.bytes += bytes;
    const id = this.#rows.take();
    const set: Counted = { attributes, id, hop: undefined, account, bytes };
    this.#byId[id] = set;
    this.#hashes.set(id, hash);
    if (++this.#size > this.#slots.length) this.#grow();
    else this.#link(id);
    return set;
  }

  /** @param id of a set in use */
  get(id: number): AttributeSet {
    return this.#byId[id] as AttributeSet;
  }

  retain({ id }: AttributeSet): void {
    this.#uses.set(id, this.#uses.get(id) + 1);
  }

  /** @param id 0: nothing happens, so that what a column held can be given as it is */
  release(id: number): void {
    if (id === 0) return;
    const left = this.#uses.get(id) - 1;
    this.#uses.set(id, left);
    if (left === 0) this.#forget(this.#byId[id] as Counted);
  }

  forgetUnused(set: AttributeSet): void {
    if (set.id !== 0 && this.#uses.get(set.id) === 0) this.#forget(set as Counted);
  }

  /** Of each set in use how often it is: for tests, which count themselves. */
  *uses(): IterableIterator<[id: number, uses: number]> {
    for (const set of this.#byId) if (set !== undefined) yield [set.id, this.#uses.get(set.id)];
  }

  #forget(counted: Counted): void {
    this.#onForgotten(counted);
    if (counted.account !== undefined) counted.account.bytes -= counted.bytes;
    this.#unlink(counted.id);
    this.#size--;
    this.#byId[counted.id] = undefined;
    this.#rows.giveBack(counted.id);
    counted.id = 0;
  }

  #link(id: number): void {
    const slot = this.#hashes.get(id) & (this.#slots.length - 1);
    this.#next.set(id, this.#slots[slot]);
    this.#slots[slot] = id;
  }

  #unlink(id: number): void {
    const slot = this.#hashes.get(id) & (this.#slots.length - 1);
    const behind = this.#next.get(id);
    if (this.#slots[slot] === id) {
      this.#slots[slot] = behind;
      return;
    }
    let before = this.#slots[slot];
    while (this.#next.get(before) !== id) before = this.#next.get(before);
    this.#next.set(before, behind);
  }

  #grow(): void {
    this.#slots = new Uint32Array(2 * this.#slots.length);
    for (let id = 1; id < this.#rows.end; id++) if (this.#byId[id] !== undefined) this.#link(id);
  }
}

interface Looked extends RouteAttributes {
  readonly [key: symbol]: Counted | undefined;
}

/** Nobody who lists, copies or compares what an object has sees it. */
const description: PropertyDescriptor = { value: undefined, writable: true, enumerable: false };
const note = (attributes: RouteAttributes, key: symbol, set: Counted): void => {
  description.value = set;
  Object.defineProperty(attributes, key, description);
};

const mix = (hash: number, value: number): number => {
  const mixed = Math.imul(hash ^ value, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
};

const hashOf = (attributes: RouteAttributes): number => {
  const { origin, asPath, nextHop, med, localPref, communities } = attributes;
  let hash = mix(origin ?? 3, med ?? -1);
  hash = mix(hash, localPref ?? -1);
  for (const word of nextHop.words) hash = mix(hash, word);
  for (const { asns } of asPath ?? []) for (const asn of asns) hash = mix(hash, asn);
  for (const community of communities ?? []) hash = mix(hash, community);
  // By a list: as keys stand in objects is as attributes stood in a message.
  for (const key of OTHERS) if (attributes[key] !== undefined) hash = mixAny(hash, attributes[key]);
  return hash;
};

const OTHERS = [
  'linkLocal',
  'aggregator',
  'originatorId',
  'clusterList',
  'extendedCommunities',
  'tunnels',
  'largeCommunities',
  'onlyToCustomer',
  'unknown',
] as const satisfies (keyof RouteAttributes)[];

/** Values made of objects, arrays and bytes. Their order counts, as it does where they are compared. */
const mixAny = (hash: number, value: unknown): number => {
  // 48 bits, of which the high ones may be all that differ.
  if (typeof value === 'number') return mix(mix(hash, value), value / 0x1_0000_0000);
  if (typeof value !== 'object' || value === null) return hash;
  return Object.values(value).reduce<number>(mixAny, hash);
};

/**
 * What sets take in V8's heap, at most: measured were 705 bytes with a path of one AS, 1,807 with 20 ASes and 22
 * communities, and 110,524 with 4,000 ASes above 2^31 while these were objects of their own, less than half later on.
 */
const SET_BYTES = 440;
const OBJECT_BYTES = 32;
const SMALL_NUMBER_BYTES = 12;
const LARGE_NUMBER_BYTES = 28;

/** @param from whose values are not counted again */
const bytesOfSet = (attributes: RouteAttributes, from: RouteAttributes | undefined): number => {
  let bytes = SET_BYTES;
  for (const name in attributes) {
    const key = name as keyof RouteAttributes;
    if (attributes[key] !== from?.[key]) bytes += bytesOf(attributes[key]);
  }
  return bytes;
};

const bytesOf = (value: unknown): number => {
  if (typeof value === 'number') return value > 0x7fffffff ? LARGE_NUMBER_BYTES : SMALL_NUMBER_BYTES;
  if (typeof value !== 'object' || value === null) return 0;
  if (value instanceof Uint8Array) return 3 * OBJECT_BYTES + value.length;
  let bytes = OBJECT_BYTES;
  if (Array.isArray(value)) for (const item of value) bytes += bytesOf(item);
  else for (const key in value) bytes += bytesOf((value as Record<string, unknown>)[key]);
  return bytes;
};

/** The same for a receiver; absent and undefined are one. */
export const sameAttributes = (a: RouteAttributes, b: RouteAttributes): boolean =>
  a === b ||
  (a.origin === b.origin &&
    a.med === b.med &&
    a.localPref === b.localPref &&
    a.atomicAggregate === b.atomicAggregate &&
    a.onlyToCustomer === b.onlyToCustomer &&
    sameAddress(a.nextHop, b.nextHop) &&
    sameAddress(a.linkLocal, b.linkLocal) &&
    samePath(a.asPath, b.asPath) &&
    sameNumbers(a.communities, b.communities) &&
    same(a.largeCommunities, b.largeCommunities) &&
    same(a.extendedCommunities, b.extendedCommunities) &&
    same(a.clusterList, b.clusterList) &&
    same(a.originatorId, b.originatorId) &&
    same(a.aggregator, b.aggregator) &&
    same(a.tunnels, b.tunnels) &&
    same(a.unknown, b.unknown));

const sameNumbers = (a: readonly number[] | undefined, b: readonly number[] | undefined): boolean => {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};

const sameAddress = (a: Address | undefined, b: Address | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && sameNumbers(a.words, b.words));

const samePath = (a: AsPath | undefined, b: AsPath | undefined): boolean => {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i].type !== b[i].type || !sameNumbers(a[i].asns, b[i].asns)) return false;
  }
  return true;
};

/** Values made of objects, arrays and bytes: for what is rare or short. */
const same = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [ours, theirs] = [Object.entries(a), Object.entries(b)];
  const values: Readonly<Record<string, unknown>> = Object.fromEntries(theirs);
  return ours.length === theirs.length && ours.every(([key, value]) => same(value, values[key]));
};
