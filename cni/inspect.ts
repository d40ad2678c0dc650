/** A pod's interface as it is now, for whoever compares it with what was made. Changes nothing. */
import { inNamespace } from '../sys/netns.ts';
import { addresses, links, openRtnetlink, routes } from '../sys/rtnetlink.ts';
import { type Address, addressFromBytes } from '../wire/address.ts';

export interface ObservedInterface {
  /** 'tun', 'veth', …; undefined for hardware. */
  readonly kind: string | undefined;
  readonly up: boolean;
  readonly mtu: number;
  readonly ips: readonly Address[];
  /** Families with a default route through it, in whatever table. */
  readonly defaultRoutes: readonly (4 | 6)[];
}

/** Undefined when there is none of that name. Throws when the namespace cannot be entered. */
export function inspectInterface(netns: string, ifname: string): ObservedInterface | undefined {
  return inNamespace(netns, () => {
    const netlink = openRtnetlink();
    try {
      const link = netlink.find(links.byName(ifname));
      if (!link) return undefined;
      const { index, kind, up, mtu } = link;
      return {
        kind,
        up,
        mtu: mtu ?? 0,
        ips: netlink.list(addresses.all({ index })).map(({ address }) => addressFromBytes(address)),
        defaultRoutes: ([4, 6] as const).filter((family) =>
          netlink
            .list(routes.all({ family }))
            .some((route) => route.index === index && route.destination.length === 0),
        ),
      };
    } finally {
      netlink.close();
    }
  });
}
