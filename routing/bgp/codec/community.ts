/** Communities as values: plain (RFC 1997), extended (RFC 4360), large (RFC 8092). */
import type { Reader, Writer } from './bytes.ts';

/** 32 bits, high half the AS. */
export type Community = number;

/** Those that every speaker honours (RFC 1997, 8326, 9494, 7999). */
export const WellKnown = {
  gracefulShutdown: 0xffff0000,
  llgrStale: 0xffff0006,
  noLlgr: 0xffff0007,
  blackhole: 0xffff029a,
  noExport: 0xffffff01,
  noAdvertise: 0xffffff02,
  noExportSubconfed: 0xffffff03,
} as const;

export interface ExtendedCommunity {
  /** High byte of the type; bit 0x40 set: not transitive across ASes. */
  readonly type: number;
  readonly subtype: number;
  /** 48 bits in a safe integer; what they say depends on the type. */
  readonly value: number;
}

/** Three times 32 bits. */
export interface LargeCommunity {
  readonly global: number;
  readonly local1: number;
  readonly local2: number;
}

const NON_TRANSITIVE = 0x40;

export const isTransitive = ({ type }: ExtendedCommunity): boolean => (type & NON_TRANSITIVE) === 0;

export const formatCommunity = (community: Community): string => `${community >>> 16}:${community & 0xffff}`;

export const formatLarge = ({ global, local1, local2 }: LargeCommunity): string =>
  `${global}:${local1}:${local2}`;

export const COMMUNITY_BYTES = 4;
export const EXTENDED_BYTES = 8;
export const LARGE_BYTES = 12;

export const readCommunity = (reader: Reader): Community => reader.u32();
export const writeCommunity = (writer: Writer, community: Community): void => void writer.u32(community);

export const readExtended = (reader: Reader): ExtendedCommunity => ({
  type: reader.u8(),
  subtype: reader.u8(),
  value: reader.u48(),
});
export const writeExtended = (writer: Writer, { type, subtype, value }: ExtendedCommunity): void =>
  void writer.u8(type).u8(subtype).u48(value);

export const readLarge = (reader: Reader): LargeCommunity => ({
  global: reader.u32(),
  local1: reader.u32(),
  local2: reader.u32(),
});
export const writeLarge = (writer: Writer, { global, local1, local2 }: LargeCommunity): void =>
  void writer.u32(global).u32(local1).u32(local2);

/** RFC 8092 section 5: a value that stands twice counts once. */
export const uniqueLarge = (all: readonly LargeCommunity[]): LargeCommunity[] => [
  ...new Map(all.map((community) => [formatLarge(community), community])).values(),
];
