/**
 * The fabric of the lab: two Weft nodes and a kernel VXLAN node that knows nothing of Weft, on one switched underlay, two
 * pods each, IPv4 and IPv6. Beside them on the switch is their router, which stands for all that is outside the fabric; a
 * router that takes part in the routing of the fabric would be plugged in there too.
 */
import type { Status } from '../control/service.ts';
import { parseAddress } from '../wire/address.ts';
import { formatMac, vtepMac } from '../wire/mac.ts';
import type { Family, Lab, LabNode, LabOutside, LabPod } from './description.ts';
import { KernelNode } from './kernel-node.ts';
import { Namespace } from './namespace.ts';
import type { Run } from './run.ts';
import { Switch } from './switch.ts';
import { WeftNode } from './weft-node.ts';

const VNI = 4096;
const UNDERLAY_MTU = 1500;
const VXLAN_OVERHEAD = 50;
const KERNEL_MAC = '02:00:00:00:00:03';
const ROUTER = 254;
/** Ranges for documentation (RFC 5737, RFC 3849). */
const OUTSIDE = { v4: '198.51.100.1', v6: '2001:db8::1' } as const;

const KINDS = ['weft', 'weft', 'kernel'] as const;
const NODES = [1, 2, 3];
const POD_HOSTS = [2, 3];

type Addresses = Readonly<Record<Family, string>>;

const underlay = (n: number): Addresses => ({ v4: `192.168.77.${n}`, v6: `fd00:77::${n.toString(16)}` });
const inPods = (n: number, host: number): Addresses => ({
  v4: `10.244.${n}.${host}`,
  v6: `fd00:244:${n}::${host}`,
});
const cidrs = (n: number): string[] => [`10.244.${n}.0/24`, `fd00:244:${n}::/64`];
const nodeName = (n: number): string => `node-${'abc'[n - 1]}`;
const macOf = (n: number): string =>
  KINDS[n - 1] === 'kernel' ? KERNEL_MAC : formatMac(vtepMac(parseAddress(underlay(n).v4)));

/** Builds it; the run takes it away again. @param name of the lab */
export async function buildThreeNodes(run: Run, name: string): Promise<Lab> {
  const ethernet = new Switch(run.namespace('switch'), UNDERLAY_MTU);
  const outside = buildOutside(run, ethernet);
  // The hosts in turn, so that their ports on the switch are in their order; what takes time on them at once.
  const hosts = NODES.map((n) => plugNode(run, ethernet, n));
  const nodes = await Promise.all(NODES.map((n, i) => buildNode(run, hosts[i], n)));
  return {
    name,
    built: new Date().toISOString(),
    underlay: {
      namespace: ethernet.namespace.name,
      v4: `${underlay(0).v4}/24`,
      v6: 'fd00:77::/64',
      mtu: UNDERLAY_MTU,
      vni: VNI,
    },
    outside,
    nodes,
  };
}

function buildOutside(run: Run, ethernet: Switch): LabOutside {
  const name = 'outside';
  const namespace = run.namespace(name);
  const router = underlay(ROUTER);
  ethernet.plug(namespace, [`${router.v4}/24`, `${router.v6}/64`]);
  namespace.ip(`addr add ${OUTSIDE.v4}/32 dev lo`);
  namespace.ip(`addr add ${OUTSIDE.v6}/128 dev lo nodad`);
  return { name, namespace: namespace.name, underlay: router, ...OUTSIDE };
}

function plugNode(run: Run, ethernet: Switch, n: number): Namespace {
  const namespace = run.namespace(nodeName(n));
  const [own, router] = [underlay(n), underlay(ROUTER)];
  ethernet.plug(namespace, [`${own.v4}/24`, `${own.v6}/64`]);
  namespace.ip(`route add default via ${router.v4}`);
  namespace.ip(`-6 route add default via ${router.v6}`);
  return namespace;
}

async function buildNode(run: Run, namespace: Namespace, n: number): Promise<LabNode> {
  const pods = POD_HOSTS.map((host): LabPod => {
    const name = `pod-${'abc'[n - 1]}${host - 1}`;
    return { name, namespace: run.namespace(name).name, node: nodeName(n), ...inPods(n, host) };
  });
  const kind = KINDS[n - 1];
  const own = kind === 'weft' ? await startWeft(run, namespace, n, pods) : startKernel(namespace, n, pods);
  return {
    name: nodeName(n),
    namespace: namespace.name,
    kind,
    underlay: underlay(n),
    mac: macOf(n),
    pods,
    ...own,
  };
}

async function startWeft(run: Run, namespace: Namespace, n: number, pods: readonly LabPod[]) {
  const routes = NODES.filter((other) => other !== n).flatMap((other) =>
    cidrs(other).map((to) => ({ to, via: underlay(other).v4, mac: macOf(other), vni: VNI })),
  );
  const node = { name: nodeName(n), address: [underlay(n).v4] };
  const weft = await WeftNode.start(run, namespace, { config: { node, pods: { cidrs: cidrs(n) }, routes } });
  for (const pod of pods) await weft.attach(Namespace.named(pod.namespace), pod.name, [pod.v4, pod.v6]);
  const { host } = await weft.client.get<Status>('status');
  const [v4, v6] = host.ips.map((ip) => ip.split('/')[0]);
  return { socket: weft.socket, host: { interface: host.interface, v4, v6 } };
}

function startKernel(namespace: Namespace, n: number, pods: readonly LabPod[]) {
  const own = inPods(n, 1);
  const kernel = new KernelNode(namespace, {
    address: underlay(n).v4,
    mac: macOf(n),
    vni: VNI,
    mtu: UNDERLAY_MTU - VXLAN_OVERHEAD,
    addresses: [own.v4, own.v6],
  });
  for (const other of NODES.filter((one) => one !== n)) {
    kernel.addRemote(underlay(other).v4, macOf(other), cidrs(other));
  }
  for (const pod of pods) kernel.attach(Namespace.named(pod.namespace), [pod.v4, pod.v6]);
  return { host: { interface: KernelNode.device, ...own } };
}
