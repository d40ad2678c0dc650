/** Attributes that a peer sends again are known by what was made of them: with that memory a RIB is what it is without. */
import { expect, test } from 'vitest';
import { AttributeCache } from '../../../routing/bgp/codec/attribute-cache.ts';
import { decodeMessage, encodeMessage } from '../../../routing/bgp/codec/message.ts';
import type { Update } from '../../../routing/bgp/codec/update.ts';
import { formatPrefix, parsePrefix } from '../../../wire/prefix.ts';
import { random } from '../../support/random.ts';
import { attributesOf, CODING, Listener, newRib, path, peer, takeAll } from '../../support/rib.ts';

const P = ['10.0.0.0/8', '10.1.0.0/16', '10.1.1.0/24', '10.2.0.0/16', '10.3.0.0/16'];

const nlriOf = (prefixes: readonly string[]) => prefixes.map((prefix) => ({ prefix: parsePrefix(prefix) }));

/** A RIB between two peers, of which the first is heard through its messages. */
class Heard {
  readonly rib = newRib().rib;
  readonly listener = new Listener();
  /** Messages whose attributes were known. */
  known = 0;
  readonly #cache: AttributeCache | undefined;

  constructor(cache?: AttributeCache) {
    this.#cache = cache;
    this.rib.peerUp(peer(1, { options: { maxPrefixes: { 4: { limit: 4 } } } }), 0);
    this.rib.peerUp(peer(2), 0);
  }

  hear(update: Update): unknown {
    const read = decodeMessage(encodeMessage({ kind: 'update', update }, CODING), CODING, this.#cache);
    if (!read.ok || read.value.kind !== 'update') throw new Error('no UPDATE');
    if (read.value.known !== undefined) this.known++;
    const verdict = this.rib.receive('p1', read.value);
    this.listener.hear(takeAll(this.rib, 'p2'));
    expect(this.rib.audit()).toEqual([]);
    return verdict;
  }

  get routes(): unknown {
    const received = [...this.rib.adjIn('p1', 'before')].map(({ prefix, attributes }) => [
      formatPrefix(prefix),
      attributes,
    ]);
    return [received.sort(), [...this.listener.routes].sort()];
  }
}

test('the one route with some attributes goes in the message in which they come again', () => {
  const heard = new Heard(new AttributeCache());
  const attributes = attributesOf(1);
  heard.hear({ withdrawn: [], attributes, nlri: nlriOf([P[0]]) });
  heard.hear({ withdrawn: nlriOf([P[0]]), attributes, nlri: nlriOf([P[1]]) });
  expect(heard.known).toBe(1);
  expect([...heard.listener.routes.keys()]).toEqual([P[1]]);
});

test('whatever comes, goes, comes again and is more than may be', () => {
  const next = random(11);
  const [with_, without] = [new Heard(new AttributeCache()), new Heard()];
  for (let step = 0; step < 3000; step++) {
    const some = (most: number) => P.filter(() => next(P.length) < most);
    // Loops, which are refused, among them.
    const attributes = attributesOf(1, { asPath: path(64601, next(4) === 0 ? 64512 : 65000), med: next(4) });
    const [withdrawn, nlri] = [nlriOf(some(2)), nlriOf(some(2))];
    const update = { withdrawn, attributes: nlri.length > 0 ? attributes : {}, nlri };
    expect(with_.hear(update)).toEqual(without.hear(update));
    expect(with_.routes).toEqual(without.routes);
  }
  expect(with_.known).toBeGreaterThan(500);
});
