/**
 * Routes into as few UPDATEs as hold them: those of one attribute set share messages (RFC 4271 section 4.3), up to the
 * length agreed (4096 bytes, or 65535 with RFC 8654). Attributes that leave no room for a single prefix make a route
 * unsendable to this peer, which RFC 8654 section 5 wants withdrawn from it.
 */
import type { Address } from '../../../wire/address.ts';
import type { Attributes, Coding } from './attributes.ts';
import { type Family, type Nlri, nlriSize } from './family.ts';
import { HEADER_BYTES } from './message.ts';
import type { Reach } from './reach.ts';
import { encodeAttributes, type Update } from './update.ts';

/** Prefixes that share everything but themselves. */
export interface RouteGroup {
  readonly family: Family;
  /** Without next hop. */
  readonly attributes: Omit<Attributes, 'nextHop'>;
  readonly nextHop: Address;
  readonly linkLocal?: Address;
  readonly nlri: readonly Nlri[];
}

export interface Packed {
  readonly updates: readonly Update[];
  readonly unsendable: readonly Nlri[];
}

/** Two lengths in the body. */
const BODY_BYTES = 4;
/** Flags, type, two bytes of length. */
const ATTRIBUTE_HEAD = 4;
/** AFI, SAFI, and in MP_REACH_NLRI the length of the next hop and a reserved byte. */
const UNREACH_HEAD = 3;
const REACH_HEAD = 5;

/** IPv4 routes with an IPv4 next hop go into the body, as every speaker reads them; all others into MP_REACH_NLRI. */
export const packRoutes = (group: RouteGroup, coding: Coding): Packed =>
  packShared(group, shareOf(group, coding), coding);

/** The same where what the messages share is there already. */
export const packShared = (
  { family, nlri }: Pick<RouteGroup, 'family' | 'nlri'>,
  { attributes, encoded, reach, room }: Share,
  coding: Coding,
): Packed => {
  const { parts, unsendable } = cut(nlri, room, coding.addPath[family]);
  const updates = parts.map((part): Update => {
    if (reach === undefined) return { withdrawn: [], attributes, encoded, nlri: part };
    return { withdrawn: [], attributes, encoded, reach: { ...reach, nlri: part }, nlri: [] };
  });
  return { updates, unsendable };
};

/** What all messages of a group have in common. */
export interface Share {
  readonly attributes: Attributes;
  readonly encoded: Uint8Array;
  /** Absent: they are IPv4 routes in the body, and the next hop is among the attributes. */
  readonly reach?: Omit<Reach, 'nlri'>;
  /** Bytes that are left for prefixes; negative when even this does not fit. */
  readonly room: number;
}

/** @param known the attributes as bytes, where somebody has them in this coding already */
export const shareOf = (group: Omit<RouteGroup, 'nlri'>, coding: Coding, known?: Uint8Array): Share => {
  const { family, nextHop, linkLocal } = group;
  if (family === 4 && nextHop.family === 4) {
    const attributes = { ...group.attributes, nextHop };
    return { ...shareInBody(known ?? encodeAttributes(attributes, coding), coding), attributes };
  }
  const { attributes } = group;
  const encoded = known ?? encodeAttributes(attributes, coding);
  const nextHopBytes = 4 * (nextHop.words.length + (linkLocal?.words.length ?? 0));
  const around = HEADER_BYTES + BODY_BYTES + ATTRIBUTE_HEAD + REACH_HEAD + nextHopBytes;
  const reach = { family, nextHop, ...(linkLocal !== undefined && { linkLocal }) };
  return { attributes, encoded, reach, room: coding.maxLength - around - encoded.length };
};

const NO_ATTRIBUTES: Attributes = {};

/** Of IPv4 routes whose attributes, with the next hop, are there as bytes. */
export const shareInBody = (encoded: Uint8Array, { maxLength }: Coding): Share => ({
  attributes: NO_ATTRIBUTES,
  encoded,
  room: maxLength - HEADER_BYTES - BODY_BYTES - encoded.length,
});

export const packWithdrawals = (family: Family, nlri: readonly Nlri[], coding: Coding): readonly Update[] => {
  const around = HEADER_BYTES + BODY_BYTES + (family === 4 ? 0 : ATTRIBUTE_HEAD + UNREACH_HEAD);
  return cut(nlri, coding.maxLength - around, coding.addPath[family]).parts.map((part) =>
    family === 4
      ? { withdrawn: part, attributes: {}, nlri: [] }
      : { withdrawn: [], unreach: { family, nlri: part }, attributes: {}, nlri: [] },
  );
};

const NONE: readonly Nlri[] = [];

const cut = (
  nlri: readonly Nlri[],
  room: number,
  addPath: boolean,
): { parts: readonly (readonly Nlri[])[]; unsendable: readonly Nlri[] } => {
  let all = 0;
  for (const one of nlri) all += nlriSize(one, addPath);
  // Mostly so, and then there is nothing to be cut.
  if (all <= room && nlri.length > 0) return { parts: [nlri], unsendable: NONE };
  const parts: Nlri[][] = [];
  const unsendable: Nlri[] = [];
  let left = 0;
  for (const one of nlri) {
    const bytes = nlriSize(one, addPath);
    if (bytes > room) {
      unsendable.push(one);
      continue;
    }
    if (bytes > left) {
      parts.push([]);
      left = room;
    }
    (parts.at(-1) as Nlri[]).push(one);
    left -= bytes;
  }
  return { parts, unsendable };
};
