/**
 * What the node knows of the network it is in: which interface its underlay addresses are on, how large a packet gets to
 * another node, and when any of that changes. Reads only; changes nothing.
 */
import {
  addresses,
  links,
  openNotifications,
  openRtnetlink,
  RouteTable,
  type Rtnetlink,
  routes,
} from '../sys/rtnetlink.ts';
import {
  type Address,
  addressEquals,
  addressFromBytes,
  addressToBytes,
  formatAddress,
} from '../wire/address.ts';
import { maskAddress, type Prefix, prefixContains } from '../wire/prefix.ts';
import { WeftError } from './errors.ts';
import { WEFT_PROTOCOL } from './protocol.ts';

export interface UnderlayAddress {
  readonly address: Address;
  readonly interface: string;
  /** Largest IP packet of that interface, bytes. */
  readonly mtu: number;
  /** The subnet that the address is in. */
  readonly subnet: Prefix;
  /** Whether that interface is switched on. */
  readonly up: boolean;
}

export interface Underlay {
  /** As configured, in that order; of one that the node has lost meanwhile, what was last known. */
  readonly addresses: readonly UnderlayAddress[];
  /** Why other nodes may be out of reach: an address that the node has lost, an interface that is down. */
  problem(): string | undefined;
  /** Whether the address is inside the subnet of one of them. */
  onLink(address: Address): boolean;
  /** Largest IP packet that gets to the address, bytes: of the kernel's route where it says, else of the interface. */
  mtu(via: Address): number;
  /**
   * What has changed since the last call: routes of others only, or links and addresses, with which routes of this node may
   * have gone as well. Call every 250 ms or so.
   */
  changed(): 'routes' | 'links' | undefined;
  close(): void;
}

/** `node.address` and the name of the host port, which is not underlay whatever is routed there. */
export interface UnderlayOptions {
  readonly addresses: readonly Address[] | 'auto';
  readonly hostInterface: string;
}

/**
 * For 'auto' the source address of the default route, IPv4 if there is one. Throws when the node does not have
 * one of the addresses, or no default route.
 */
export function openUnderlay({ addresses: configured, hostInterface }: UnderlayOptions): Underlay {
  const netlink = openRtnetlink();
  try {
    // Subscribed before anything is read, so that no change falls in between.
    const notifications = openNotifications(['link', 'address', 'route'], {
      exceptRoutesOf: WEFT_PROTOCOL,
    });
    try {
      const wanted = configured === 'auto' ? [defaultAddress(netlink)] : configured;
      let current = findAll(wanted, listAddresses(netlink));
      let lost: UnderlayAddress | undefined;
      const mtus = new Map<string, number>();
      return {
        get addresses() {
          return current;
        },
        problem() {
          if (lost) return `${formatAddress(lost.address)} is no longer an address of this node`;
          const down = current.find(({ up }) => !up);
          return down && `the interface ${down.interface} of ${formatAddress(down.address)} is down`;
        },
        onLink: (address) => current.some(({ subnet }) => prefixContains(subnet, address)),
        mtu(via) {
          const key = formatAddress(via);
          const mtu =
            mtus.get(key) ?? pathMtu(netlink, via, hostInterface) ?? Math.min(...current.map((a) => a.mtu));
          mtus.set(key, mtu);
          return mtu;
        },
        changed() {
          const news = notifications.drain();
          if (news.length === 0) return undefined;
          mtus.clear();
          const found = listAddresses(netlink);
          lost = current.find(({ address }) => !find(address, found));
          current = current.map((known) => find(known.address, found) ?? known);
          return news.every(({ subject }) => subject === 'route') ? 'routes' : 'links';
        },
        close() {
          notifications.close();
          netlink.close();
        },
      };
    } catch (error) {
      notifications.close();
      throw error;
    }
  } catch (error) {
    netlink.close();
    throw error;
  }
}

function listAddresses(netlink: Rtnetlink): UnderlayAddress[] {
  const interfaces = new Map(netlink.list(links.all()).map((link) => [link.index, link]));
  return netlink.list(addresses.all()).flatMap(({ index, address: bytes, prefixLength }) => {
    const link = interfaces.get(index);
    if (!link) return [];
    const address = addressFromBytes(bytes);
    return [
      {
        address,
        interface: link.name,
        mtu: link.mtu,
        up: link.up,
        subnet: { address: maskAddress(address, prefixLength), length: prefixLength },
      },
    ];
  });
}

function find(address: Address, found: readonly UnderlayAddress[]): UnderlayAddress | undefined {
  return found.find((entry) => addressEquals(entry.address, address));
}

function findAll(wanted: readonly Address[], found: readonly UnderlayAddress[]): UnderlayAddress[] {
  return wanted.map((address) => {
    const entry = find(address, found);
    if (entry) return entry;
    const names = found
      .filter((other) => other.address.family === address.family)
      .map((other) => `${formatAddress(other.address)} (${other.interface})`);
    throw new WeftError(
      'failed',
      `node.address: ${formatAddress(address)} is not an address of this node, which has ${names.join(', ') || 'none of that family'}`,
    );
  });
}

/** Undefined when there is no route, or one that leads into the fabric itself. */
function pathMtu(netlink: Rtnetlink, via: Address, hostInterface: string): number | undefined {
  try {
    const { index, mtu } = netlink.get(routes.getRoute(addressToBytes(via)));
    if (index === undefined) return undefined;
    const link = netlink.get(links.byIndex(index));
    return link.name === hostInterface ? undefined : (mtu ?? link.mtu);
  } catch {
    return undefined; // ENETUNREACH and its like, or the interface went away meanwhile: then a notification comes.
  }
}

function defaultAddress(netlink: Rtnetlink): Address {
  for (const family of [4, 6] as const) {
    const [best] = netlink
      .list(routes.all({ family, table: RouteTable.main }))
      .filter(({ destination, type }) => destination.length === 0 && type === 'unicast')
      .sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0));
    if (!best) continue;
    const gateway = best.gateway ?? best.hops?.[0]?.gateway;
    const index = best.index ?? best.hops?.[0]?.index;
    const source =
      best.preferredSource ??
      (gateway && netlink.find(routes.getRoute(gateway))?.preferredSource) ??
      netlink.list(addresses.all({ family, ...(index && { index }) })).find(({ scope }) => scope === 0)
        ?.address;
    if (source) return addressFromBytes(source);
  }
  throw new WeftError(
    'failed',
    'node.address: this node has no default route whose source address could be taken; set the underlay addresses',
  );
}
