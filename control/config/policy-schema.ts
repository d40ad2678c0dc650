/**
 * Policies as the configuration writes them: named lists of terms, each with what it matches, what it sets and what
 * follows. What comes out is what routing takes (routing/policy); what they do is there.
 */
import { z } from 'zod';
import type {
  Actions,
  AsPathMatch,
  CommunityPattern,
  LargePattern,
  Match,
  NumberRange,
  PathToken,
  PrefixRange,
  Term,
} from '../../routing/policy/policy.ts';
import { familyBits, parsePrefix } from '../../wire/prefix.ts';
import { list, section, shortly, value } from './shapes.ts';
import * as kind from './values.ts';

const u32 = kind.integer(0, 0xffffffff);
const asn = kind.integer(1, 0xffffffff);

const prefixRange: kind.Kind<PrefixRange> = {
  right: 'a prefix with a range of lengths where others inside are meant, such as "10.0.0.0/8 ge 16 le 24"',
  read(raw) {
    const match =
      typeof raw === 'string' ? /^(\S+?)(?:\s+ge\s+(\d{1,3}))?(?:\s+le\s+(\d{1,3}))?$/.exec(raw) : null;
    if (!match) return undefined;
    const prefix = parsePrefix(match[1]);
    const [ge, le] = [match[2], match[3]].map((digits) =>
      digits === undefined ? undefined : Number(digits),
    );
    const bounds = [prefix.length, ge ?? prefix.length, le ?? familyBits(prefix.address.family)];
    if (bounds[0] > bounds[1] || bounds[1] > bounds[2] || bounds[2] > familyBits(prefix.address.family)) {
      throw new Error(
        `'${raw}': lengths go from ${prefix.length} to ${familyBits(prefix.address.family)}, ge not above le`,
      );
    }
    return { prefix, ...(ge !== undefined && { ge }), ...(le !== undefined && { le }) };
  },
};

const numberRange: kind.Kind<NumberRange> = {
  right: 'a number or a range of numbers, such as 100 or "100-200" or "100-"',
  read(raw) {
    const match = /^(\d{1,10})(?:(-)(\d{1,10})?)?$/.exec(String(raw));
    if (!match) return undefined;
    const min = u32.read(Number(match[1]));
    const max =
      match[2] === undefined ? min : match[3] === undefined ? undefined : u32.read(Number(match[3]));
    if (min === undefined || (match[3] !== undefined && (max === undefined || max < min))) return undefined;
    return { min, ...(max !== undefined && { max }) };
  },
};

/** Numbers with colons, '*' for any. */
function pattern(raw: unknown, count: number, max: number): readonly (number | undefined)[] | undefined {
  if (typeof raw !== 'string' || !/^(\d{1,10}|\*)(:(\d{1,10}|\*))*$/.test(raw)) return undefined;
  const parts = raw.split(':').map((part) => (part === '*' ? undefined : Number(part)));
  return parts.length === count && parts.every((part) => (part ?? 0) <= max) ? parts : undefined;
}

const communityPattern: kind.Kind<CommunityPattern> = {
  right: 'a community in quotes, "*" for any number, such as "64512:*", or a well-known name',
  read(raw) {
    const parts = pattern(raw, 2, 0xffff);
    if (parts) {
      const [high, low] = parts;
      return { ...(high !== undefined && { asn: high }), ...(low !== undefined && { value: low }) };
    }
    const known = kind.community.read(raw);
    return known === undefined ? undefined : { asn: known >>> 16, value: known & 0xffff };
  },
};

const largePattern: kind.Kind<LargePattern> = {
  right: 'a large community in quotes, "*" for any number, such as "64512:1:*"',
  read(raw) {
    const parts = pattern(raw, 3, 0xffffffff);
    if (!parts) return undefined;
    const [global, local1, local2] = parts;
    return {
      ...(global !== undefined && { global }),
      ...(local1 !== undefined && { local1 }),
      ...(local2 !== undefined && { local2 }),
    };
  },
};

const pathPattern: kind.Kind<readonly PathToken[]> = {
  right:
    'the whole path in quotes: ASes, ranges of them, "?" for any one, "*" for any number, such as "64500 *"',
  read(raw) {
    if (typeof raw !== 'string') return undefined;
    const tokens = raw.split(/\s+/).filter(Boolean).map(pathToken);
    return tokens.some((token) => token === undefined) ? undefined : (tokens as PathToken[]);
  },
};

function pathToken(text: string): PathToken | undefined {
  if (text === '?') return 'any';
  if (text === '*') return 'rest';
  const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(text);
  const from = match ? asn.read(Number(match[1])) : undefined;
  if (from === undefined || match?.[2] === undefined) return from;
  const to = asn.read(Number(match[2]));
  return to === undefined || to < from ? undefined : { from, to };
}

const ORIGINS = ['igp', 'egp', 'incomplete'] as const;
const origin: kind.Kind<0 | 1 | 2> = {
  right: "'igp', 'egp' or 'incomplete'",
  read: (raw) => {
    const index = (ORIGINS as readonly unknown[]).indexOf(raw);
    return index === -1 ? undefined : (index as 0 | 1 | 2);
  },
};

const family: kind.Kind<4 | 6> = {
  right: "'ipv4' or 'ipv6'",
  read: (raw) => (raw === 'ipv4' ? 4 : raw === 'ipv6' ? 6 : undefined),
};

/** Keys that are not there are left out, as the types of routing want it. */
const compact = <T extends object>(given: T) =>
  Object.fromEntries(Object.entries(given).filter(([, one]) => one !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>;
  };

const listOf = <T>(item: kind.Kind<T>, of: string) => list(value(item), of).optional();

const asPath: z.ZodType<AsPathMatch, unknown> = section({
  contains: listOf(asn, 'AS numbers'),
  originated: listOf(asn, 'AS numbers'),
  from: listOf(asn, 'AS numbers'),
  length: value(numberRange, undefined),
  pattern: value(pathPattern, undefined),
}).transform(compact);

const matchKeys = {
  family: value(family, undefined),
  prefixes: listOf(prefixRange, 'prefixes'),
  peers: listOf(kind.name, 'names of peers'),
  sources: listOf(kind.oneOf('local', 'external', 'internal'), "'local', 'external' and 'internal'"),
  nextHops: listOf(prefixRange, 'prefixes'),
  origins: listOf(origin, "'igp', 'egp' and 'incomplete'"),
  med: value(numberRange, undefined),
  localPref: value(numberRange, undefined),
  communities: listOf(communityPattern, 'communities'),
  largeCommunities: listOf(largePattern, 'large communities'),
  asPath: asPath.optional(),
};

const match: z.ZodType<Match, unknown> = section({
  ...matchKeys,
  not: section(matchKeys).transform(compact).optional(),
}).transform(compact);

const listAction = <Item, Pattern>(item: kind.Kind<Item>, itemPattern: kind.Kind<Pattern>) =>
  section({
    set: listOf(item, 'communities'),
    remove: listOf(itemPattern, 'communities'),
    add: listOf(item, 'communities'),
  })
    .transform(compact)
    .optional();

const prepend = shortly(
  kind.integer(1, 10),
  (times) => ({ times }),
  section({ times: value(kind.integer(1, 10)), asn: value(asn, undefined) }).transform(compact),
);

const med: kind.Kind<NonNullable<Actions['med']>> = {
  right: 'a number, what to add to it, such as "+10" or "-10", or \'remove\'',
  read(raw) {
    if (raw === 'remove') return raw;
    const added = typeof raw === 'string' ? /^[+-]\d{1,10}$/.test(raw) : false;
    return added ? { add: Number(raw) } : u32.read(raw);
  },
};

const actions: z.ZodType<Actions, unknown> = section({
  localPref: value(u32, undefined),
  med: value(med, undefined),
  origin: value(origin, undefined),
  prepend: prepend.optional(),
  nextHop: value(kind.either(kind.oneOf('self', 'peer', 'unchanged'), kind.address), undefined),
  communities: listAction(kind.community, communityPattern),
  largeCommunities: listAction(kind.largeCommunity, largePattern),
}).transform(compact);

const term: z.ZodType<Term, unknown> = section({
  name: value(kind.name, undefined),
  match: match.optional(),
  set: actions.optional(),
  action: value(kind.oneOf('accept', 'reject', 'next')),
}).transform(compact);

/** By name. */
export const policies: z.ZodType<Readonly<Record<string, readonly Term[]>>, unknown> = z.record(
  z.string(),
  list(term, 'terms, each with action'),
  { error: 'expected named lists of terms' },
);
