/**
 * The values of MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 sections 3 and 4) for unicast of either family; IPv4
 * routes may have an IPv6 next hop (RFC 8950 section 3), IPv6 ones a link-local next hop beside the global one
 * (RFC 2545 section 3). Their prefixes cannot be found when anything before them is wrong: such errors end the session
 * (RFC 7606 sections 5.3 and 7.11).
 */
import { type Address, addressFromBytes } from '../../../wire/address.ts';
import type { Coding } from './attributes.ts';
import type { Reader, Writer } from './bytes.ts';
import { Malformed } from './errors.ts';
import {
  afiOf,
  type Family,
  familyOf,
  type Nlri,
  readNlri,
  Safi,
  writeAddress,
  writeNlri,
} from './family.ts';

export interface Reach {
  readonly family: Family;
  readonly nextHop: Address;
  /** Beside a global next hop, for a receiver on the same link. */
  readonly linkLocal?: Address;
  readonly nlri: readonly Nlri[];
}

export interface Unreach {
  readonly family: Family;
  /** Empty: End-of-RIB (RFC 4724 section 2). */
  readonly nlri: readonly Nlri[];
}

/** For a family that is not spoken here: skipped. */
export class OtherFamily {
  readonly afi: number;
  readonly safi: number;
  constructor(afi: number, safi: number) {
    this.afi = afi;
    this.safi = safi;
  }
}

export const readReach = (reader: Reader, coding: Coding): Reach | OtherFamily | Malformed => {
  const all = reader.left;
  const [afi, safi] = [reader.u16(), reader.u8()];
  const length = reader.u8();
  const nextHops = reader.take(length);
  reader.u8(); // Reserved, once the number of SNPAs.
  if (reader.overrun) return new Malformed(`${all} bytes do not hold a next hop of ${length}`);
  const family = familyOf(afi, safi);
  if (family === undefined) return new OtherFamily(afi, safi);
  if (length !== 16 && length !== 32 && (length !== 4 || family === 6)) {
    return new Malformed(`a next hop of ${length} bytes for IPv${family}`);
  }
  const nlri = readNlri(reader, family, coding.addPath[family]);
  if (nlri instanceof Malformed) return nlri;
  const nextHop = addressFromBytes(nextHops.subarray(0, Math.min(length, 16)));
  if (length !== 32) return { family, nextHop, nlri };
  return { family, nextHop, linkLocal: addressFromBytes(nextHops.subarray(16)), nlri };
};

export const writeReachHead = (writer: Writer, { family, nextHop, linkLocal }: Omit<Reach, 'nlri'>): void => {
  writer
    .u16(afiOf(family))
    .u8(Safi.unicast)
    .counted8(() => {
      writeAddress(writer, nextHop);
      if (linkLocal !== undefined) writeAddress(writer, linkLocal);
    });
  writer.u8(0);
};

export const writeReach = (writer: Writer, reach: Reach, coding: Coding): void => {
  writeReachHead(writer, reach);
  writeNlri(writer, reach.nlri, coding.addPath[reach.family]);
};

export const readUnreach = (reader: Reader, coding: Coding): Unreach | OtherFamily | Malformed => {
  const all = reader.left;
  const [afi, safi] = [reader.u16(), reader.u8()];
  if (reader.overrun) return new Malformed(`${all} bytes, at least 3 name the family`);
  const family = familyOf(afi, safi);
  if (family === undefined) return new OtherFamily(afi, safi);
  const nlri = readNlri(reader, family, coding.addPath[family]);
  return nlri instanceof Malformed ? nlri : { family, nlri };
};

export const writeUnreach = (writer: Writer, { family, nlri }: Unreach, coding: Coding): void => {
  writer.u16(afiOf(family)).u8(Safi.unicast);
  writeNlri(writer, nlri, coding.addPath[family]);
};
