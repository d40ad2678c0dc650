// MAC addresses as 48-bit numbers, and the one that a node derives from each of its underlay addresses.

import { type Address, AddressError, addressToBytes } from './address.ts';

declare const mac: unique symbol;
/** 48 bits in a safe integer. */
export type Mac = number & { readonly [mac]: true };

/** Reads six pairs of hexadecimal digits with colons. @throws AddressError */
export const parseMac = (text: string): Mac => {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) {
    throw new AddressError(
      `'${text}' is not a MAC address: write six pairs of digits, such as 02:00:00:00:00:02`,
    );
  }
  return Number.parseInt(text.replaceAll(':', ''), 16) as Mac;
};

/** Of six bytes. */
export const macFromBytes = (bytes: Uint8Array): Mac =>
  bytes.reduce((value, byte) => value * 256 + byte, 0) as Mac;

export const formatMac = (value: Mac): string =>
  (value.toString(16).padStart(12, '0').match(/../g) as string[]).join(':');

/** The first four bytes as a signed word, and the last two: integers that the data path compares without making numbers. */
export const macHigh = (value: Mac): number => Math.floor(value / 65536) | 0;
export const macLow = (value: Mac): number => value % 65536;

/** Locally administered, unicast; the second byte tells the two derivations apart. */
const FROM_IPV4 = 0x0257;
const FROM_IPV6 = 0x0256;
const TWO_32 = 4294967296;

/**
 * The MAC that the node with underlay address `address` answers to, so that two Weft nodes agree on it without
 * configuration: 02:57 and the four bytes of an IPv4 address, 02:56 and a 32-bit FNV-1a hash of an IPv6 address.
 */
export const vtepMac = (address: Address): Mac =>
  (address.family === 4
    ? FROM_IPV4 * TWO_32 + address.words[0]
    : FROM_IPV6 * TWO_32 + fnv1a(addressToBytes(address))) as Mac;

const fnv1a = (bytes: Uint8Array): number =>
  bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5 | 0) >>> 0;
