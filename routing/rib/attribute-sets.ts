/**
 * Attribute sets, each there once whoever uses it: routes and Adj-RIB-Outs hold its number, which fits a column, and
 * equal sets have one number, so that asking whether an announcement changes anything is one comparison. Uses are
 * counted; a set without uses is forgotten, and its number given to another. What a set takes is on the account of who
 * brought it.
 *
 * What is kept of a set are bytes (packed.ts) and numbers, no object; its attributes are read from the bytes when they are
 * asked for, and the last ones asked for are still there.
 */
import { hashBytes } from '../../wire/keyed-hash.ts';
import type { AttributeStore } from '../bgp/codec/attribute-cache.ts';
import { Writer } from '../bgp/codec/bytes.ts';
import { ByteStore } from './byte-store.ts';
import { Column, RowSet, Rows } from './column.ts';
import { type Merits, meritsOf } from './decision.ts';
import type { Hop, Hops } from './hops.ts';
import { MeritColumns } from './merits.ts';
import { readPacked, writePacked } from './packed.ts';
import type { RouteAttributes } from './route.ts';
import { RowSlots } from './row-slots.ts';

/** A set by its number. 0: none. */
export type AttributeSet = number;

/** What somebody brought, as long as it is there. */
export class Account {
  /** Bytes of memory, about. */
  bytes = 0;
  sets = 0;
  /** Its own while there are sets. */
  number = 0;
}

/** Attributes that stay decoded, of sets with so many bytes, and of larger ones: a power of two. */
const DECODED = 1024;
const SHORT_BYTES = 512;
const DECODED_LONG = 32;
/** More than any message holds, and than an attribute can say that it has. */
const TOO_LONG = 0x1_0000;
/** What a set takes beside its bytes. */
const SET_BYTES = 60;

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

export class AttributeSets implements AttributeStore {
  readonly #hops: Hops;
  readonly #onForgotten: (set: AttributeSet) => void;
  readonly #rows = new Rows();
  readonly #packed = new ByteStore();
  /** Of a set's bytes, how many at the end do not belong to a message. */
  readonly #behind = new Column();
  readonly #uses = new Column();
  /** 0: it was forgotten. */
  readonly #serials = new Column();
  #lastSerial = 0;
  /** By number; 0 is none's. */
  readonly #accounts: (Account | undefined)[] = [undefined];
  readonly #accountNumbers = new Rows();
  readonly #accountOf = new Column();
  readonly #tunnelled = new RowSet();
  /** Numbers of next hops, of sets that were resolved. */
  readonly #hopOf = new Column();
  /** Of sets that were compared. */
  readonly #merits = new MeritColumns();
  readonly #slots = new RowSlots();
  readonly #hashes = new Column();
  #size = 0;
  readonly #short = new Decoded(DECODED);
  readonly #long = new Decoded(DECODED_LONG);
  /** Of those that are too long for their bytes to be read again. */
  readonly #kept = new Map<number, RouteAttributes>();
  readonly #scratch = new Writer();

  /** @param onForgotten its number will be another one's */
  constructor(hops: Hops, onForgotten: (set: AttributeSet) => void = () => {}) {
    this.#hops = hops;
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
    const slots = this.#slots;
    let gone = -1;
    for (let slot = slots.seek(hash); slot >= 0; slot = slots.seek(hash, slot + 1)) {
      const id = slots.rowAt(slot);
      if (this.#serials.get(id) === 0) gone = slot;
      else if (this.#hashes.get(id) === hash && this.#packed.is(id, buffer, 0, length)) return id;
    }
    if (gone < 0 && slots.isFull) this.#renew();
    const id = this.#rows.take();
    this.#lastSerial = (this.#lastSerial + 1) >>> 0 || 1;
    this.#serials.set(id, this.#lastSerial);
    this.#packed.set(id, buffer, 0, length);
    this.#behind.set(id, length - sent);
    this.#hashes.set(id, hash);
    if (attributes.tunnels !== undefined) this.#tunnelled.add(id);
    if (account !== undefined) this.#charge(account, id, SET_BYTES + length);
    if (length >= TOO_LONG) this.#kept.set(id, attributes);
    else this.#decoded(length).set(id, attributes);
    if (gone < 0) slots.add(hash, id);
    else slots.replace(gone, id);
    this.#size++;
    return id;
  }

  /** Of a set that is there no other has had; 0: there is none of this number. */
  serialOf(set: AttributeSet): number {
    return this.#serials.get(set);
  }

  /** Not for long: they are read anew when others have been asked for meanwhile. */
  attributesOf(set: AttributeSet): RouteAttributes {
    const length = this.#packed.lengthOf(set);
    if (length >= TOO_LONG) return this.#kept.get(set) as RouteAttributes;
    const decoded = this.#decoded(length);
    const known = decoded.get(set);
    if (known !== undefined) return known;
    const start = this.#packed.startOf(set);
    const attributes = readPacked(this.#packed.bytesOf(set), start, start + length);
    decoded.set(set, attributes);
    return attributes;
  }

  /** What the decision asks of them. */
  meritsOf(set: AttributeSet): Merits {
    let merits = this.#merits.get(set);
    if (merits === undefined) {
      merits = meritsOf(this.attributesOf(set));
      this.#merits.set(set, merits);
    }
    return merits;
  }

  /** They say how the next hop wants to be reached (RFC 9012). */
  hasTunnels(set: AttributeSet): boolean {
    return this.#tunnelled.has(set);
  }

  /** Where its next hop is asked after; undefined: it never was. */
  hopOf(set: AttributeSet): Hop | undefined {
    return this.#hops.get(this.#hopOf.get(set));
  }

  /** From now on its next hop is asked after. */
  resolve(set: AttributeSet): void {
    if (this.#hopOf.get(set) !== 0) return;
    this.#hopOf.set(set, this.#hops.retain(this.attributesOf(set).nextHop).number);
  }

  /** All of them stand in a message as they are kept, the next hop too: it is one of IPv4. */
  isWhole(set: AttributeSet): boolean {
    return this.#behind.get(set) === 0;
  }

  /** As they stand in a message to a speaker of four-octet AS numbers, but for those that carry routes: a copy. */
  encodedOf(set: AttributeSet): Uint8Array {
    const start = this.#packed.startOf(set);
    const end = start + this.#packed.lengthOf(set) - this.#behind.get(set);
    return this.#packed.bytesOf(set).slice(start, end);
  }

  isKeptAs(set: AttributeSet, bytes: Uint8Array, from: number, to: number): boolean {
    return this.#packed.is(set, bytes, from, to);
  }

  retain(set: AttributeSet): void {
    this.#uses.set(set, this.#uses.get(set) + 1);
  }

  /** @param set 0: nothing happens, so that what a column held can be given as it is */
  release(set: AttributeSet): void {
    if (set === 0) return;
    const left = this.#uses.get(set) - 1;
    this.#uses.set(set, left);
    if (left === 0) this.#forget(set);
  }

  /** Of a set that may have been forgotten, before another is interned. */
  forgetUnused(set: AttributeSet): void {
    if (this.#serials.get(set) !== 0 && this.#uses.get(set) === 0) this.#forget(set);
  }

  /** Of each set in use how often it is: for tests, which count themselves. */
  *uses(): IterableIterator<[set: AttributeSet, uses: number]> {
    for (const [set] of this.#serials) yield [set, this.#uses.get(set)];
  }

  #decoded(length: number): Decoded {
    return length <= SHORT_BYTES ? this.#short : this.#long;
  }

  #charge(account: Account, id: AttributeSet, bytes: number): void {
    account.bytes += bytes;
    if (account.sets++ === 0) {
      account.number = this.#accountNumbers.take();
      this.#accounts[account.number] = account;
    }
    this.#accountOf.set(id, account.number);
  }

  #credit(id: AttributeSet, bytes: number): void {
    const account = this.#accounts[this.#accountOf.get(id)];
    if (account === undefined) return;
    this.#accountOf.set(id, 0);
    account.bytes -= bytes;
    if (--account.sets > 0) return;
    this.#accounts[account.number] = undefined;
    this.#accountNumbers.giveBack(account.number);
  }

  #forget(id: AttributeSet): void {
    this.#onForgotten(id);
    const hop = this.hopOf(id);
    this.#hopOf.set(id, 0);
    const length = this.#packed.lengthOf(id);
    this.#credit(id, SET_BYTES + length);
    if (length >= TOO_LONG) this.#kept.delete(id);
    else this.#decoded(length).forget(id);
    this.#merits.forget(id);
    this.#tunnelled.delete(id);
    this.#packed.delete(id);
    this.#serials.set(id, 0);
    this.#size--;
    this.#rows.giveBack(id);
    if (hop !== undefined) this.#hops.release(hop);
  }

  #renew(): void {
    this.#slots.renew(this.#size);
    for (let id = 1; id < this.#rows.end; id++) {
      if (this.#serials.get(id) !== 0) this.#slots.add(this.#hashes.get(id), id);
    }
  }
}
