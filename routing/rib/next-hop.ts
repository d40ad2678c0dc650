/** Which next hop a peer is told (RFC 4271 section 5.1.3, RFC 2545 section 3, RFC 8950, RFC 4456 section 10). */
import { type Address, addressEquals } from '../../wire/address.ts';
import { prefixContains } from '../../wire/prefix.ts';
import type { Family } from '../bgp/codec/family.ts';
import type { NextHopAction } from '../policy/apply.ts';
import { isLinkLocal, isUnspecified } from './hops.ts';
import type { RibPeer } from './peer.ts';

export interface NextHop {
  readonly nextHop: Address;
  readonly linkLocal?: Address;
}

/**
 * @param reflected from one internal peer to another
 * @param action what the export policy set
 * @returns a string when there is none that the peer could use, and why
 */
export const nextHopFor = (
  family: Family,
  nextHop: Address,
  reflected: boolean,
  to: RibPeer,
  action: NextHopAction | undefined,
): NextHop | string => {
  if (typeof action === 'object') return speakable(family, action, to) ?? { nextHop: action };
  if (action === 'peer') return speakable(family, to.address, to) ?? { nextHop: to.address };
  const kept = action === 'unchanged' || (action === undefined && keeps(nextHop, reflected, to));
  // What means something on one link only, or to nobody, cannot be handed on whatever the rules say.
  if (!kept || isUnspecified(nextHop) || isLinkLocal(nextHop)) return selfFor(family, to);
  if (speakable(family, nextHop, to) !== undefined) return selfFor(family, to);
  if (addressEquals(nextHop, to.address)) return 'its next hop is the peer itself';
  return { nextHop };
};

const keeps = (
  nextHop: Address,
  reflected: boolean,
  { source, options, link, address }: RibPeer,
): boolean => {
  if (source === 'internal') {
    return options.nextHopSelf === 'all' ? false : reflected || options.nextHopSelf !== true;
  }
  if (options.nextHopUnchanged === true) return true;
  // A third party on the subnet that the peer is on as well: one hop less.
  return link !== undefined && prefixContains(link, nextHop) && !addressEquals(nextHop, address);
};

/** Why the peer could not use it for routes of this family. */
const speakable = (family: Family, nextHop: Address, to: RibPeer): string | undefined => {
  if (nextHop.family === family) return undefined;
  if (family === 6) return 'an IPv6 route with an IPv4 next hop';
  return to.extendedNextHop ? undefined : 'an IPv6 next hop for IPv4, which was not agreed on (RFC 8950)';
};

/** The own address towards this peer. */
const selfFor = (family: Family, to: RibPeer): NextHop | string => {
  const { localAddress, localLinkLocal, nextHops, extendedNextHop } = to;
  if (family === 4) {
    const v4 = localAddress.family === 4 ? localAddress : nextHops?.[4];
    // Over an IPv6 session both ends agreed to do without IPv4 addresses.
    if (v4 !== undefined && (localAddress.family === 4 || !extendedNextHop)) return { nextHop: v4 };
    if (!extendedNextHop) return 'no own IPv4 address to give as next hop: set one, or extended next hop';
  }
  const global = localAddress.family === 6 && !isLinkLocal(localAddress) ? localAddress : nextHops?.[6];
  const linkLocal = isLinkLocal(localAddress) ? localAddress : localLinkLocal;
  // With nothing but a link-local address it stands in both places, as others do it.
  const nextHop = global ?? linkLocal;
  if (nextHop === undefined) return 'no own IPv6 address to give as next hop';
  return linkLocal === undefined ? { nextHop } : { nextHop, linkLocal };
};
