/** The underlay of a lab: a bridge in a namespace of its own; hosts are plugged into it by links. */
import { link } from './link.ts';
import type { Namespace } from './namespace.ts';

const BRIDGE = 'br0';
/** Name of the interface that a host has there. */
export const UPLINK = 'underlay';

export class Switch {
  readonly namespace: Namespace;
  readonly #mtu: number;
  #ports = 0;

  /** @param mtu of every link, bytes */
  constructor(namespace: Namespace, mtu: number) {
    this.namespace = namespace;
    this.#mtu = mtu;
    namespace.ip(`link add ${BRIDGE} type bridge mcast_snooping 0`);
    namespace.ip(`link set ${BRIDGE} addrgenmode none mtu ${mtu} up`);
  }

  /** @param addresses with prefix length */
  plug(host: Namespace, addresses: readonly string[]): void {
    const port = `port${++this.#ports}`;
    // Nobody else is on the link: waiting for a duplicate of the link-local address would delay the first packets by 2 s.
    host.sysctl('net.ipv6.conf.default.dad_transmits', 0);
    const uplink = { namespace: host, name: UPLINK, addresses };
    link({ namespace: this.namespace, name: port }, uplink, { mtu: this.#mtu });
    this.namespace.ip(`link set ${port} master ${BRIDGE} addrgenmode none`);
  }
}
