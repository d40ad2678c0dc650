/**
 * Who is compared: the same topology for everyone, with another way to carry packets between the two nodes.
 *
 *   pod a ── node a ══ underlay (veth) ══ node b ── pod b
 */
import { fileURLToPath } from 'node:url';
import { KernelNode } from '../../lab/kernel-node.ts';
import { link } from '../../lab/link.ts';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';
import { WeftNode } from '../../lab/weft-node.ts';
import { startReady } from './process.ts';

export interface Contestant {
  readonly name: ContestantName;
  readonly a: Namespace;
  readonly b: Namespace;
  /** Addresses of the pods, by family. */
  readonly addressOfA: string;
  readonly addressOfB: string;
  /** Processes that carry packets; none for what the kernel does. */
  readonly processes: readonly number[];
}

export interface UnderlayOptions {
  /** Bytes. */
  readonly mtu: number;
  readonly wire: boolean;
}

export interface WeftOptions {
  readonly workers: number;
}

const UNDERLAY = ['192.168.77.1', '192.168.77.2'] as const;
const CIDRS = ['10.244.1.0/24', '10.244.2.0/24'] as const;
const PODS = ['10.244.1.2', '10.244.2.2'] as const;
const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02'] as const;
const VNI = 4096;
const VXLAN_OVERHEAD = 50;
/** An IPv4 and a UDP header. */
const UDP_OVERHEAD = 28;

interface Site {
  readonly run: Run;
  readonly pods: readonly [Namespace, Namespace];
  readonly nodes: readonly [Namespace, Namespace];
  readonly underlay: UnderlayOptions;
  readonly weft: WeftOptions;
}

const builders = {
  /** Plain routing: the limit. */
  routing: async ({ pods, nodes, underlay }: Site) => {
    for (const i of [0, 1] as const) {
      const uplink = { namespace: nodes[i], name: 'pod', addresses: ['169.254.1.1/32'] };
      link(uplink, { namespace: pods[i], name: 'eth0', addresses: [`${PODS[i]}/32`] }, { mtu: underlay.mtu });
      nodes[i].sysctl('net.ipv4.ip_forward', 1);
      nodes[i].ip(`route add ${PODS[i]}/32 dev pod`);
      nodes[i].ip(`route add ${CIDRS[1 - i]} via ${UNDERLAY[1 - i]}`);
      pods[i].ip('route add 169.254.1.1 dev eth0');
      pods[i].ip('route add default via 169.254.1.1 dev eth0');
    }
    return [];
  },
  /** The kernel's VXLAN device with static entries, which Flannel, Calico and Cilium use. */
  'kernel-vxlan': async ({ pods, nodes, underlay }: Site) => {
    for (const i of [0, 1] as const) {
      const other = 1 - i;
      const mtu = underlay.mtu - VXLAN_OVERHEAD;
      const node = new KernelNode(nodes[i], {
        address: UNDERLAY[i],
        mac: MACS[i],
        vni: VNI,
        mtu,
        addresses: [CIDRS[i].split('/')[0]],
      });
      node.addRemote(UNDERLAY[other], MACS[other], [CIDRS[other]]);
      node.attach(pods[i], [PODS[i]]);
    }
    return [];
  },
  weft: async (site: Site) => weft(site, 'vxlan'),
  'weft-ipip': async (site: Site) => weft(site, 'ipip'),
  'one-by-one': async ({ run, pods, nodes, underlay }: Site) => {
    const program = fileURLToPath(new URL('../one-by-one.js', import.meta.url));
    const processes: number[] = [];
    for (const i of [0, 1] as const) {
      const options = { netns: pods[i].path, local: UNDERLAY[i], remote: UNDERLAY[1 - i] };
      const child = await startReady(nodes[i], process.execPath, [program, JSON.stringify(options)]);
      run.defer(() => child.kill('SIGKILL'));
      processes.push(child.pid as number);
      pods[i].ip(`addr add ${PODS[i]}/32 dev eth0`);
      pods[i].ip(`link set eth0 mtu ${underlay.mtu - UDP_OVERHEAD} up`);
      pods[i].ip('route add default dev eth0');
    }
    return processes;
  },
} satisfies Record<string, (site: Site) => Promise<number[]>>;

export type ContestantName = keyof typeof builders;

async function weft({ run, pods, nodes, weft: options }: Site, encap: 'vxlan' | 'ipip'): Promise<number[]> {
  const processes: number[] = [];
  for (const i of [0, 1] as const) {
    const node = await WeftNode.start(run, nodes[i], {
      config: {
        node: { name: `node-${i}`, address: [UNDERLAY[i]] },
        pods: { cidrs: [CIDRS[i]] },
        encap: { type: encap },
        engine: { workers: options.workers },
        routes: [{ to: CIDRS[1 - i], via: UNDERLAY[1 - i] }],
      },
    });
    await node.attach(pods[i], `pod-${i}`, [PODS[i]]);
    processes.push(node.pid);
  }
  return processes;
}

/** Builds the topology with one contestant in it; the run takes it away again. */
export async function build(
  run: Run,
  name: ContestantName,
  label: string,
  underlay: UnderlayOptions,
  weftOptions: WeftOptions,
): Promise<Contestant> {
  const [a, b, nodeA, nodeB] = ['a', 'b', 'na', 'nb'].map((part) => run.namespace(`${label}-${part}`));
  const ends = [nodeA, nodeB].map((namespace, i) => ({
    namespace,
    name: 'underlay',
    addresses: [`${UNDERLAY[i]}/24`],
  }));
  link(ends[0], ends[1], underlay);
  const site: Site = { run, pods: [a, b], nodes: [nodeA, nodeB], underlay, weft: weftOptions };
  const processes = await builders[name](site);
  return { name, a, b, addressOfA: PODS[0], addressOfB: PODS[1], processes };
}
