/** Address families (RFC 4760) and prefixes on the wire (RFC 4271 section 4.3, with path identifiers RFC 7911). */
import type { Address } from '../../../wire/address.ts';
import { familyBits, type Prefix } from '../../../wire/prefix.ts';
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
export const readNlri = (reader: Reader, family: Family, addPath: boolean): readonly Nlri[] | Malformed => {
  if (reader.left === 0) return NONE;
  const first = readOne(reader, family, addPath);
  if (first instanceof Malformed) return first;
  // An array that begins empty has room for 17 once there is something in it, and most have one.
  const all = [first];
  while (reader.left > 0) {
    const one = readOne(reader, family, addPath);
    if (one instanceof Malformed) return one;
    all.push(one);
  }
  return all;
};

const NONE: readonly Nlri[] = [];

const readOne = (reader: Reader, family: Family, addPath: boolean): Nlri | Malformed => {
  const pathId = addPath ? reader.u32() : undefined;
  const length = reader.u8();
  if (length > familyBits(family)) {
    return new Malformed(`a prefix of IPv${family} with a length of ${length}`);
  }
  const words = family === 4 ? [readWord(reader, length)] : readWords(reader, length);
  if (reader.overrun) return new Malformed('the last prefix is cut off');
  const prefix = { address: { family, words }, length };
  return pathId === undefined ? { prefix } : { prefix, pathId };
};

const readWords = (reader: Reader, length: number): number[] => {
  const words = [0, 0, 0, 0];
  for (let i = 0; 32 * i < length; i++) words[i] = readWord(reader, Math.min(32, length - 32 * i));
  return words;
};

/** The first `bits` of 32, in as many bytes as they need. */
const readWord = (reader: Reader, bits: number): number => {
  let word = 0;
  for (let shift = 24; shift > 24 - bits; shift -= 8) word |= reader.u8() << shift;
  return bits === 0 ? 0 : (word & (-1 << (32 - bits))) >>> 0;
};

/** Bytes that `writeNlri` will write. */
export const nlriSize = ({ prefix }: Nlri, addPath: boolean): number =>
  (addPath ? 5 : 1) + ((prefix.length + 7) >> 3);

export const writeNlri = (writer: Writer, all: readonly Nlri[], addPath: boolean): void => {
  for (const { prefix, pathId } of all) {
    const { address, length } = prefix;
    if (addPath) writer.u32(pathId ?? 0);
    writer.u8(length);
    for (let bit = 0; bit < length; bit += 8) {
      writer.u8(address.words[bit >>> 5] >>> (24 - (bit & 31)));
    }
  }
};

/** Reads 4 bytes; zeros behind the end. */
export const readIpv4 = (reader: Reader): Address => ({ family: 4, words: [reader.u32()] });

/** 4 or 16 bytes. */
export const writeAddress = (writer: Writer, { words }: Address): void => {
  for (const word of words) writer.u32(word);
};
