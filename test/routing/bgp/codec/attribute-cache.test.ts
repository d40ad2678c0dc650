// Attributes by their bytes: what is found is what those bytes were read as, whatever was written over meanwhile.
import { expect, it } from 'vitest';
import { AttributeCache } from '../../../../routing/bgp/codec/attribute-cache.ts';
import type { Attributes } from '../../../../routing/bgp/codec/attributes.ts';
import { decodeMessage, encodeMessage } from '../../../../routing/bgp/codec/message.ts';
import { parseAddress } from '../../../../wire/address.ts';
import { parsePrefix } from '../../../../wire/prefix.ts';
import { random } from '../../../support/random.ts';
import { CODING, path } from '../../../support/rib.ts';

it('finds what was added, and never anything else', () => {
  const next = random(7);
  const cache = new AttributeCache();
  const made = new Map<number, { bytes: Uint8Array; attributes: Attributes }>();
  const entryOf = (n: number) => {
    let entry = made.get(n);
    if (entry === undefined) {
      // Of many lengths, some of them equal but for the last byte.
      const bytes = new Uint8Array(4 + (n % 200)).fill(n >> 8);
      new DataView(bytes.buffer).setUint32(bytes.length - 4, n);
      entry = { bytes, attributes: { med: n } };
      made.set(n, entry);
    }
    return entry;
  };
  let found = 0;
  for (let step = 0; step < 400_000; step++) {
    // Mostly of the same few, and now and then a wave of new ones.
    const n = next(10) < 7 ? next(500) : next(300_000);
    const { bytes, attributes } = entryOf(n);
    const known = cache.find(bytes, 0, bytes.length);
    if (known === undefined) cache.add(bytes, 0, bytes.length, attributes);
    else {
      expect(known).toBe(attributes);
      found++;
    }
  }
  expect(found).toBeGreaterThan(200_000);
});

it('is of what was read without an error, and only for messages of the same kind', () => {
  const cache = new AttributeCache();
  const attributes = { origin: 0, asPath: path(64601), nextHop: parseAddress('10.0.1.1') } as const;
  const update = (prefix: string, other: Attributes = {}) => ({
    withdrawn: [],
    attributes: { ...attributes, ...other },
    nlri: [{ prefix: parsePrefix(prefix) }],
  });
  const read = (bytes: Uint8Array) => {
    const result = decodeMessage(bytes, CODING, cache);
    if (!result.ok || result.value.kind !== 'update') throw new Error('no UPDATE');
    return result.value;
  };
  const bytesOf = (...args: Parameters<typeof update>) =>
    encodeMessage({ kind: 'update', update: update(...args) }, CODING);
  const first = read(bytesOf('10.0.0.0/8'));
  const second = read(bytesOf('10.1.0.0/16'));
  expect(second.update).toEqual(update('10.1.0.0/16'));
  expect(second.update.attributes).toBe(first.update.attributes);

  // An ORIGIN of 9 withdraws what is announced, each time.
  const wrong = bytesOf('10.2.0.0/16');
  const at = wrong.findIndex((_, i) => wrong[i] === 0x40 && wrong[i + 1] === 1 && wrong[i + 2] === 1);
  wrong[at + 3] = 9;
  for (let n = 0; n < 3; n++) expect(read(wrong)).toMatchObject({ treatAsWithdraw: true });

  // Without prefixes in the body the next hop there has no meaning, and the same bytes are read again.
  const noPrefixes = encodeMessage({ kind: 'update', update: { ...update('10.0.0.0/8'), nlri: [] } }, CODING);
  expect(read(noPrefixes).update.attributes).not.toBe(first.update.attributes);
});
