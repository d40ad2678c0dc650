/**
 * A node of a run that knows nothing of Weft: the kernel's own VXLAN device with static entries (per remote node exactly
 * one route, one neighbour entry, one FDB entry), pods on veth pairs and the kernel's forwarding between them.
 */
import { link } from './link.ts';
import type { Namespace } from './namespace.ts';

export interface KernelNodeOptions {
  /** Its underlay address. */
  readonly address: string;
  /** MAC of its VXLAN device. */
  readonly mac: string;
  readonly vni: number;
  /** UDP port, default 4789. */
  readonly port?: number;
  /** Of the pods and the VXLAN device, bytes. */
  readonly mtu: number;
  /** Addresses of the VXLAN device, one a family: what the node itself speaks from into the fabric. */
  readonly addresses: readonly string[];
}

const DEVICE = 'vxlan0';
/** What pods take for their router (any address will do: the node answers for it). */
const GATEWAY = '169.254.1.1';
const GATEWAY_6 = 'fe80::1';

export class KernelNode {
  /** Name of the VXLAN device. */
  static readonly device = DEVICE;
  readonly namespace: Namespace;
  readonly #options: KernelNodeOptions;
  #pods = 0;

  constructor(namespace: Namespace, options: KernelNodeOptions) {
    this.namespace = namespace;
    this.#options = options;
    const { address, mac, vni, port = 4789, mtu, addresses } = options;
    namespace.ip(`link add ${DEVICE} type vxlan id ${vni} dstport ${port} local ${address} nolearning`);
    namespace.ip(`link set ${DEVICE} address ${mac} mtu ${mtu} addrgenmode none up`);
    for (const own of addresses) {
      namespace.ip(`addr add ${own}/${own.includes(':') ? '128 nodad' : 32} dev ${DEVICE}`);
    }
    namespace.sysctl('net.ipv4.ip_forward', 1);
    namespace.sysctl('net.ipv6.conf.all.forwarding', 1);
    namespace.sysctl(`net.ipv4.conf.${DEVICE}.rp_filter`, 0);
  }

  /** The node at `underlay`, whose VXLAN answers to `mac`, has these prefixes. */
  addRemote(underlay: string, mac: string, prefixes: readonly string[]): void {
    this.namespace.run('bridge', 'fdb', 'append', mac, 'dev', DEVICE, 'dst', underlay);
    for (const prefix of prefixes) {
      // The prefix's own first address stands for the node: all that matters of a next hop here is its MAC.
      const via = prefix.split('/')[0];
      this.namespace.ip(`neigh replace ${via} lladdr ${mac} dev ${DEVICE} nud permanent`);
      this.namespace.ip(`route add ${prefix} via ${via} dev ${DEVICE} onlink`);
    }
  }

  /** Gives a namespace `eth0` with these addresses, one a family. */
  attach(pod: Namespace, ips: readonly string[]): void {
    const name = `pod${this.#pods++}`;
    const { mtu } = this.#options;
    link({ namespace: this.namespace, name }, { namespace: pod, name: 'eth0' }, { mtu });
    this.namespace.ip(`addr add ${GATEWAY}/32 dev ${name}`);
    this.namespace.ip(`addr add ${GATEWAY_6}/64 dev ${name} nodad`);
    for (const ip of ips) {
      const v6 = ip.includes(':');
      pod.ip(`addr add ${ip}/${v6 ? '128 nodad' : 32} dev eth0`);
      this.namespace.ip(`route add ${ip}/${v6 ? 128 : 32} dev ${name}`);
      if (v6) pod.ip(`route add default via ${GATEWAY_6} dev eth0`);
      else {
        pod.ip(`route add ${GATEWAY} dev eth0`);
        pod.ip(`route add default via ${GATEWAY} dev eth0`);
      }
    }
  }
}
