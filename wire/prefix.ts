// Prefixes as values: an address whose bits behind `length` are zero.

import { type Address, AddressError, addressEquals, formatAddress, parseAddress } from './address.ts';

export interface Prefix {
  readonly address: Address;
  /** 0 to 32, or to 128. */
  readonly length: number;
}

/** Bits of an address of a family. */
export const familyBits = (family: 4 | 6): number => (family === 4 ? 32 : 128);

/** The address with all bits behind `length` cleared. */
export const maskAddress = ({ family, words }: Address, length: number): Address => ({
  family,
  words: words.map((word, i) => {
    const bits = Math.min(32, Math.max(0, length - 32 * i));
    return bits === 0 ? 0 : (word & (-1 << (32 - bits))) >>> 0;
  }),
});

/** Reads 'address/length'. @throws AddressError, also for host bits that are set, naming the prefix that would be right */
export const parsePrefix = (text: string): Prefix => {
  const [addressText, lengthText, ...more] = text.split('/');
  if (lengthText === undefined || more.length > 0) {
    throw new AddressError(`'${text}' is not a prefix: write address/length, such as 10.244.1.0/24`);
  }
  const address = parseAddress(addressText);
  const bits = familyBits(address.family);
  const length = /^(0|[1-9][0-9]{0,2})$/.test(lengthText) ? Number(lengthText) : Number.NaN;
  if (!(length <= bits)) throw new AddressError(`'${text}': the prefix length is a number from 0 to ${bits}`);
  const masked = maskAddress(address, length);
  if (!addressEquals(masked, address)) {
    const right = formatPrefix({ address: masked, length });
    throw new AddressError(`'${text}': host bits set; the prefix is ${right}`);
  }
  return { address, length };
};

export const formatPrefix = ({ address, length }: Prefix): string => `${formatAddress(address)}/${length}`;

/** The prefix that holds one address only. */
export const hostPrefix = (address: Address): Prefix => ({ address, length: familyBits(address.family) });

export const prefixEquals = (a: Prefix, b: Prefix): boolean =>
  a.length === b.length && addressEquals(a.address, b.address);

export const prefixContains = (prefix: Prefix, address: Address): boolean =>
  prefix.address.family === address.family &&
  addressEquals(maskAddress(address, prefix.length), prefix.address);

/** The last address of a prefix: all bits behind `length` set. */
export const lastAddress = ({ address, length }: Prefix): Address => ({
  family: address.family,
  words: address.words.map((word, i) => {
    const bits = Math.min(32, Math.max(0, length - 32 * i));
    return bits === 32 ? word : (word | (0xffffffff >>> bits)) >>> 0;
  }),
});

export const prefixesOverlap = (a: Prefix, b: Prefix): boolean =>
  a.length <= b.length ? prefixContains(a, b.address) : prefixContains(b, a.address);
