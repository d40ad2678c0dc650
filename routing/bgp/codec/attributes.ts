/**
 * Path attributes as values, and for each its type code, category, bytes and what an error in it costs (RFC 7606
 * section 7). MP_REACH_NLRI and MP_UNREACH_NLRI carry routes, not properties of routes: reach.ts.
 */
import type { Address } from '../../../wire/address.ts';
import { type AsPath, readAsPath, writeAsPath } from './as-path.ts';
import type { Reader, Writer } from './bytes.ts';
import * as community from './community.ts';
import { type AttributeReaction, Malformed } from './errors.ts';
import { readIpv4, writeAddress } from './family.ts';
import { AS_TRANS } from './open.ts';
import { readTunnels, type Tunnel, writeTunnels } from './tunnel.ts';

export const AttributeType = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  tunnels: 23,
  largeCommunities: 32,
  onlyToCustomer: 35,
} as const;

/** RFC 4271 section 4.3: the high four bits before a type code. */
export const Flag = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const;

export const Origin = { igp: 0, egp: 1, incomplete: 2 } as const;
export type Origin = (typeof Origin)[keyof typeof Origin];

/** What a route without LOCAL_PREF counts as. */
export const DEFAULT_LOCAL_PREF = 100;

export interface Aggregator {
  readonly asn: number;
  readonly address: Address;
}

/** Optional, transitive, not known here: passed on with the partial bit (RFC 4271 section 5). */
export interface UnknownAttribute {
  readonly type: number;
  readonly value: Uint8Array;
}

export interface Attributes {
  readonly origin?: Origin;
  readonly asPath?: AsPath;
  /** Of the IPv4 routes in the body; those in MP_REACH_NLRI have their own. */
  readonly nextHop?: Address;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: true;
  readonly aggregator?: Aggregator;
  readonly communities?: readonly community.Community[];
  readonly originatorId?: Address;
  /** Nearest first. */
  readonly clusterList?: readonly Address[];
  readonly extendedCommunities?: readonly community.ExtendedCommunity[];
  readonly tunnels?: readonly Tunnel[];
  readonly largeCommunities?: readonly community.LargeCommunity[];
  /** RFC 9234 section 5. */
  readonly onlyToCustomer?: number;
  /** By type code, ascending. */
  readonly unknown?: readonly UnknownAttribute[];
}

/** What both ends agreed on, as far as bytes depend on it. */
export interface Coding {
  /** RFC 6793: 2 towards a speaker without the capability. */
  readonly asBytes: 2 | 4;
  /** Of an UPDATE: 4096, or 65535 with RFC 8654. */
  readonly maxLength: number;
  /** Families whose prefixes carry path identifiers in this direction. */
  readonly addPath: { readonly 4: boolean; readonly 6: boolean };
  /** The peer is of the own AS: only then LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST mean something. */
  readonly internal: boolean;
}

/** Those that exist on the wire only: decode and encode fold them into the others. */
export interface WireAttributes extends Attributes {
  readonly as4Path?: AsPath;
  readonly as4Aggregator?: Aggregator;
}

export interface AttributeCodec<Value> {
  readonly type: number;
  /** Optional and transitive bits as they have to be. */
  readonly flags: number;
  readonly onError: AttributeReaction;
  /** Without its transitive bit: where that costs something else than other wrong flags. */
  readonly onNotTransitive?: AttributeReaction;
  /** From an external peer: discarded unread (RFC 7606 sections 7.5, 7.9, 7.10). */
  readonly internalOnly?: true;
  /** @param reader over the value alone */
  readonly decode: (reader: Reader, coding: Coding) => Value | Malformed;
  readonly encode: (writer: Writer, value: Value, coding: Coding) => void;
}

type Codecs = {
  readonly [Key in Exclude<keyof WireAttributes, 'unknown'>]-?: AttributeCodec<
    NonNullable<WireAttributes[Key]>
  >;
};

const WELL_KNOWN = Flag.transitive;
const OPTIONAL_TRANSITIVE = Flag.optional | Flag.transitive;
const OPTIONAL = Flag.optional;

const size = ({ left }: Reader, right: number): Malformed | undefined =>
  left === right ? undefined : new Malformed(`${left} bytes, not ${right}`);

const number32 = {
  decode: (reader: Reader) => size(reader, 4) ?? reader.u32(),
  encode: (writer: Writer, value: number) => void writer.u32(value),
};

const address4 = {
  decode: (reader: Reader) => size(reader, 4) ?? readIpv4(reader),
  encode: writeAddress,
};

/** Lists whose length is a multiple, not 0, of an item's. */
const list = <Item>(
  itemBytes: number,
  read: (reader: Reader) => Item,
  write: (writer: Writer, item: Item) => void,
  unique: (all: Item[]) => Item[] = (all) => all,
) => ({
  decode: (reader: Reader): readonly Item[] | Malformed => {
    if (reader.left === 0 || reader.left % itemBytes !== 0) {
      return new Malformed(`${reader.left} bytes, not a multiple of ${itemBytes}`);
    }
    const all = new Array<Item>(reader.left / itemBytes);
    for (let i = 0; i < all.length; i++) all[i] = read(reader);
    return unique(all);
  },
  encode: (writer: Writer, all: readonly Item[]) => {
    for (const item of all) write(writer, item);
  },
});

const aggregator = (reader: Reader, asBytes: 2 | 4): Aggregator | Malformed => {
  const wrong = size(reader, asBytes + 4);
  if (wrong !== undefined) return wrong;
  const asn = asBytes === 2 ? reader.u16() : reader.u32();
  return asn === 0 ? new Malformed('AS 0 (RFC 7607)') : { asn, address: readIpv4(reader) };
};

const writeAggregator = (writer: Writer, { asn, address }: Aggregator, asBytes: 2 | 4): void => {
  if (asBytes === 4) writer.u32(asn);
  else writer.u16(asn > 0xffff ? AS_TRANS : asn);
  writeAddress(writer, address);
};

/** In the order of type codes, in which they are written (RFC 4271 appendix F.3). */
export const codecs: Codecs = {
  origin: {
    type: AttributeType.origin,
    flags: WELL_KNOWN,
    onError: 'treat-as-withdraw',
    decode: (reader) => {
      const wrong = size(reader, 1);
      if (wrong !== undefined) return wrong;
      const value = reader.u8();
      return value <= Origin.incomplete ? (value as Origin) : new Malformed(`value ${value}`);
    },
    encode: (writer, value) => void writer.u8(value),
  },
  asPath: {
    type: AttributeType.asPath,
    flags: WELL_KNOWN,
    onError: 'treat-as-withdraw',
    decode: (reader, coding) => readAsPath(reader, coding.asBytes),
    encode: (writer, value, coding) => writeAsPath(writer, value, coding.asBytes),
  },
  nextHop: { type: AttributeType.nextHop, flags: WELL_KNOWN, onError: 'treat-as-withdraw', ...address4 },
  med: { type: AttributeType.med, flags: OPTIONAL, onError: 'treat-as-withdraw', ...number32 },
  localPref: {
    type: AttributeType.localPref,
    flags: WELL_KNOWN,
    onError: 'treat-as-withdraw',
    internalOnly: true,
    ...number32,
  },
  atomicAggregate: {
    type: AttributeType.atomicAggregate,
    flags: WELL_KNOWN,
    onError: 'attribute-discard',
    decode: (reader) => size(reader, 0) ?? true,
    encode: () => {},
  },
  aggregator: {
    type: AttributeType.aggregator,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'attribute-discard',
    decode: (reader, coding) => aggregator(reader, coding.asBytes),
    encode: (writer, value, coding) => writeAggregator(writer, value, coding.asBytes),
  },
  communities: {
    type: AttributeType.communities,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'treat-as-withdraw',
    ...list(community.COMMUNITY_BYTES, community.readCommunity, community.writeCommunity),
  },
  originatorId: {
    type: AttributeType.originatorId,
    flags: OPTIONAL,
    onError: 'treat-as-withdraw',
    internalOnly: true,
    ...address4,
  },
  clusterList: {
    type: AttributeType.clusterList,
    flags: OPTIONAL,
    onError: 'treat-as-withdraw',
    internalOnly: true,
    ...list(4, readIpv4, address4.encode),
  },
  extendedCommunities: {
    type: AttributeType.extendedCommunities,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'treat-as-withdraw',
    ...list(community.EXTENDED_BYTES, community.readExtended, community.writeExtended),
  },
  as4Path: {
    type: AttributeType.as4Path,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'attribute-discard',
    decode: (reader) => (reader.left === 0 ? new Malformed('no bytes') : readAsPath(reader, 4, 'skip')),
    encode: (writer, value) => writeAsPath(writer, value, 4),
  },
  as4Aggregator: {
    type: AttributeType.as4Aggregator,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'attribute-discard',
    decode: (reader) => aggregator(reader, 4),
    encode: (writer, value) => writeAggregator(writer, value, 4),
  },
  // RFC 9012 section 13: what does not fit its frame withdraws, what says nothing is left out.
  tunnels: {
    type: AttributeType.tunnels,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'treat-as-withdraw',
    onNotTransitive: 'attribute-discard',
    decode: (reader) =>
      reader.left === 0 ? new Malformed('no tunnel', 'attribute-discard') : readTunnels(reader),
    encode: (writer, value) => writeTunnels(writer, value),
  },
  largeCommunities: {
    type: AttributeType.largeCommunities,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'treat-as-withdraw',
    ...list(community.LARGE_BYTES, community.readLarge, community.writeLarge, community.uniqueLarge),
  },
  onlyToCustomer: {
    type: AttributeType.onlyToCustomer,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'treat-as-withdraw',
    ...number32,
  },
};

export type Key = keyof typeof codecs;
export const keyOfType: ReadonlyMap<number, Key> = new Map(
  (Object.keys(codecs) as Key[]).map((key) => [codecs[key].type, key]),
);

/** 'AS_PATH' for 2, a number where none of ours. */
export const attributeName = (type: number): string => NAMES[type] ?? `attribute ${type}`;

const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(AttributeType).map(([name, type]) => [
    type,
    name.replace(/([a-z])([A-Z0-9])/g, '$1_$2').toUpperCase(),
  ]),
);
