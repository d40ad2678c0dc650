/** A policy applied to a route: its terms in order, with what earlier ones have set. */
import type { Attributes } from '../bgp/codec/attributes.ts';
import { matches, type PolicyRoute } from './match.ts';
import type { Actions, Policy } from './policy.ts';
import { setAttributes } from './set.ts';

export type NextHopAction = NonNullable<Actions['nextHop']>;

export interface Accepted<A extends Attributes> {
  readonly attributes: A;
  /** What was set; what it comes to is for whom knows the session. */
  readonly nextHop?: NextHopAction;
}

export interface RejectedBy {
  /** The term, or that none decided. */
  readonly rejectedBy: string;
}

export const applyPolicy = <A extends Attributes>(
  { terms, otherwise }: Policy,
  route: PolicyRoute & { readonly attributes: A },
  localAsn: number,
): Accepted<A> | RejectedBy => {
  let { attributes } = route;
  let nextHop: NextHopAction | undefined;
  const accepted = (): Accepted<A> => (nextHop === undefined ? { attributes } : { attributes, nextHop });
  for (const [i, { name, match, set, action }] of terms.entries()) {
    if (match !== undefined && !matches(match, { ...route, attributes })) continue;
    if (action === 'reject') return { rejectedBy: name ?? `term ${i + 1}` };
    if (set !== undefined) {
      attributes = setAttributes(attributes, set, localAsn);
      if (set.nextHop !== undefined) {
        nextHop = set.nextHop;
        // So that later terms see it.
        if (typeof nextHop === 'object') attributes = { ...attributes, nextHop };
      }
    }
    if (action === 'accept') return accepted();
  }
  return otherwise === 'accept' ? accepted() : { rejectedBy: 'no term that accepts' };
};
