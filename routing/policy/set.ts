/** What a term changes. The attributes given are never changed, and come back as they are when there is nothing to do. */
import { prependAs } from '../bgp/codec/as-path.ts';
import type { Attributes } from '../bgp/codec/attributes.ts';
import { matchesCommunity, matchesFields } from './match.ts';
import type { Actions, ListAction } from './policy.ts';

const MAX_32 = 0xffffffff;

/** All but the next hop, which depends on who is asked: apply.ts. @param localAsn what is prepended where no AS is named */
export const setAttributes = <A extends Attributes>(attributes: A, actions: Actions, localAsn: number): A => {
  const { localPref, med, origin, prepend, communities, extendedCommunities, largeCommunities } = actions;
  const out: { -readonly [K in keyof Attributes]: Attributes[K] } = { ...attributes };
  if (localPref !== undefined) out.localPref = localPref;
  if (origin !== undefined) out.origin = origin;
  if (med === 'remove') delete out.med;
  else if (typeof med === 'number') out.med = med;
  else if (med !== undefined) out.med = Math.max(0, Math.min(MAX_32, (attributes.med ?? 0) + med.add));
  if (prepend !== undefined) {
    out.asPath = prependAs(attributes.asPath ?? [], prepend.asn ?? localAsn, prepend.times);
  }
  // An empty list is no attribute: on the wire it would be malformed.
  const change = <Key extends 'communities' | 'extendedCommunities' | 'largeCommunities'>(
    key: Key,
    list: Attributes[Key],
  ): void => {
    if (list === undefined || list.length === 0) delete out[key];
    else out[key] = list;
  };
  if (communities !== undefined) {
    const all = changeList(attributes.communities, communities, matchesCommunity, (a, b) => a === b);
    change('communities', all);
  }
  if (extendedCommunities !== undefined) {
    const all = changeList(attributes.extendedCommunities, extendedCommunities, matchesFields, matchesFields);
    change('extendedCommunities', all);
  }
  if (largeCommunities !== undefined) {
    change(
      'largeCommunities',
      changeList(attributes.largeCommunities, largeCommunities, matchesFields, matchesFields),
    );
  }
  return out as A;
};

const changeList = <Item, Pattern>(
  items: readonly Item[] | undefined,
  { set, remove, add }: ListAction<Item, Pattern>,
  fits: (item: Item, pattern: Pattern) => boolean,
  same: (a: Item, b: Item) => boolean,
): Item[] => {
  const kept = (set ?? items ?? []).filter((item) => !remove?.some((pattern) => fits(item, pattern)));
  const added: Item[] = [];
  for (const item of add ?? []) {
    if (![...kept, ...added].some((one) => same(one, item))) added.push(item);
  }
  return [...kept, ...added];
};
