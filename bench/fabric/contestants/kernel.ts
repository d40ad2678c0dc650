/** What the kernel does alone: no network at all between the pods, plain routing, and its VXLAN device. */
import { KernelNode } from '../../../lab/kernel-node.ts';
import { link } from '../../../lab/link.ts';
import { attachRouted, CIDRS, hostLength, PODS, SIDES, type Site, UNDERLAY } from './site.ts';

const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02'] as const;
const VNI = 4096;
const VXLAN_OVERHEAD = 50;

/** From pod to pod without anything between, offloading whatever the underlay: what the load generator itself can do. */
export async function cable({ pods, setting }: Site): Promise<number[]> {
  const { family, mtu } = setting;
  const [a, b] = SIDES.map((i) => ({ namespace: pods[i], name: 'eth0' }));
  link(a, b, { mtu });
  for (const i of SIDES) {
    pods[i].ip(`addr add ${PODS[family][i]}${hostLength(family)} dev eth0`);
    pods[i].ip(`route add ${PODS[family][1 - i]} dev eth0`);
  }
  return [];
}

/** Routes from pod to pod through both nodes, no tunnel: the limit. */
export async function routing(site: Site): Promise<number[]> {
  const { family, mtu } = site.setting;
  for (const i of SIDES) {
    attachRouted(site, i, mtu);
    // IPv6 by way of an IPv6 address of the other node, which its underlay does not have otherwise.
    if (family === 6) site.nodes[i].ip(`addr add fd00:77::${i + 1}/64 dev underlay nodad`);
    const via = family === 4 ? UNDERLAY[1 - i] : `fd00:77::${2 - i}`;
    site.nodes[i].ip(`route add ${CIDRS[family][1 - i]} via ${via}`);
  }
  return [];
}

/** The VXLAN device with static entries, which Flannel, Calico and Cilium use. */
export async function kernelVxlan({ pods, nodes, setting }: Site): Promise<number[]> {
  const { family } = setting;
  for (const i of SIDES) {
    const other = 1 - i;
    const node = new KernelNode(nodes[i], {
      address: UNDERLAY[i],
      mac: MACS[i],
      vni: VNI,
      mtu: setting.mtu - VXLAN_OVERHEAD,
      addresses: [CIDRS[family][i].split('/')[0]],
    });
    node.addRemote(UNDERLAY[other], MACS[other], [CIDRS[family][other]]);
    node.attach(pods[i], [PODS[family][i]]);
  }
  return [];
}
