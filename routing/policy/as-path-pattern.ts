/**
 * Patterns over AS paths without regular expressions: a list of places. 'rest' is tried by remembering which places of
 * the pattern may be reached, so that no pattern takes longer than its length times the path's.
 */
import { type AsPath, SegmentType } from '../bgp/codec/as-path.ts';
import type { PathToken } from './policy.ts';

export const matchesPath = (pattern: readonly PathToken[], path: AsPath): boolean => {
  /** Places of the pattern that may come next; `pattern.length`: all of it is matched. */
  let reached = skipRests(new Set([0]), pattern);
  for (const place of placesOf(path)) {
    const next = new Set<number>();
    for (const at of reached) {
      const token = pattern[at];
      if (token === undefined) continue;
      if (token === 'rest') next.add(at);
      else if (place.some((asn) => fits(asn, token))) next.add(at + 1);
    }
    if (next.size === 0) return false;
    reached = skipRests(next, pattern);
  }
  return reached.has(pattern.length);
};

/** From a 'rest' one may go on without having met an AS. */
const skipRests = (reached: Set<number>, pattern: readonly PathToken[]): Set<number> => {
  // A set hands out what is added to it while it is walked.
  for (const at of reached) if (pattern[at] === 'rest') reached.add(at + 1);
  return reached;
};

/** A sequence is one place an AS; a set is one place for all its members. */
const placesOf = (path: AsPath): (readonly number[])[] =>
  path.flatMap(({ type, asns }) => (type === SegmentType.set ? [asns] : asns.map((asn) => [asn])));

const fits = (asn: number, token: Exclude<PathToken, 'rest'>): boolean => {
  if (token === 'any') return true;
  if (typeof token === 'number') return asn === token;
  return asn >= token.from && asn <= token.to;
};
