/**
 * Path attributes as values, and for each its type code, category, bytes and what an error in it costs (RFC 7606
 * section 7). MP_REACH_NLRI and MP_UNREACH_NLRI carry routes, not properties of routes: reach.ts.
 */
import type { Address } from '../../../wire/address.ts';
import { type AsPath, readAsPath, writeAsPath } from './as-path.ts';
import { Reader, type Writer } from './bytes.ts';
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
  /** From an external peer: discarded unread (RFC 7606 sections 7.5, 7.9, 7.10). */
  readonly internalOnly?: true;
  readonly decode: (bytes: Uint8Array, coding: Coding) => Value | Malformed;
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

const size = (bytes: Uint8Array, right: number): Malformed | undefined =>
  bytes.length === right ? undefined : new Malformed(`${bytes.length} bytes, not ${right}`);

const number32 = {
  decode: (bytes: Uint8Array) => size(bytes, 4) ?? new Reader(bytes).u32(),
  encode: (writer: Writer, value: number) => void writer.u32(value),
};

const address4 = {
  decode: (bytes: Uint8Array) => size(bytes, 4) ?? readIpv4(new Reader(bytes)),
  encode: writeAddress,
};

/** Lists whose length is a multiple, not 0, of an item's. */
const list = <Item>(
  itemBytes: number,
  read: (reader: Reader) => Item,
  write: (writer: Writer, item: Item) => void,
  unique: (all: Item[]) => Item[] = (all) => all,
) => ({
  decode: (bytes: Uint8Array): readonly Item[] | Malformed => {
    if (bytes.length === 0 || bytes.length % itemBytes !== 0) {
      return new Malformed(`${bytes.length} bytes, not a multiple of ${itemBytes}`);
    }
    const reader = new Reader(bytes);
    const all: Item[] = [];
    while (reader.left > 0) all.push(read(reader));
    return unique(all);
  },
  encode: (writer: Writer, all: readonly Item[]) => {
    for (const item of all) write(writer, item);
  },
});

const aggregator = (bytes: Uint8Array, asBytes: 2 | 4): Aggregator | Malformed => {
  const wrong = size(bytes, asBytes + 4);
  if (wrong !== undefined) return wrong;
  const reader = new Reader(bytes);
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
    decode: (bytes) => {
      const wrong = size(bytes, 1);
      if (wrong !== undefined) return wrong;
      return bytes[0] <= Origin.incomplete ? (bytes[0] as Origin) : new Malformed(`value ${bytes[0]}`);
    },
    encode: (writer, value) => void writer.u8(value),
  },
  asPath: {
    type: AttributeType.asPath,
    flags: WELL_KNOWN,
    onError: 'treat-as-withdraw',
    decode: (bytes, coding) => readAsPath(bytes, coding.asBytes),
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
    decode: (bytes) => size(bytes, 0) ?? true,
    encode: () => {},
  },
  aggregator: {
    type: AttributeType.aggregator,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'attribute-discard',
    decode: (bytes, coding) => aggregator(bytes, coding.asBytes),
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
    decode: (bytes) => (bytes.length === 0 ? new Malformed('no bytes') : readAsPath(bytes, 4, 'skip')),
    encode: (writer, value) => writeAsPath(writer, value, 4),
  },
  as4Aggregator: {
    type: AttributeType.as4Aggregator,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'attribute-discard',
    decode: (bytes) => aggregator(bytes, 4),
    encode: (writer, value) => writeAggregator(writer, value, 4),
  },
  tunnels: {
    type: AttributeType.tunnels,
    flags: OPTIONAL_TRANSITIVE,
    onError: 'treat-as-withdraw',
    decode: (bytes) => (bytes.length === 0 ? new Malformed('no bytes') : readTunnels(bytes)),
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

/** 'AS_PATH' for 2, a number where none of ours. */
export const attributeName = (type: number): string => NAMES[type] ?? `attribute ${type}`;

const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(AttributeType).map(([name, type]) => [
    type,
    name.replace(/([a-z])([A-Z0-9])/g, '$1_$2').toUpperCase(),
  ]),
);
