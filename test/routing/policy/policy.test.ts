/** What each condition of a term matches, what each action does, and in which order terms speak. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Attributes } from '../../../routing/bgp/codec/attributes.ts';
import { applyPolicy } from '../../../routing/policy/apply.ts';
import { matchesPath } from '../../../routing/policy/as-path-pattern.ts';
import { asksForPrefix, inRange, matches } from '../../../routing/policy/match.ts';
import type { Actions, Match, PathToken, PrefixRange, Term } from '../../../routing/policy/policy.ts';
import { setAttributes } from '../../../routing/policy/set.ts';
import { parseAddress } from '../../../wire/address.ts';
import { parsePrefix } from '../../../wire/prefix.ts';

const path = (...asns: number[]) => [{ type: 2, asns } as const];
const attributes: Attributes = {
  origin: 0,
  asPath: path(64601, 7, 8),
  nextHop: parseAddress('10.0.1.1'),
  med: 50,
  communities: [64601 * 65536 + 5, 0xffffff01],
  extendedCommunities: [{ type: 0, subtype: 2, value: 77 }],
  largeCommunities: [{ global: 64601, local1: 1, local2: 2 }],
};
const route = { prefix: parsePrefix('10.9.0.0/16'), attributes, source: 'external', peer: 'tor1' } as const;
const range = (prefix: string, other: Omit<PrefixRange, 'prefix'> = {}): PrefixRange => ({
  prefix: parsePrefix(prefix),
  ...other,
});

describe('conditions', () => {
  const cases: readonly (readonly [Match, boolean])[] = [
    [{}, true],
    [{ family: 4 }, true],
    [{ family: 6 }, false],
    [{ prefixes: [range('10.8.0.0/16'), range('10.9.0.0/16')] }, true],
    [{ prefixes: [range('10.0.0.0/8')] }, false],
    [{ prefixes: [] }, false],
    [{ peers: ['tor1', 'tor2'] }, true],
    [{ peers: ['tor2'] }, false],
    [{ sources: ['internal', 'external'] }, true],
    [{ sources: ['local'] }, false],
    [{ nextHops: [range('10.0.0.0/16')] }, true],
    [{ nextHops: [range('10.0.1.1/32')] }, true],
    [{ nextHops: [range('10.0.1.2/32')] }, false],
    [{ nextHops: [range('10.0.0.0/16', { ge: 24, le: 31 })] }, false],
    [{ origins: [0, 1] }, true],
    [{ origins: [2] }, false],
    [{ med: { min: 50, max: 50 } }, true],
    [{ med: { min: 51 } }, false],
    [{ med: { max: 49 } }, false],
    [{ localPref: { min: 100, max: 100 } }, true], // What it counts as without.
    [{ communities: [{ asn: 64601, value: 5 }] }, true],
    [{ communities: [{ asn: 64601 }] }, true],
    [{ communities: [{ value: 5 }] }, true],
    [
      {
        communities: [
          { asn: 64601, value: 6 },
          { asn: 65535, value: 65281 },
        ],
      },
      true,
    ],
    [{ communities: [{ asn: 64602 }] }, false],
    [{ extendedCommunities: [{ type: 0, subtype: 2 }] }, true],
    [{ extendedCommunities: [{ subtype: 3 }] }, false],
    [{ largeCommunities: [{ global: 64601, local2: 2 }] }, true],
    [{ largeCommunities: [{ global: 64601, local2: 3 }] }, false],
    [{ asPath: { contains: [9, 7] } }, true],
    [{ asPath: { contains: [9] } }, false],
    [{ asPath: { originated: [8] } }, true],
    [{ asPath: { originated: [7] } }, false],
    [{ asPath: { from: [64601] } }, true],
    [{ asPath: { from: [7] } }, false],
    [{ asPath: { length: { max: 3 } } }, true],
    [{ asPath: { length: { min: 4 } } }, false],
    [{ asPath: { pattern: [64601, 'rest'] } }, true],
    [{ asPath: { pattern: [64601] } }, false],
    [{ not: { peers: ['tor1'] } }, false],
    [{ not: { peers: ['tor1'], family: 6 } }, true],
    [{ family: 4, not: { not: { origins: [0] } } }, true],
    [{ family: 4, origins: [2] }, false], // All of them.
  ];
  for (const [match, expected] of cases) {
    test(`${JSON.stringify(match)}: ${expected}`, () => {
      expect(matches(match, route)).toBe(expected);
    });
  }

  test('a route of this node has no peer', () => {
    const { peer: _, ...own } = route;
    expect(matches({ peers: ['tor1'] }, { ...own, source: 'local' })).toBe(false);
    expect(matches({ not: { peers: ['tor1'] } }, { ...own, source: 'local' })).toBe(true);
  });

  test('without the attribute a list matches nothing', () => {
    const bare = { ...route, attributes: { origin: 0 } as const };
    expect(matches({ communities: [{}] }, bare)).toBe(false);
    expect(matches({ extendedCommunities: [{}] }, bare)).toBe(false);
    expect(matches({ largeCommunities: [{}] }, bare)).toBe(false);
    expect(matches({ nextHops: [range('0.0.0.0/0')] }, bare)).toBe(false);
    expect(matches({ asPath: { length: { max: 0 } } }, bare)).toBe(true);
    expect(matches({ asPath: { from: [1] } }, bare)).toBe(false);
  });
});

describe('lengths of prefixes', () => {
  const cases = [
    ['10.0.0.0/8', {}, '10.0.0.0/8', true],
    ['10.0.0.0/8', {}, '10.1.0.0/16', false],
    ['10.0.0.0/8', { le: 16 }, '10.0.0.0/8', true],
    ['10.0.0.0/8', { le: 16 }, '10.1.0.0/16', true],
    ['10.0.0.0/8', { le: 16 }, '10.1.1.0/24', false],
    ['10.0.0.0/8', { ge: 16 }, '10.0.0.0/8', false],
    ['10.0.0.0/8', { ge: 16 }, '10.1.1.1/32', true],
    ['10.0.0.0/8', { ge: 16, le: 20 }, '10.1.0.0/20', true],
    ['10.0.0.0/8', { ge: 16, le: 20 }, '10.1.0.0/21', false],
    ['10.0.0.0/8', { le: 32 }, '11.0.0.0/16', false],
    ['10.0.0.0/8', { ge: 4 }, '0.0.0.0/4', false],
    ['0.0.0.0/0', { le: 32 }, '2001:db8::/32', false],
    ['::/0', { ge: 1 }, '2001:db8::1/128', true],
  ] as const;
  for (const [prefix, bounds, asked, expected] of cases) {
    test(`${asked} in ${prefix} ${JSON.stringify(bounds)}: ${expected}`, () => {
      expect(inRange(parsePrefix(asked), range(prefix, bounds))).toBe(expected);
    });
  }
});

describe('patterns of AS paths', () => {
  const cases: readonly (readonly [PathToken[], number[], boolean])[] = [
    [[], [], true],
    [[], [1], false],
    [['rest'], [], true],
    [['rest'], [1, 2, 3], true],
    [['any'], [1], true],
    [['any'], [], false],
    [['rest', 3], [1, 2, 3], true],
    [['rest', 2], [1, 2, 3], false],
    [['rest', 2, 'rest'], [1, 2, 3], true],
    [[1, 'any', 3], [1, 9, 3], true],
    [[{ from: 64512, to: 65534 }, 'rest'], [64600, 1], true],
    [[{ from: 64512, to: 65534 }, 'rest'], [1, 64600], false],
    [['rest', 'rest', 1, 'rest'], [1], true],
  ];
  for (const [pattern, asns, expected] of cases) {
    test(`${JSON.stringify(pattern)} on ${asns.join(' ') || 'nothing'}: ${expected}`, () => {
      expect(matchesPath(pattern, asns.length === 0 ? [] : path(...asns))).toBe(expected);
    });
  }

  test('the members of a set stand for one place', () => {
    const asPath = [...path(1), { type: 1, asns: [2, 3] } as const];
    expect(matchesPath([1, 3], asPath)).toBe(true);
    expect(matchesPath([1, 2, 3], asPath)).toBe(false);
  });

  test('as the regular expression that says the same', () => {
    const token = fc.constantFrom<PathToken>(1, 2, 'any', 'rest', { from: 2, to: 3 });
    const text = (one: PathToken): string => {
      if (one === 'any') return '[1-4]';
      if (one === 'rest') return '[1-4]*';
      return typeof one === 'number' ? `${one}` : `[${one.from}-${one.to}]`;
    };
    const asns = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(token, { maxLength: 6 }), asns, (pattern, all) => {
        const expression = new RegExp(`^${pattern.map(text).join('')}$`);
        expect(matchesPath(pattern, path(...all))).toBe(expression.test(all.join('')));
      }),
      { numRuns: 2000 },
    );
  });

  test('one made to be slow is not', () => {
    const pattern: PathToken[] = [
      ...Array.from({ length: 200 }, (_, i): PathToken => (i % 2 ? 1 : 'rest')),
      2,
    ];
    expect(matchesPath(pattern, path(...new Array<number>(2000).fill(1)))).toBe(false);
  });
});

describe('actions', () => {
  const set = (actions: Actions) => setAttributes(attributes, actions, 64512);
  const cases: readonly (readonly [string, Actions, Partial<Attributes>])[] = [
    ['LOCAL_PREF', { localPref: 7 }, { localPref: 7 }],
    ['ORIGIN', { origin: 2 }, { origin: 2 }],
    ['MED', { med: 7 }, { med: 7 }],
    ['MED added', { med: { add: 7 } }, { med: 57 }],
    ['MED taken off, not below 0', { med: { add: -70 } }, { med: 0 }],
    ['MED not beyond 32 bits', { med: { add: 2 ** 33 } }, { med: 2 ** 32 - 1 }],
    ['the AS that we are', { prepend: { times: 2 } }, { asPath: path(64512, 64512, 64601, 7, 8) }],
    ['another AS', { prepend: { asn: 9, times: 1 } }, { asPath: path(9, 64601, 7, 8) }],
    ['communities replaced', { communities: { set: [1, 2] } }, { communities: [1, 2] }],
    [
      'communities added, once',
      { communities: { add: [0xffffff01, 3, 3] } },
      { communities: [...(attributes.communities ?? []), 3] },
    ],
    ['communities removed', { communities: { remove: [{ asn: 64601 }] } }, { communities: [0xffffff01] }],
    ['removed, then added', { communities: { remove: [{}], add: [4] } }, { communities: [4] }],
    [
      'a large one',
      { largeCommunities: { remove: [{ local1: 1 }], add: [{ global: 1, local1: 1, local2: 1 }] } },
      { largeCommunities: [{ global: 1, local1: 1, local2: 1 }] },
    ],
    [
      'an extended one',
      { extendedCommunities: { set: [{ type: 0, subtype: 3, value: 1 }] } },
      { extendedCommunities: [{ type: 0, subtype: 3, value: 1 }] },
    ],
  ];
  for (const [name, actions, expected] of cases) {
    test(name, () => {
      const before = structuredClone(attributes);
      expect(set(actions)).toEqual({ ...attributes, ...expected });
      expect(attributes).toEqual(before);
    });
  }

  test('a list that became empty is no attribute, a MED removed neither', () => {
    const bare = set({ communities: { set: [] }, largeCommunities: { remove: [{}] }, med: 'remove' });
    for (const key of ['communities', 'largeCommunities', 'med']) expect(bare).not.toHaveProperty(key);
  });
});

describe('terms', () => {
  const apply = (terms: readonly Term[], otherwise: 'accept' | 'reject' = 'reject') =>
    applyPolicy({ terms, otherwise }, route, 64512);

  test('the first that matches decides; none: what is said otherwise', () => {
    expect(apply([{ action: 'accept' }, { action: 'reject' }])).toEqual({ attributes });
    expect(apply([{ name: 'no', action: 'reject' }, { action: 'accept' }])).toEqual({ rejectedBy: 'no' });
    expect(apply([{ match: { family: 6 }, action: 'accept' }, { action: 'reject' }])).toEqual({
      rejectedBy: 'term 2',
    });
    expect(apply([])).toEqual({ rejectedBy: 'no term that accepts' });
    expect(apply([], 'accept')).toEqual({ attributes });
  });

  test('later terms see what earlier ones set', () => {
    const terms: Term[] = [
      { set: { localPref: 200, nextHop: parseAddress('10.5.0.1') }, action: 'next' },
      {
        match: { localPref: { min: 200 }, nextHops: [range('10.5.0.0/16')] },
        set: { med: 1 },
        action: 'accept',
      },
    ];
    const nextHop = parseAddress('10.5.0.1');
    expect(apply(terms)).toEqual({ attributes: { ...attributes, localPref: 200, med: 1, nextHop }, nextHop });
  });

  test('what is unchanged is the same object: sets are not looked up again for it', () => {
    const outcome = apply([{ match: { family: 4 }, action: 'next' }], 'accept');
    expect('attributes' in outcome && outcome.attributes).toBe(attributes);
  });

  test('which policies ask for the prefix', () => {
    const asks = (match: Match) =>
      asksForPrefix({ terms: [{ action: 'next' }, { match, action: 'accept' }], otherwise: 'reject' });
    expect(asks({ prefixes: [] })).toBe(true);
    expect(asks({ not: { not: { prefixes: [] } } })).toBe(true);
    expect(asks({ nextHops: [], family: 4 })).toBe(false);
  });
});
