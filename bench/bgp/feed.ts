/** What speakers are fed: so many IPv4 routes, made from their numbers, so that who receives them can tell them apart. */
import { SegmentType } from '../../routing/bgp/codec/as-path.ts';
import type { Attributes, Coding } from '../../routing/bgp/codec/attributes.ts';
import { Writer } from '../../routing/bgp/codec/bytes.ts';
import type { Nlri } from '../../routing/bgp/codec/family.ts';
import { appendMessage } from '../../routing/bgp/codec/message.ts';
import { endOfRib, type Update } from '../../routing/bgp/codec/update.ts';

export interface Feed {
  readonly routes: number;
  /** Prefixes a message; all of a message have the same attributes. */
  readonly perMessage: number;
  /** Messages that come one after the other have different ones. */
  readonly attributeSets: number;
}

/** As many prefixes as there may be: /24s of 16.0.0.0/4. */
export const MOST_ROUTES = 1 << 20;
const FIRST = 0x1000;
const LENGTH = 24;
/** Odd: every number has its own prefix, and neighbours are apart, as in a table that has grown over the years. */
const SPREAD = 0x9e3779b1;
/** What each prefix is counted by: where it is among the /24s. */
export const placeOf = (address: number): number => (address >>> 8) - (FIRST << 8);

/** Between external peers of four octets, without any extension: what all speakers have. */
export const CODING: Coding = {
  asBytes: 4,
  maxLength: 4096,
  addPath: { 4: false, 6: false },
  internal: false,
};

const nlriOf = (number: number): Nlri => {
  const place = (Math.imul(number, SPREAD) >>> 0) & (MOST_ROUTES - 1);
  return {
    prefix: { address: { family: 4, words: [(FIRST * 0x10000 + place * 256) >>> 0] }, length: LENGTH },
  };
};

/** AS paths of three to five, two communities: about what a table of the Internet has. */
const attributesOf = (set: number, asn: number, nextHop: number): Attributes => ({
  origin: 0,
  asPath: [
    {
      type: SegmentType.sequence,
      asns: [asn, 3000 + (set % 50), 10_000 + (set % 5000), 100_000 + set].concat(
        set % 2 === 0 ? [] : [200_000],
      ),
    },
  ],
  nextHop: { family: 4, words: [nextHop] },
  communities: [(3000 << 16) | (set % 100), (3000 << 16) | (1000 + (set % 7))],
});

/**
 * All messages in one piece, the End-of-RIB behind them.
 * @param asn of who announces @param nextHop its address, as a number
 */
export const announcements = (feed: Feed, asn: number, nextHop: number): Uint8Array => {
  const { attributeSets } = feed;
  return messages(feed, (nlri, message) => ({
    withdrawn: [],
    attributes: attributesOf(message % attributeSets, asn, nextHop),
    nlri,
  }));
};

/** The same prefixes go, as many a message. */
export const withdrawals = (feed: Feed): Uint8Array =>
  messages(feed, (withdrawn) => ({ withdrawn, attributes: {}, nlri: [] }));

type UpdateOf = (nlri: readonly Nlri[], message: number) => Update;
const appendUpdate = (writer: Writer, update: Update): void =>
  appendMessage(writer, { kind: 'update', update }, CODING);

const messages = ({ routes, perMessage }: Feed, updateOf: UpdateOf): Uint8Array => {
  const writer = new Writer();
  for (let at = 0, message = 0; at < routes; at += perMessage, message++) {
    const count = Math.min(perMessage, routes - at);
    const nlri = Array.from({ length: count }, (_, i) => nlriOf(at + i));
    appendUpdate(writer, updateOf(nlri, message));
  }
  appendUpdate(writer, endOfRib(4));
  return writer.finish();
};
