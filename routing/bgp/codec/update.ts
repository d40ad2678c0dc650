/**
 * UPDATE (RFC 4271 section 4.3) to and from bytes, errors as RFC 7606 wants them: an error in an attribute costs the
 * attribute or the routes of this message, and the session only where these routes cannot be told.
 *
 *    | withdrawn length (2) | withdrawn IPv4 prefixes | attributes length (2) | attributes | IPv4 prefixes |
 */
import { mergeAs4Path, needsFourOctets } from './as-path.ts';
import type { AttributeCache, Known } from './attribute-cache.ts';
import {
  type AttributeCodec,
  type Attributes,
  AttributeType,
  attributeName,
  type Coding,
  codecs,
  Flag,
  type Key,
  keyOfType,
  type UnknownAttribute,
  type WireAttributes,
} from './attributes.ts';
import { Reader, Writer } from './bytes.ts';
import {
  type AttributeError,
  type AttributeReaction,
  ErrorCode,
  fail,
  Malformed,
  ok,
  type Result,
  type SessionError,
  sessionError,
  UpdateError,
} from './errors.ts';
import { type Nlri, readNlri, writeNlri } from './family.ts';
import { AS_TRANS } from './open.ts';
import {
  OtherFamily,
  type Reach,
  readReach,
  readUnreach,
  type Unreach,
  writeReach,
  writeUnreach,
} from './reach.ts';

export interface Update {
  /** IPv4, in the body. */
  readonly withdrawn: readonly Nlri[];
  readonly unreach?: Unreach;
  /** To be sent: they may be left out where they are there as bytes. */
  readonly attributes: Attributes;
  /** The same as bytes, from who has written them already: these are sent. */
  readonly encoded?: Uint8Array;
  readonly reach?: Reach;
  /** IPv4, in the body, with the attributes' next hop. */
  readonly nlri: readonly Nlri[];
}

export interface ReceivedUpdate {
  readonly kind: 'update';
  readonly update: Update;
  /** All announced prefixes count as withdrawn; the attributes are what could be read and not to be used. */
  readonly treatAsWithdraw: boolean;
  /** For the log and the counters. */
  readonly errors: readonly AttributeError[];
  /** What was made of the same attributes when they came before: then the update has none. */
  readonly known?: Known | undefined;
  /** To be told at once what is made of the attributes: they may come again. */
  readonly cache?: AttributeCache | undefined;
}

/** Of one shape, whatever is in it: who reads it does so a million times. */
const received = (
  update: Update,
  treatAsWithdraw: boolean,
  errors: readonly AttributeError[],
  known: Known | undefined,
  cache: AttributeCache | undefined,
): ReceivedUpdate => ({ kind: 'update', update, treatAsWithdraw, errors, known, cache });

const CATEGORY = Flag.optional | Flag.transitive;

const updateError = (subcode: number, why: string, data?: Uint8Array): SessionError =>
  sessionError(ErrorCode.update, subcode, why, data);

const NONE: Attributes = {};
const LENGTH_BYTES = 2;

const u16At = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1];

/** @param from behind the header, up to `to` @param cache of what this peer sent before in this coding */
export const decodeUpdate = (
  bytes: Uint8Array,
  from: number,
  to: number,
  coding: Coding,
  cache?: AttributeCache,
): Result<ReceivedUpdate> => {
  // A Reader for what is there only: most UPDATEs announce or withdraw, and do not do both.
  const routes = from + LENGTH_BYTES;
  const routesEnd = routes + u16At(bytes, from);
  const first = routesEnd + LENGTH_BYTES;
  const end = first <= to ? first + u16At(bytes, routesEnd) : first;
  if (end > to) {
    return fail(updateError(UpdateError.malformedAttributeList, 'the lengths inside exceed the message'));
  }
  const withdrawn = readRoutes(bytes, routes, routesEnd, coding);
  if (withdrawn instanceof Malformed) {
    return fail(updateError(UpdateError.invalidNetworkField, `withdrawn routes: ${withdrawn.why}`));
  }
  const nlri = readRoutes(bytes, end, to, coding);
  if (nlri instanceof Malformed) return fail(updateError(UpdateError.invalidNetworkField, nlri.why));

  if (first === end && nlri.length === 0) {
    return ok(received({ withdrawn, attributes: NONE, nlri }, false, FINE, undefined, undefined));
  }
  const known = nlri.length > 0 ? cache?.find(bytes, first, end) : undefined;
  if (known !== undefined) {
    return ok(received({ withdrawn, attributes: NONE, nlri }, false, FINE, known, undefined));
  }
  const list = new AttributeList(bytes, coding);
  list.read(new Reader(bytes, first, end));
  if (list.fatal !== undefined) return fail(list.fatal);
  const { reach, unreach } = list;
  list.requireMandatory(nlri.length > 0, (reach?.nlri.length ?? 0) > 0);
  const treatAsWithdraw = list.errors.some(({ reaction }) => reaction === 'treat-as-withdraw');
  if (treatAsWithdraw && nlri.length === 0 && reach === undefined && !list.hasOtherReach) {
    // RFC 7606 section 5.2: there is an error, and no telling which routes it is about.
    const { type, why } = list.errors.find(
      ({ reaction }) => reaction === 'treat-as-withdraw',
    ) as AttributeError;
    const what = `${attributeName(type)}: ${why}, and no routes to withdraw for it`;
    return fail(updateError(UpdateError.malformedAttributeList, what));
  }
  const update: { -readonly [K in keyof Update]: Update[K] } = {
    withdrawn,
    attributes: list.attributes(),
    nlri,
  };
  if (unreach !== undefined) update.unreach = unreach;
  if (reach !== undefined) update.reach = reach;
  // Complete and without routes of their own: the same for the next message.
  const isWhole = nlri.length > 0 && list.errors.length === 0 && reach === undefined && unreach === undefined;
  return ok(received(update, treatAsWithdraw, list.errors, undefined, isWhole ? cache : undefined));
};

const NO_ROUTES: readonly Nlri[] = [];

const readRoutes = (
  bytes: Uint8Array,
  from: number,
  to: number,
  { addPath }: Coding,
): readonly Nlri[] | Malformed =>
  from === to ? NO_ROUTES : readNlri(new Reader(bytes, from, to), 4, addPath[4]);

const FINE: readonly AttributeError[] = [];

/** What the attributes of one message amount to, gathered while they are read. */
class AttributeList {
  fatal: SessionError | undefined;
  reach: Reach | undefined;
  unreach: Unreach | undefined;
  /** Announces routes of a family that is not spoken: what is wrong is about them, and they are not looked at. */
  hasOtherReach = false;
  readonly errors: AttributeError[] = [];
  readonly #bytes: Uint8Array;
  readonly #coding: Coding;
  readonly #seen: number[] = [];
  readonly #values: { -readonly [K in keyof WireAttributes]: WireAttributes[K] } = {};
  readonly #unknown: UnknownAttribute[] = [];

  /** @param bytes in which they are */
  constructor(bytes: Uint8Array, coding: Coding) {
    this.#bytes = bytes;
    this.#coding = coding;
  }

  read(reader: Reader): void {
    while (reader.left > 0 && this.fatal === undefined) {
      const start = reader.offset;
      const flags = reader.u8();
      const type = reader.u8();
      const value = reader.part((flags & Flag.extendedLength) !== 0 ? reader.u16() : reader.u8());
      if (reader.overrun) {
        // RFC 7606 section 4: nothing behind this can be found, the prefixes in the body can.
        this.#error('treat-as-withdraw', type, 'is longer than the list of attributes');
        return;
      }
      this.#take(flags, type, value, start);
    }
  }

  /** RFC 7606 section 3 d). */
  requireMandatory(inBody: boolean, inReach: boolean): void {
    if (!inBody && !inReach) return;
    const mandatory: Key[] = ['origin', 'asPath'];
    if (inBody) mandatory.push('nextHop');
    if (this.#coding.internal) mandatory.push('localPref');
    for (const key of mandatory) {
      const { type } = codecs[key];
      if (!this.#seen.includes(type)) this.#error('treat-as-withdraw', type, 'is missing');
    }
  }

  attributes(): Attributes {
    const { as4Path, as4Aggregator } = this.#values;
    const attributes: { -readonly [K in keyof WireAttributes]: WireAttributes[K] } = this.#values;
    if (as4Path !== undefined) delete attributes.as4Path;
    if (as4Aggregator !== undefined) delete attributes.as4Aggregator;
    if (this.#unknown.length > 0) attributes.unknown = this.#unknown.sort((a, b) => a.type - b.type);
    // RFC 6793 section 4.2.3: an aggregator of an old speaker made a new path; what is carried beside it is stale.
    const { asPath, aggregator } = attributes;
    const stale = aggregator !== undefined && as4Aggregator !== undefined && aggregator.asn !== AS_TRANS;
    if (stale) return attributes;
    if (aggregator !== undefined && as4Aggregator !== undefined) attributes.aggregator = as4Aggregator;
    if (asPath !== undefined && as4Path !== undefined) attributes.asPath = mergeAs4Path(asPath, as4Path);
    return attributes;
  }

  /** @param start where the attribute begins */
  #take(flags: number, type: number, value: Reader, start: number): void {
    const isReach = type === AttributeType.mpReach;
    const carriesRoutes = isReach || type === AttributeType.mpUnreach;
    if (this.#seen.includes(type)) {
      // RFC 7606 section 3 g).
      if (carriesRoutes) {
        this.fatal = updateError(UpdateError.malformedAttributeList, `${attributeName(type)} stands twice`);
      } else this.#error('attribute-discard', type, 'stands twice');
      return;
    }
    this.#seen.push(type);
    if (carriesRoutes) {
      if ((flags & CATEGORY) !== Flag.optional) this.#flagsError(type, flags);
      if (isReach) this.reach = this.#routes(type, readReach(value, this.#coding));
      else this.unreach = this.#routes(type, readUnreach(value, this.#coding));
      return;
    }
    const key = keyOfType.get(type);
    if (key !== undefined) this.#known(key, flags, value);
    else if ((flags & Flag.optional) === 0) {
      const why = `attribute ${type} is said to be well-known`;
      const whole = this.#bytes.slice(start, value.offset + value.left);
      this.fatal = updateError(UpdateError.unrecognizedWellKnown, why, whole);
    } else if ((flags & Flag.transitive) !== 0) this.#unknown.push({ type, value: value.rest().slice() });
  }

  #routes<Routes>(type: number, read: Routes | OtherFamily | Malformed): Routes | undefined {
    if (read instanceof Malformed) {
      this.fatal = updateError(UpdateError.optionalAttribute, `${attributeName(type)}: ${read.why}`);
      return undefined;
    }
    if (!(read instanceof OtherFamily)) return read;
    if (type === AttributeType.mpReach) this.hasOtherReach = true;
    this.#error('attribute-discard', type, `AFI ${read.afi}, SAFI ${read.safi} is not spoken here`);
    return undefined;
  }

  #known<K extends Key>(key: K, flags: number, value: Reader): void {
    const codec = codecs[key] as unknown as AttributeCodec<NonNullable<WireAttributes[K]>>;
    const { type } = codec;
    if (codec.internalOnly && !this.#coding.internal) {
      this.#error('attribute-discard', type, 'from an external peer');
      return;
    }
    // RFC 6793 section 4.1: between speakers of four octets these are not sent, and not looked at.
    if (this.#coding.asBytes === 4 && (key === 'as4Path' || key === 'as4Aggregator')) {
      this.#error('attribute-discard', type, 'from a speaker of 4-octet AS numbers');
      return;
    }
    if ((flags & CATEGORY) !== codec.flags) {
      const other = (flags & Flag.transitive) === 0 ? codec.onNotTransitive : undefined;
      this.#flagsError(type, flags, other);
      return;
    }
    const decoded = codec.decode(value, this.#coding);
    if (decoded instanceof Malformed) {
      this.#error(decoded.reaction ?? codec.onError, type, decoded.why);
    } else this.#values[key] = decoded;
  }

  /** RFC 7606 section 3 c). */
  #flagsError(type: number, flags: number, reaction: AttributeReaction = 'treat-as-withdraw'): void {
    this.#error(reaction, type, `flags 0x${flags.toString(16)}`);
  }

  #error(reaction: AttributeReaction, type: number, why: string): void {
    this.errors.push({ reaction, type, why });
  }
}

/** Behind the header. That it fits a message is the caller's care: pack.ts. */
export const writeUpdate = (writer: Writer, update: Update, coding: Coding): void => {
  const { withdrawn, unreach, attributes, encoded, reach, nlri } = update;
  const routes = writer.begin16();
  writeNlri(writer, withdrawn, coding.addPath[4]);
  writer.end16(routes);
  const list = writer.begin16();
  // First, so that a receiver finds the routes before anything that may be wrong (RFC 7606 section 5.1).
  if (unreach !== undefined) {
    const at = beginAttribute(writer, Flag.optional, AttributeType.mpUnreach);
    writeUnreach(writer, unreach, coding);
    endAttribute(writer, at);
  }
  if (reach !== undefined) {
    const at = beginAttribute(writer, Flag.optional, AttributeType.mpReach);
    writeReach(writer, reach, coding);
    endAttribute(writer, at);
  }
  if (encoded === undefined) writeAttributes(writer, attributes, coding);
  else writer.bytes(encoded);
  writer.end16(list);
  writeNlri(writer, nlri, coding.addPath[4]);
};

const scratch = new Writer();

/** As they stand in a message, but for those that carry routes. */
export const encodeAttributes = (attributes: Attributes, coding: Coding): Uint8Array => {
  writeAttributes(scratch.reset(), attributes, coding);
  return scratch.finish();
};

/** All but those that carry routes. */
export const writeAttributes = (writer: Writer, attributes: Attributes, coding: Coding): void => {
  const values = withAs4(attributes, coding);
  for (const key of keysOf(values)) writeKnown(writer, key, values[key], coding);
  for (const { type, value } of attributes.unknown ?? []) {
    const flags = Flag.optional | Flag.transitive | Flag.partial;
    const at = beginAttribute(writer, flags, type);
    writer.bytes(value);
    endAttribute(writer, at);
  }
};

/** Those that are there, in the order of their types. */
const keysOf = (values: WireAttributes): Key[] => {
  const keys: Key[] = [];
  for (const name in values) {
    const key = name as Key;
    const codec = codecs[key];
    if (codec === undefined || values[key] === undefined) continue;
    let at = keys.length;
    for (; at > 0 && codecs[keys[at - 1]].type > codec.type; at--) keys[at] = keys[at - 1];
    keys[at] = key;
  }
  return keys;
};

const writeKnown = <K extends Key>(
  writer: Writer,
  key: K,
  value: WireAttributes[K],
  coding: Coding,
): void => {
  const codec = codecs[key] as unknown as AttributeCodec<WireAttributes[K]>;
  const at = beginAttribute(writer, codec.flags, codec.type);
  codec.encode(writer, value, coding);
  endAttribute(writer, at);
};

/** RFC 6793 section 4.2.2: what two octets do not hold goes beside. */
const withAs4 = (attributes: Attributes, { asBytes }: Coding): WireAttributes => {
  const { asPath, aggregator } = attributes;
  if (asBytes === 4) return attributes;
  return {
    ...attributes,
    ...(asPath !== undefined && needsFourOctets(asPath) && { as4Path: asPath }),
    ...(aggregator !== undefined && aggregator.asn > 0xffff && { as4Aggregator: aggregator }),
  };
};

/** Flags and type, and room for a length of one byte. @returns where the value begins */
export const beginAttribute = (writer: Writer, flags: number, type: number): number => {
  writer.u8(flags).u8(type).u8(0);
  return writer.length;
};

/** Behind the value: its length, in two bytes where one does not do. @param from as `beginAttribute` returned it */
export const endAttribute = (writer: Writer, from: number): void => {
  const length = writer.length - from;
  if (length <= 255) {
    writer.patch8(from - 1, length);
    return;
  }
  writer.shift(from);
  writer.set8(from - 3, Flag.extendedLength);
  writer.patch16(from - 1, length);
};

/** An UPDATE that says that all routes of a family have been sent (RFC 4724 section 2). */
export const endOfRib = (family: 4 | 6): Update =>
  family === 4
    ? { withdrawn: [], attributes: {}, nlri: [] }
    : { withdrawn: [], unreach: { family, nlri: [] }, attributes: {}, nlri: [] };

/** The family whose End-of-RIB this is. */
export const endOfRibOf = ({ withdrawn, unreach, attributes, reach, nlri }: Update): 4 | 6 | undefined => {
  if (withdrawn.length > 0 || nlri.length > 0 || reach !== undefined || Object.keys(attributes).length > 0)
    return;
  if (unreach === undefined) return 4;
  return unreach.nlri.length === 0 ? unreach.family : undefined;
};
