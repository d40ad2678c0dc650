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
  const made = new Map<number, { bytes: Uint8Array; known: { id: number; attributes: Attributes } }>();
  const entryOf = (n: number) => {
    let entry = made.get(n);
    if (entry === undefined) {
      // Of many lengths, some of them equal but for the last byte.
      const bytes = new Uint8Array(4 + (n % 200)).fill(n >> 8);
      new DataView(bytes.buffer).setUint32(bytes.length - 4, n);
      entry = { bytes, known: { id: n + 1, attributes: { med: n } } };
      made.set(n, entry);
    }
    return entry;
  };
  let found = 0;
  for (let step = 0; step < 400_000; step++) {
    // Mostly of the same few, and now and then a wave of new ones.
    const n = next(10) < 7 ? next(500) : next(300_000);
    const { bytes, known } = entryOf(n);
    const hit = cache.find(bytes, 0, bytes.length);
    if (hit === undefined) {
      // What is not kept any more, and is learned again, is another one.
      if (known.id === 0) known.id = 1_000_000 + n;
      cache.learn(known);
    } else {
      if (hit !== known || hit.id === 0) throw new Error(`${n} was found as ${JSON.stringify(hit)}`);
      found++;
      if (next(1000) === 0) known.id = 0;
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
  expect([first.known, first.cache, first.update]).toEqual([undefined, cache, update('10.0.0.0/8')]);
  const known = { id: 1, attributes };
  cache.learn(known);
  const second = read(bytesOf('10.1.0.0/16'));
  expect(second.update).toEqual({ ...update('10.1.0.0/16'), attributes: {} });
  expect(second.known).toBe(known);

  // An ORIGIN of 9 withdraws what is announced, each time.
  const wrong = bytesOf('10.2.0.0/16');
  const at = wrong.findIndex((_, i) => wrong[i] === 0x40 && wrong[i + 1] === 1 && wrong[i + 2] === 1);
  wrong[at + 3] = 9;
  for (let n = 0; n < 3; n++) {
    const received = read(wrong);
    expect(received).toMatchObject({ treatAsWithdraw: true });
    expect([received.known, received.cache]).toEqual([undefined, undefined]);
  }

  // Without prefixes in the body the next hop there has no meaning, and the same bytes are read again.
  const noPrefixes = encodeMessage({ kind: 'update', update: { ...update('10.0.0.0/8'), nlri: [] } }, CODING);
  const without = read(noPrefixes);
  expect([without.known, without.cache, without.update.attributes]).toEqual([
    undefined,
    undefined,
    attributes,
  ]);

  // Forgotten by who kept them: they are read again.
  known.id = 0;
  expect(read(bytesOf('10.1.0.0/16'))).toMatchObject({ cache, update: update('10.1.0.0/16') });
});
