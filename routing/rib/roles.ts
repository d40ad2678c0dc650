/** Route leaks prevented by roles: what OTC means for a route that comes and one that goes (RFC 9234 section 5). */
import type { LocalRole, RibPeer } from './peer.ts';

/** Roles of ours in which the peer is below us: a customer, or a client of our route server. */
const ABOVE: readonly LocalRole[] = ['provider', 'routeServer'];

/** With what OTC a route counts as received; a string: it is a leak, and why. */
export const otcIn = (otc: number | undefined, { role, asn }: RibPeer): number | undefined | string => {
  if (role === undefined) return otc;
  if (otc !== undefined) {
    if (ABOVE.includes(role)) return `a route leak: OTC ${otc} from a customer or client`;
    if (role === 'peer' && otc !== asn) return `a route leak: OTC ${otc} from AS ${asn}, which is a peer`;
    return otc;
  }
  return ABOVE.includes(role) ? undefined : asn;
};

/** With what OTC a route is sent; a string: it must not be, and why. */
export const otcOut = (otc: number | undefined, { role, localAsn }: RibPeer): number | undefined | string => {
  if (role === undefined) return otc;
  const below = ABOVE.includes(role);
  if (otc !== undefined) return below ? otc : `OTC ${otc}: only for customers and clients`;
  return below || role === 'peer' ? localAsn : undefined;
};
