/** Address families (RFC 4760) and prefixes on the wire (RFC 4271 section 4.3, with path identifiers RFC 7911). */
import { type Address, addressFromBytes, addressToBytes } from '../../../wire/address.ts';
import { familyBits, maskAddress, type Prefix } from '../../../wire/prefix.ts';
import type { Reader, Writer } from './bytes.ts';
import { Malformed } from './errors.ts';

export const Afi = { ipv4: 1, ipv6: 2 } as const;
export const Safi = { unicast: 1 } as const;

/** The families spoken here: unicast of either. */
export type Family = 4 | 6;

/** As capabilities carry it: any pair, also those not spoken here. */
export interface AfiSafi {
  readonly afi: number;
  readonly safi: number;
}

export const afiOf = (family: Family): number => (family === 4 ? Afi.ipv4 : Afi.ipv6);

/** Undefined: not spoken here. */
export const familyOf = (afi: number, safi: number): Family | undefined => {
  if (safi !== Safi.unicast) return undefined;
  if (afi === Afi.ipv4) return 4;
  return afi === Afi.ipv6 ? 6 : undefined;
};

/** A prefix as it is announced or withdrawn; `pathId` just where ADD-PATH was agreed for its family. */
export interface Nlri {
  readonly prefix: Prefix;
  readonly pathId?: number;
}

/** Reads prefixes up to the end. Bits behind a prefix's length are of no relevance (RFC 4271 section 4.3): cleared. */
export const readNlri = (reader: Reader, family: Family, addPath: boolean): Nlri[] | Malformed => {
  const all: Nlri[] = [];
  const size = family === 4 ? 4 : 16;
  while (reader.left > 0) {
    const pathId = addPath ? reader.u32() : undefined;
    const length = reader.u8();
    if (length > familyBits(family))
      return new Malformed(`a prefix of IPv${family} with a length of ${length}`);
    const some = reader.take((length + 7) >> 3);
    if (reader.overrun) return new Malformed('the last prefix is cut off');
    const whole = new Uint8Array(size);
    whole.set(some);
    const prefix = { address: maskAddress(addressFromBytes(whole), length), length };
    all.push(pathId === undefined ? { prefix } : { prefix, pathId });
  }
  return all;
};

/** Bytes that `writeNlri` will write. */
export const nlriSize = ({ prefix }: Nlri, addPath: boolean): number =>
  (addPath ? 5 : 1) + ((prefix.length + 7) >> 3);

export const writeNlri = (writer: Writer, all: readonly Nlri[], addPath: boolean): void => {
  for (const { prefix, pathId } of all) {
    if (addPath) writer.u32(pathId ?? 0);
    writer.u8(prefix.length).bytes(addressToBytes(prefix.address).subarray(0, (prefix.length + 7) >> 3));
  }
};

/** Reads 4 bytes; zeros behind the end. */
export const readIpv4 = (reader: Reader): Address => ({ family: 4, words: [reader.u32()] });
