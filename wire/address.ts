// IP addresses as values: parsed once at the edges, compared and looked up as 32-bit words.

/** An IPv4 address (one word) or an IPv6 address (four), unsigned 32 bits each, network order. */
export interface Address {
  readonly family: 4 | 6;
  readonly words: readonly number[];
}

/** What is wrong with an address, prefix or MAC, and what would be right. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

export const ipv4 = (word: number): Address => ({ family: 4, words: [word >>> 0] });
export const ipv6 = (w0: number, w1: number, w2: number, w3: number): Address => ({
  family: 6,
  words: [w0 >>> 0, w1 >>> 0, w2 >>> 0, w3 >>> 0],
});

/**
 * Reads dotted decimal (no leading zeros, which some read as octal) or RFC 4291 section 2.2 text, without zone.
 * @throws AddressError
 */
export const parseAddress = (text: string): Address =>
  text.includes(':') ? { family: 6, words: parse6(text) } : { family: 4, words: [parse4(text, text)] };

const parse4 = (text: string, whole: string): number => {
  const parts = text.split('.');
  const fail = (why: string): never => {
    throw new AddressError(`'${whole}' is not an IP address: ${why}`);
  };
  if (parts.length !== 4) return fail('write four numbers with dots (10.244.1.5), or IPv6 (fd00::5)');
  let word = 0;
  for (const part of parts) {
    if (!/^[0-9]{1,3}$/.test(part) || Number(part) > 255)
      return fail(`'${part}' is not a number from 0 to 255`);
    if (part.length > 1 && part.startsWith('0')) return fail(`'${part}' has a leading zero`);
    word = word * 256 + Number(part);
  }
  return word;
};

const parse6 = (text: string): number[] => {
  const fail = (why: string): never => {
    throw new AddressError(`'${text}' is not an IPv6 address: ${why}`);
  };
  if (text.includes('%')) return fail('a zone (%eth0) has no meaning here');
  const halves = text.split('::');
  if (halves.length > 2) return fail("'::' may stand once");
  const groups = (half: string, last: boolean): number[] => {
    if (half === '') return [];
    const parts = half.split(':');
    return parts.flatMap((part, i) => {
      if (last && i === parts.length - 1 && part.includes('.')) {
        const word = parse4(part, text);
        return [word >>> 16, word & 0xffff];
      }
      if (!/^[0-9a-fA-F]{1,4}$/.test(part))
        return fail(`'${part}' is not a group of 1 to 4 hexadecimal digits`);
      return [Number.parseInt(part, 16)];
    });
  };
  const head = groups(halves[0], halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1], true) : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return fail('it has to have eight groups');
  const all = [...head, ...new Array<number>(Math.max(0, missing)).fill(0), ...tail];
  return [0, 2, 4, 6].map((i) => ((all[i] << 16) | all[i + 1]) >>> 0);
};

/** Dotted decimal, or RFC 5952. */
export const formatAddress = ({ family, words }: Address): string =>
  family === 4 ? format4(words[0]) : format6(words);

const format4 = (word: number): string => [24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.');

const format6 = (words: readonly number[]): string => {
  // RFC 5952 section 5: the mapped prefix shows its IPv4 address.
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return `::ffff:${format4(words[3])}`;
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  const [start, length] = longestZeroRun(groups);
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return length < 2 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`;
};

/** The first of the longest runs of zero groups (RFC 5952 section 4.2.3). */
const longestZeroRun = (groups: readonly number[]): [start: number, length: number] => {
  let best: [number, number] = [0, 0];
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best[1]) best = [start, length];
  }
  return best;
};

export const addressEquals = (a: Address, b: Address): boolean =>
  a.family === b.family && a.words.every((word, i) => word === b.words[i]);

/** 4 or 16 bytes in network order. */
export const addressToBytes = ({ words }: Address): Uint8Array => {
  // No DataView: its making costs more than all that is written through it.
  const bytes = new Uint8Array(words.length * 4);
  for (let w = 0; w < words.length; w++) {
    bytes[4 * w] = words[w] >>> 24;
    bytes[4 * w + 1] = words[w] >>> 16;
    bytes[4 * w + 2] = words[w] >>> 8;
    bytes[4 * w + 3] = words[w];
  }
  return bytes;
};

/** @param bytes 4 or 16 @throws AddressError for any other number */
export const addressFromBytes = (bytes: Uint8Array): Address => {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new AddressError(`an address has 4 or 16 bytes, not ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const words = Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4));
  return { family: bytes.length === 4 ? 4 : 6, words };
};

/** Both families in one key space: IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
export const mappedWords = ({ family, words }: Address): readonly [number, number, number, number] =>
  family === 4 ? [0, 0, 0xffff, words[0]] : [words[0], words[1], words[2], words[3]];
