/**
 * Nodes and pods of a scenario: the n-th node has the n-th underlay address and the pod prefixes 10.244.n.0/24 and
 * fd00:244:n::/64, so that a test names nodes by their numbers.
 */
import type { Status } from '../../control/service.ts';
import { KernelNode } from '../../lab/kernel-node.ts';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';
import { WeftNode } from '../../lab/weft-node.ts';
import { type Family, Underlay, type UnderlayOptions, underlayAddress } from './underlay.ts';

/** A namespace with `eth0` in the fabric. */
export interface Pod {
  readonly namespace: Namespace;
  ip(family: Family): string;
}

export const podPrefixes = (n: number): string[] => [`10.244.${n}.0/24`, `fd00:244:${n}::/64`];

/** The k-th address of the n-th node's pods; the first is the node's own. */
export const podAddress = (n: number, k: number, family: Family): string =>
  family === 4 ? `10.244.${n}.${k}` : `fd00:244:${n}::${k.toString(16)}`;

const podOf = (namespace: Namespace, n: number, k: number): Pod => ({
  namespace,
  ip: (family) => podAddress(n, k, family),
});

export interface RouteToNode {
  /** Number of the node that has the prefixes. */
  readonly node: number;
  readonly encap?: 'vxlan' | 'ipip' | 'direct';
  readonly mac?: string;
  readonly vni?: number;
  readonly port?: number;
}

/** Static routes to the pods of a node. @param family of the underlay address that they lead to */
export function routesTo(family: Family, { node, ...rest }: RouteToNode): object[] {
  return podPrefixes(node).map((to) => ({ to, via: underlayAddress(node, family), ...rest }));
}

export interface WeftSiteOptions {
  /** Family of the underlay addresses in use, default IPv4. */
  readonly underlay?: Family;
  readonly routes?: readonly object[];
  /** Sections of the configuration in place of the defaults. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly namespace?: Namespace;
}

/** The n-th node, running Weft. */
export interface WeftSite {
  readonly n: number;
  readonly node: WeftNode;
  /** Attaches a new namespace. */
  pod(): Promise<Pod>;
}

export function weftConfig(n: number, { underlay = 4, routes = [], config = {} }: WeftSiteOptions = {}) {
  return {
    node: { name: `node-${n}`, address: [underlayAddress(n, underlay)] },
    pods: { cidrs: podPrefixes(n) },
    host: { natOutgoing: false },
    routes,
    ...config,
  };
}

export async function startWeft(
  run: Run,
  underlay: Underlay,
  n: number,
  options: WeftSiteOptions = {},
): Promise<WeftSite> {
  const namespace = options.namespace ?? underlay.host(n);
  const node = await WeftNode.start(run, namespace, { config: weftConfig(n, options) });
  let last = 1;
  return {
    n,
    node,
    async pod() {
      const k = ++last;
      const pod = run.namespace(`pod${n}-${k}`);
      const ips = [podAddress(n, k, 4), podAddress(n, k, 6)];
      await node.attach(pod, `pod${n}-${k}`, ips);
      return podOf(pod, n, k);
    },
  };
}

export interface KernelSiteOptions {
  readonly underlay?: Family;
  readonly vni?: number;
  readonly port?: number;
  /** Of the pods and the VXLAN device; default fits an underlay of 1500. */
  readonly mtu?: number;
}

/** MAC of the VXLAN device of the n-th node, when the kernel is what runs there. */
export const kernelMac = (n: number): string => `02:00:00:00:00:${n.toString(16).padStart(2, '0')}`;

/** The n-th node, with nothing but the kernel: its VXLAN device, and one pod. */
export function startKernel(
  run: Run,
  underlay: Underlay,
  n: number,
  options: KernelSiteOptions = {},
): { node: KernelNode; pod: Pod } {
  const { underlay: family = 4, vni = 4096, port = 4789 } = options;
  const node = new KernelNode(underlay.host(n), {
    address: underlayAddress(n, family),
    mac: kernelMac(n),
    vni,
    port,
    mtu: options.mtu ?? (family === 4 ? 1450 : 1430),
    addresses: [podAddress(n, 1, 4), podAddress(n, 1, 6)],
  });
  const pod = run.namespace(`pod${n}-2`);
  node.attach(pod, [podAddress(n, 2, 4), podAddress(n, 2, 6)]);
  return { node, pod: podOf(pod, n, 2) };
}

/** What `weft drops` counts, zeros left out, and multicast: kernels report the groups that they join (MLD) when they like. */
export async function drops(node: WeftNode): Promise<Record<string, number>> {
  const { multicast, ...others } = await node.client.get<Record<string, number>>('drops');
  return Object.fromEntries(Object.entries(others).filter(([, packets]) => packets > 0));
}

export interface Pair {
  readonly underlay: Underlay;
  readonly weft: WeftSite;
  /** A pod of node 1, which runs Weft. */
  readonly here: Pod;
  /** A pod of node 2. */
  readonly there: Pod;
  /** Node 2 when it runs Weft. */
  readonly other: WeftSite | undefined;
}

export interface PairOptions extends KernelSiteOptions, UnderlayOptions {
  /** Sections of the configuration of Weft, but for encap.vxlan. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of the second node, where that runs Weft; default as the first. */
  readonly otherConfig?: Readonly<Record<string, unknown>>;
}

/** Node 1 with Weft and node 2 with the kernel's VXLAN device, a pod on each. */
export async function weftAndKernel(run: Run, options: PairOptions = {}): Promise<Pair> {
  const { underlay: family = 4, vni = 4096, port = 4789, config } = options;
  const underlay = new Underlay(run, options);
  const kernel = startKernel(run, underlay, 2, options);
  const weft = await startWeft(run, underlay, 1, {
    underlay: family,
    routes: routesTo(family, { node: 2, mac: kernelMac(2) }),
    config: { encap: { vxlan: { vni, port } }, ...config },
  });
  const { vtep } = await weft.node.client.get<Status>('status');
  kernel.node.addRemote(underlayAddress(1, family), vtep.mac, podPrefixes(1));
  return { underlay, weft, here: await weft.pod(), there: kernel.pod, other: undefined };
}

/** Nodes 1 and 2 with Weft, a pod on each. */
export async function weftAndWeft(run: Run, options: PairOptions = {}): Promise<Pair> {
  const { underlay: family = 4, vni = 4096, port = 4789, config, otherConfig = config } = options;
  const underlay = new Underlay(run, options);
  const site = (n: number, node: number, sections = config) =>
    startWeft(run, underlay, n, {
      underlay: family,
      routes: routesTo(family, { node }),
      config: { encap: { vxlan: { vni, port } }, ...sections },
    });
  const [weft, other] = await Promise.all([site(1, 2), site(2, 1, otherConfig)]);
  return { underlay, weft, here: await weft.pod(), there: await other.pod(), other };
}
