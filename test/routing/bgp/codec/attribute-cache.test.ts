// Attributes by their bytes: what is found is what those bytes were read as, whatever was written over meanwhile.
import { expect, it } from 'vitest';
import { AttributeCache, type AttributeStore } from '../../../../routing/bgp/codec/attribute-cache.ts';
import type { Attributes } from '../../../../routing/bgp/codec/attributes.ts';
import { decodeMessage, encodeMessage } from '../../../../routing/bgp/codec/message.ts';
import { parseAddress } from '../../../../wire/address.ts';
import { parsePrefix } from '../../../../wire/prefix.ts';
import { random } from '../../../support/random.ts';
import { CODING, path } from '../../../support/rib.ts';

/** What was learned, and some of it forgotten. */
class Store implements AttributeStore {
  /** By number. */
  readonly serials: number[] = [0];
  readonly attributes: Attributes[] = [{}];
  readonly bytes: (Uint8Array | undefined)[] = [undefined];

  /** @param kept as which bytes; undefined: as others than came @returns its number */
  add(attributes: Attributes, kept?: Uint8Array): number {
    this.attributes.push(attributes);
    this.bytes.push(kept);
    return this.serials.push(this.serials.length) - 1;
  }

  /** Its number is that of something else now. */
  replace(id: number, attributes: Attributes): void {
    this.serials[id] += 1_000_000;
    this.attributes[id] = attributes;
  }

  serialOf(id: number): number {
    return this.serials[id];
  }

  attributesOf(id: number): Attributes {
    return this.attributes[id];
  }

  isKeptAs(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    const kept = this.bytes[id];
    return kept !== undefined && Buffer.compare(kept, bytes.subarray(from, to)) === 0;
  }
}

it.each([
  ['as they came', () => true],
  ['as others', () => false],
  ['some as they came', (n: number) => n % 3 === 0],
])('finds what was added, and never anything else: bytes are kept %s', (_, isKept) => {
  const next = random(7);
  const [cache, store] = [new AttributeCache(), new Store()];
  const bytesOf = new Map<number, Uint8Array>();
  const made = (n: number): Uint8Array => {
    let bytes = bytesOf.get(n);
    if (bytes === undefined) {
      // Of many lengths, some of them equal but for the last byte.
      bytes = new Uint8Array(4 + (n % 200)).fill(n >> 8);
      new DataView(bytes.buffer).setUint32(bytes.length - 4, n);
      bytesOf.set(n, bytes);
    }
    return bytes;
  };
  let found = 0;
  for (let step = 0; step < 200_000; step++) {
    // Mostly of the same few, and now and then a wave of new ones.
    const n = next(10) < 7 ? next(500) : next(300_000);
    const bytes = made(n);
    const hit = cache.find(bytes, 0, bytes.length);
    if (hit === undefined) cache.learn(store, store.add({ med: n }, isKept(n) ? bytes : undefined));
    else {
      if (hit.attributes.med !== n) throw new Error(`${n} was found as ${JSON.stringify(hit.attributes)}`);
      found++;
      if (next(1000) === 0) store.replace(hit.id, { med: -1 });
    }
  }
  expect(found).toBeGreaterThan(100_000);
});

it('is of what was read without an error, and only for messages of the same kind', () => {
  const [cache, store] = [new AttributeCache(), new Store()];
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
  const id = store.add(attributes);
  cache.learn(store, id);
  const second = read(bytesOf('10.1.0.0/16'));
  expect(second.update).toEqual({ ...update('10.1.0.0/16'), attributes: {} });
  expect([second.known?.id, second.known?.attributes]).toEqual([id, attributes]);

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
  store.replace(id, {});
  expect(read(bytesOf('10.1.0.0/16'))).toMatchObject({ cache, update: update('10.1.0.0/16') });
});
