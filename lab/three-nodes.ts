/**
 * The fabric of the demo: two Weft nodes and a kernel VXLAN node that knows nothing of Weft, on one switched underlay, two
 * pods each, IPv4 and IPv6.
 */

import { parseAddress } from '../wire/address.ts';
import { formatMac, vtepMac } from '../wire/mac.ts';
import { KernelNode } from './kernel-node.ts';
import { link } from './link.ts';
import type { Namespace } from './namespace.ts';
import type { Run } from './run.ts';
import { WeftNode } from './weft-node.ts';

export interface LabPod {
  readonly name: string;
  readonly node: string;
  readonly namespace: Namespace;
  readonly v4: string;
  readonly v6: string;
}

export interface LabNode {
  readonly name: string;
  readonly kind: 'weft' | 'kernel';
  readonly namespace: Namespace;
  readonly address: string;
  /** Inner destination MAC that it answers to. */
  readonly mac: string;
  readonly pods: readonly LabPod[];
}

export const VNI = 4096;
const UNDERLAY_MTU = 1500;
const VXLAN_OVERHEAD = 50;
const KERNEL_MAC = '02:00:00:00:00:03';
const POD_HOSTS = [2, 3] as const;

const underlay = (n: number): string => `192.168.77.${n}`;
const cidrs = (n: number): [string, string] => [`10.244.${n}.0/24`, `fd00:244:${n}::/64`];
const macOf = (n: number): string => (n === 3 ? KERNEL_MAC : formatMac(vtepMac(parseAddress(underlay(n)))));

/** Builds it; the run takes it away again. */
export async function buildThreeNodes(run: Run): Promise<LabNode[]> {
  const ethernet = run.namespace('switch');
  ethernet.ip('link add br0 type bridge');
  ethernet.ip('link set br0 up');
  const nodes: LabNode[] = [];
  for (const n of [1, 2, 3]) {
    const name = `node-${'abc'[n - 1]}`;
    const namespace = run.namespace(name);
    const uplink = { namespace, name: 'underlay', addresses: [`${underlay(n)}/24`] };
    link({ namespace: ethernet, name: `port${n}` }, uplink, { mtu: UNDERLAY_MTU });
    ethernet.ip(`link set port${n} master br0`);
    const pods = POD_HOSTS.map((host): LabPod => {
      const pod = `pod-${'abc'[n - 1]}${host - 1}`;
      const [v4, v6] = [`10.244.${n}.${host}`, `fd00:244:${n}::${host}`];
      return { name: pod, node: name, namespace: run.namespace(pod), v4, v6 };
    });
    const node: LabNode = {
      name,
      kind: n === 3 ? 'kernel' : 'weft',
      namespace,
      address: underlay(n),
      mac: macOf(n),
      pods,
    };
    if (node.kind === 'weft') await startWeft(run, node, n);
    else startKernel(node, n);
    nodes.push(node);
  }
  return nodes;
}

async function startWeft(run: Run, node: LabNode, n: number): Promise<void> {
  const others = [1, 2, 3].filter((other) => other !== n);
  const routes = others.flatMap((other) =>
    cidrs(other).map((to) => ({ to, via: underlay(other), mac: macOf(other), vni: VNI })),
  );
  const weft = await WeftNode.start(run, node.namespace, {
    config: { node: { name: node.name, address: [node.address] }, pods: { cidrs: cidrs(n) }, routes },
  });
  for (const pod of node.pods) await weft.attach(pod.namespace, pod.name, [pod.v4, pod.v6]);
}

function startKernel(node: LabNode, n: number): void {
  const [cidr4, cidr6] = cidrs(n);
  const kernel = new KernelNode(node.namespace, {
    address: node.address,
    mac: node.mac,
    vni: VNI,
    mtu: UNDERLAY_MTU - VXLAN_OVERHEAD,
    addresses: [cidr4.replace('.0/24', '.1'), cidr6.replace('::/64', '::1')],
  });
  for (const other of [1, 2]) kernel.addRemote(underlay(other), macOf(other), cidrs(other));
  for (const pod of node.pods) kernel.attach(pod.namespace, [pod.v4, pod.v6]);
}
