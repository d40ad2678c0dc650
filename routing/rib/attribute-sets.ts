/**
 * Attribute sets, each there once whoever uses it: routes and Adj-RIB-Outs hold its number, which fits a column, and
 * equal sets are one object, so that asking whether an announcement changes anything is one comparison. Uses are
 * counted; a set without uses is forgotten, and its number given to another. What a set takes is on the account of who
 * brought it.
 *
 * What is kept of a set are bytes (packed.ts); its attributes are read from them when they are asked for, and the last ones
 * asked for are still there.
 */
import { hashBytes } from '../../wire/keyed-hash.ts';
import { Writer } from '../bgp/codec/bytes.ts';
import { ByteStore } from './byte-store.ts';
import { Column, RowSet, Rows } from './column.ts';
import { type Merits, meritsOf } from './decision.ts';
import type { Hop } from './hops.ts';
import { MeritColumns } from './merits.ts';
import { readPacked, writePacked } from './packed.ts';
import type { RouteAttributes } from './route.ts';

/** Bytes of memory, about, of the sets that somebody brought and that are still there. */
export interface Account {
  bytes: number;
}

export class AttributeSet {
  /** 0 once forgotten: who remembers a set has to ask. */
  id: number;
  /** Where its next hop is asked after; set by whom decides about its routes. */
  hop: Hop | undefined = undefined;
  readonly #owner: AttributeSets;

  constructor(id: number, owner: AttributeSets) {
    this.id = id;
    this.#owner = owner;
  }

  /** Not for long: they are read anew when others have been asked for meanwhile. */
  get attributes(): RouteAttributes {
    return this.#owner.attributesOf(this.id);
  }

  /** What the decision asks of them. */
  get merits(): Merits {
    return this.#owner.meritsOf(this.id);
  }

  /** They say how the next hop wants to be reached (RFC 9012). */
  get hasTunnels(): boolean {
    return this.#owner.hasTunnels(this.id);
  }

  /** All of them stand in a message as they are kept, the next hop too: it is one of IPv4. */
  get isWhole(): boolean {
    return this.#owner.isWhole(this.id);
  }

  /** As they stand in a message to a speaker of four-octet AS numbers, but for those that carry routes: a copy. */
  encoded(): Uint8Array {
    return this.#owner.encodedOf(this.id);
  }
}

const FIRST_SLOTS = 1024;
/** Attributes that stay decoded, of sets with so many bytes, and of larger ones: a power of two. */
const DECODED = 1024;
const SHORT_BYTES = 512;
const DECODED_LONG = 32;
/** More than any message holds, and than an attribute can say that it has. */
const TOO_LONG = 0x1_0000;
/** What a set takes beside its bytes. */
const SET_BYTES = 120;

/** By number modulo as many as there may be. */
class Decoded {
  readonly #ids: Uint32Array;
  readonly #attributes: (RouteAttributes | undefined)[];

  constructor(size: number) {
    this.#ids = new Uint32Array(size);
    this.#attributes = new Array(size).fill(undefined);
  }

  get(id: number): RouteAttributes | undefined {
    const at = id & (this.#ids.length - 1);
    return this.#ids[at] === id ? this.#attributes[at] : undefined;
  }

  set(id: number, attributes: RouteAttributes): void {
    const at = id & (this.#ids.length - 1);
    this.#ids[at] = id;
    this.#attributes[at] = attributes;
  }

  forget(id: number): void {
    const at = id & (this.#ids.length - 1);
    if (this.#ids[at] !== id) return;
    this.#ids[at] = 0;
    this.#attributes[at] = undefined;
  }
}

export class AttributeSets {
  readonly #rows = new Rows();
  readonly #byId: (AttributeSet | undefined)[] = [];
  readonly #packed = new ByteStore();
  /** By id. Of its bytes, how many belong to a message. */
  readonly #sent = new Column();
  readonly #uses = new Column();
  /** Index: id. */
  readonly #accounts: (Account | undefined)[] = [];
  readonly #tunnelled = new RowSet();
  /** Of sets that were compared. */
  readonly #merits = new MeritColumns();
  /** By hash a set's id, 0: none; the others behind it in `next`. As many slots as sets, or more: a power of two. */
  #slots = new Uint32Array(FIRST_SLOTS);
  readonly #next = new Column();
  readonly #hashes = new Column();
  #size = 0;
  readonly #short = new Decoded(DECODED);
  readonly #long = new Decoded(DECODED_LONG);
  /** Of those that are too long for their bytes to be read again. */
  readonly #kept = new Map<number, RouteAttributes>();
  readonly #scratch = new Writer();
  readonly #onForgotten: (set: AttributeSet) => void;

  constructor(onForgotten: (set: AttributeSet) => void) {
    this.#onForgotten = onForgotten;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Not counted as a use: who keeps the set says `retain`, who does not keep it `forgetUnused`.
   * @param attributes not to be changed any more @param account of who brings it
   */
  intern(attributes: RouteAttributes, account?: Account): AttributeSet {
    const scratch = this.#scratch.reset();
    const sent = writePacked(scratch, attributes);
    const { buffer, length } = scratch;
    const hash = hashBytes(buffer, 0, length);
    for (let id = this.#slots[hash & (this.#slots.length - 1)]; id !== 0; id = this.#next.get(id)) {
      if (this.#hashes.get(id) !== hash || !this.#packed.is(id, buffer, 0, length)) continue;
      return this.#byId[id] as AttributeSet;
    }
    const id = this.#rows.take();
    const set = new AttributeSet(id, this);
    this.#byId[id] = set;
    this.#packed.set(id, buffer, 0, length);
    this.#sent.set(id, sent);
    this.#hashes.set(id, hash);
    if (attributes.tunnels !== undefined) this.#tunnelled.add(id);
    this.#accounts[id] = account;
    if (account !== undefined) account.bytes += SET_BYTES + length;
    if (length >= TOO_LONG) this.#kept.set(id, attributes);
    else this.#decoded(length).set(id, attributes);
    if (++this.#size > this.#slots.length) this.#grow();
    else this.#link(id);
    return set;
  }

  /** @param id of a set that is there */
  get(id: number): AttributeSet {
    return this.#byId[id] as AttributeSet;
  }

  /** @param id of a set that is there */
  attributesOf(id: number): RouteAttributes {
    const length = this.#packed.lengthOf(id);
    if (length >= TOO_LONG) return this.#kept.get(id) as RouteAttributes;
    const decoded = this.#decoded(length);
    const known = decoded.get(id);
    if (known !== undefined) return known;
    const start = this.#packed.startOf(id);
    const attributes = readPacked(this.#packed.bytesOf(id), start, start + length);
    decoded.set(id, attributes);
    return attributes;
  }

  /** @param id of a set that is there */
  meritsOf(id: number): Merits {
    let merits = this.#merits.get(id);
    if (merits === undefined) {
      merits = meritsOf(this.attributesOf(id));
      this.#merits.set(id, merits);
    }
    return merits;
  }

  /** @param id of a set that is there */
  hasTunnels(id: number): boolean {
    return this.#tunnelled.has(id);
  }

  /** @param id of a set that is there */
  isWhole(id: number): boolean {
    return this.#sent.get(id) === this.#packed.lengthOf(id);
  }

  /** @param id of a set that is there */
  encodedOf(id: number): Uint8Array {
    const start = this.#packed.startOf(id);
    return this.#packed.bytesOf(id).slice(start, start + this.#sent.get(id));
  }

  retain({ id }: AttributeSet): void {
    this.#uses.set(id, this.#uses.get(id) + 1);
  }

  /** @param id 0: nothing happens, so that what a column held can be given as it is */
  release(id: number): void {
    if (id === 0) return;
    const left = this.#uses.get(id) - 1;
    this.#uses.set(id, left);
    if (left === 0) this.#forget(this.#byId[id] as AttributeSet);
  }

  forgetUnused(set: AttributeSet): void {
    if (set.id !== 0 && this.#uses.get(set.id) === 0) this.#forget(set);
  }

  /** Of each set in use how often it is: for tests, which count themselves. */
  *uses(): IterableIterator<[id: number, uses: number]> {
    for (const set of this.#byId) if (set !== undefined) yield [set.id, this.#uses.get(set.id)];
  }

  #decoded(length: number): Decoded {
    return length <= SHORT_BYTES ? this.#short : this.#long;
  }

  #forget(set: AttributeSet): void {
    this.#onForgotten(set);
    const { id } = set;
    const length = this.#packed.lengthOf(id);
    const account = this.#accounts[id];
    if (account !== undefined) account.bytes -= SET_BYTES + length;
    this.#accounts[id] = undefined;
    if (length >= TOO_LONG) this.#kept.delete(id);
    else this.#decoded(length).forget(id);
    this.#unlink(id);
    this.#merits.forget(id);
    this.#tunnelled.delete(id);
    this.#packed.delete(id);
    this.#size--;
    this.#byId[id] = undefined;
    this.#rows.giveBack(id);
    set.id = 0;
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
