/**
 * Counts which prefixes of the feed somebody has been told of, out of a stream of BGP messages. Looks at nothing but what
 * it counts, so that who receives is never what is measured: 5 ns a prefix.
 */

import { AttributeType, Flag } from '../../routing/bgp/codec/attributes.ts';
import { MessageType } from '../../routing/bgp/codec/message.ts';
import { MOST_ROUTES, placeOf } from './feed.ts';

const HEADER = 19;

export class Tally {
  /** Prefixes that are announced now. */
  announced = 0;
  /** UPDATEs seen. */
  messages = 0;
  readonly #there = new Uint8Array(MOST_ROUTES);

  /** @param message a whole one */
  update(message: Uint8Array): void {
    this.messages++;
    const withdrawn = HEADER + 2;
    const attributes = withdrawn + u16(message, HEADER) + 2;
    const nlri = attributes + u16(message, attributes - 2);
    this.#prefixes(message, withdrawn, attributes - 2, 0);
    this.#attributes(message, attributes, nlri);
    this.#prefixes(message, nlri, message.length, 1);
  }

  /** Some speakers tell IPv4 in the attributes of RFC 4760. */
  #attributes(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; ) {
      const isLong = (bytes[at] & Flag.extendedLength) !== 0;
      const type = bytes[at + 1];
      const value = at + (isLong ? 4 : 3);
      const end = value + (isLong ? u16(bytes, at + 2) : bytes[at + 2]);
      const isFour = u16(bytes, value) === 1;
      if (type === AttributeType.mpReach && isFour) {
        this.#prefixes(bytes, value + 5 + bytes[value + 3], end, 1);
      } else if (type === AttributeType.mpUnreach && isFour) this.#prefixes(bytes, value + 3, end, 0);
      at = end;
    }
  }

  #prefixes(bytes: Uint8Array, from: number, to: number, now: 0 | 1): void {
    const there = this.#there;
    for (let at = from; at < to; ) {
      const length = bytes[at];
      if (length === 24) {
        const place = placeOf(((bytes[at + 1] << 24) | (bytes[at + 2] << 16) | (bytes[at + 3] << 8)) >>> 0);
        if (place >= 0 && place < MOST_ROUTES && there[place] !== now) {
          there[place] = now;
          this.announced += now === 1 ? 1 : -1;
        }
      }
      at += 1 + ((length + 7) >>> 3);
    }
  }
}

export const isUpdate = (message: Uint8Array): boolean => message[HEADER - 1] === MessageType.update;
const u16 = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1];
