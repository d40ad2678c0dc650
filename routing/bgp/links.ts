/** Which link of this node a connection is on, and what addresses we have there. Read from the kernel when asked. */
import { networkInterfaces } from 'node:os';
import { type Address, addressEquals, parseAddress } from '../../wire/address.ts';
import { familyBits, maskAddress, type Prefix, prefixContains } from '../../wire/prefix.ts';
import { isLinkLocal } from '../rib/hops.ts';
import type { Ends } from './session.ts';

interface Own {
  readonly interface: string;
  readonly address: Address;
  readonly length: number;
  /** Index of the interface of a link-local address. */
  readonly scope: number;
}

/** Without the zone that system calls append. */
export const parseZoned = (text: string): Address => parseAddress(text.replace(/%.*$/, ''));

const own = (): Own[] =>
  Object.entries(networkInterfaces()).flatMap(([name, all = []]) =>
    all.map(({ address, cidr, scopeid = 0 }) => {
      const parsed = parseZoned(address);
      const length = Number(cidr?.split('/')[1] ?? familyBits(parsed.family));
      return { interface: name, address: parsed, length, scope: scopeid };
    }),
  );

/** Index of an interface, from its link-local address; 0: it has none. */
export const linkLocalOf = (
  name: string,
): { readonly address: Address; readonly scope: number } | undefined =>
  own().find((one) => one.interface === name && isLinkLocal(one.address));

export const interfaceOfScope = (scope: number): string | undefined =>
  own().find((one) => isLinkLocal(one.address) && one.scope === scope)?.interface;

/** @param on name of the interface, where it is known */
export const endsOf = (local: Address, remote: Address, on?: string): Ends => {
  const all = own();
  const here = all.find(
    (one) => addressEquals(one.address, local) && (on === undefined || one.interface === on),
  );
  const subnet: Prefix | undefined = here && {
    address: maskAddress(here.address, here.length),
    length: here.length,
  };
  const isOnLink = subnet !== undefined && prefixContains(subnet, remote);
  if (here === undefined || !isOnLink) return { local, remote, ...(on !== undefined && { interface: on }) };
  const beside = all.filter((one) => one.interface === here.interface);
  const linkLocal = beside.find(({ address }) => isLinkLocal(address))?.address;
  const global = (family: 4 | 6): Address | undefined =>
    beside.find(({ address }) => address.family === family && !isLinkLocal(address))?.address;
  const [four, six] = [global(4), global(6)];
  return {
    local,
    remote,
    interface: here.interface,
    ...(!isLinkLocal(local) && { link: subnet }),
    ...(linkLocal !== undefined && { linkLocal }),
    addresses: { ...(four !== undefined && { 4: four }), ...(six !== undefined && { 6: six }) },
  };
};
