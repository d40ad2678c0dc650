/** What is encoded decodes to what it was; what is broken decodes to an error or to less, never to an exception. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeMessage,
  encodeMessage,
  INITIAL_CODING,
  messageLength,
} from '../../../../routing/bgp/codec/message.ts';
import { packRoutes, packWithdrawals } from '../../../../routing/bgp/codec/pack.ts';
import * as arbitrary from '../../../support/bgp-arbitraries.ts';

const agreedMessage = arbitrary.coding.chain((coding) =>
  fc.tuple(fc.constant(coding), arbitrary.message(coding)),
);
const MUTATIONS = 1_000_000;

describe('BGP codec', () => {
  test('every message comes back as it was', () => {
    fc.assert(
      fc.property(agreedMessage, ([coding, message]) => {
        const bytes = encodeMessage(message, coding);
        expect(messageLength(bytes, 0, coding.maxLength)).toEqual({ ok: true, value: bytes.length });
        const decoded = decodeMessage(bytes, coding);
        expect(decoded.ok).toBe(true);
        if (!decoded.ok) return;
        if (decoded.value.kind !== 'update') expect(decoded.value).toEqual(message);
        else {
          const { errors, treatAsWithdraw, ...rest } = decoded.value;
          expect(errors).toEqual([]);
          expect(treatAsWithdraw).toBe(false);
          expect(rest).toEqual(message);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test(`${MUTATIONS} mutated messages: each one result, and a session error only where the RFCs want one`, () => {
    const seeds = fc
      .sample(agreedMessage, { numRuns: 400, seed: 4271 })
      .map(([coding, message]) => ({ coding, bytes: encodeMessage(message, coding) }));
    const random = generator(7606);
    const counts = { good: 0, survived: 0, withdrawn: 0, refused: 0 };
    const refusals = new Set<string>();
    const contradictions: unknown[] = [];
    for (let i = 0; i < MUTATIONS; i++) {
      const { coding, bytes } = seeds[i % seeds.length];
      const mutated = mutate(bytes, random);
      const decoded = decodeMessage(mutated, coding);
      if (!decoded.ok) {
        counts.refused++;
        refusals.add(`${decoded.error.code}/${decoded.error.subcode}`);
        if (decoded.error.why === '') contradictions.push(mutated);
      } else if (decoded.value.kind !== 'update' || decoded.value.errors.length === 0) {
        counts.good++;
        if (decoded.value.kind === 'update' && decoded.value.treatAsWithdraw) contradictions.push(mutated);
      } else {
        const { treatAsWithdraw, errors } = decoded.value;
        counts[treatAsWithdraw ? 'withdrawn' : 'survived']++;
        const wants = errors.some(({ reaction }) => reaction === 'treat-as-withdraw');
        if (wants !== treatAsWithdraw) contradictions.push(mutated);
      }
    }
    expect(contradictions).toEqual([]);
    expect(counts.good + counts.survived + counts.withdrawn + counts.refused).toBe(MUTATIONS);
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(MUTATIONS / 1000);
    // RFC 4271 section 6 less what RFC 7606 made milder: of the UPDATE errors these four end sessions.
    for (const refusal of refusals) {
      expect(refusal).toMatch(/^(1\/[123]|2\/[0-7]|3\/(1|2|9|10)|7\/1)$/);
    }
  });

  test('bytes that are no message at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeMessage(bytes, INITIAL_CODING).ok).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  test('routes of one attribute set are packed into as few messages as hold them, all of them once', () => {
    const routes = arbitrary.coding.chain((coding) =>
      fc
        .constantFrom(4 as const, 6 as const)
        .chain((family) =>
          fc.tuple(
            fc.constant(coding),
            fc.constant(family),
            arbitrary.attributes(coding),
            arbitrary.address6,
            fc.array(arbitrary.nlriList(family, coding, 40), { minLength: 30, maxLength: 60 }),
          ),
        ),
    );
    fc.assert(
      fc.property(routes, ([coding, family, { nextHop: own, ...attributes }, far, lists]) => {
        const nlri = lists.flat();
        const nextHop = family === 4 && own !== undefined ? own : far;
        const { updates, unsendable } = packRoutes({ family, attributes, nextHop, nlri }, coding);
        expect(unsendable).toEqual([]);
        expect(updates.flatMap((update) => update.reach?.nlri ?? update.nlri)).toEqual(nlri);
        const withdrawals = packWithdrawals(family, nlri, coding);
        expect(withdrawals.flatMap((update) => update.unreach?.nlri ?? update.withdrawn)).toEqual(nlri);
        for (const all of [updates, withdrawals]) {
          const sizes = all.map((update) => encodeMessage({ kind: 'update', update }, coding).length);
          // Full but for one prefix (21 bytes at most), all but the last.
          for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThan(coding.maxLength - 21);
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** Some bytes changed, removed, added or repeated; the length field mostly put right, so that more than it is tried. */
function mutate(message: Uint8Array, random: (below: number) => number): Uint8Array {
  let bytes: Uint8Array = message.slice();
  for (let n = 1 + random(3); n > 0; n--) {
    const at = random(20) === 0 ? random(19) : 19 + random(Math.max(1, bytes.length - 19));
    const kind = random(8);
    if (kind === 0) bytes = spliced(bytes, at, 1 + random(8), 0);
    else if (kind === 1) {
      const count = 1 + random(8);
      bytes = spliced(bytes, at, 0, count);
      for (let i = at; i < Math.min(at + count, bytes.length); i++) bytes[i] = random(256);
    } else if (kind === 2) bytes = bytes.slice(0, 19 + random(Math.max(1, bytes.length - 19)));
    else if (kind === 3 && at < bytes.length) bytes[at] = [0, 1, 127, 128, 254, 255][random(6)];
    else if (kind === 4 && at < bytes.length) bytes[at] ^= 1 << random(8);
    else if (at < bytes.length) bytes[at] = random(256);
  }
  if (random(10) > 0 && bytes.length >= 19) {
    bytes[16] = bytes.length >> 8;
    bytes[17] = bytes.length & 0xff;
  }
  return bytes;
}

function spliced(bytes: Uint8Array, at: number, remove: number, add: number): Uint8Array {
  const from = Math.min(at, bytes.length);
  const rest = bytes.subarray(Math.min(from + remove, bytes.length));
  const result = new Uint8Array(from + add + rest.length);
  result.set(bytes.subarray(0, from));
  result.set(rest, from + add);
  return result;
}

/** Numerical Recipes' linear congruence: the same mutations in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
