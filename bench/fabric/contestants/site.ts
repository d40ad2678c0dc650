/**
 * The place in which a contestant is built: two nodes with a pod each, and the underlay between the nodes. The same
 * addresses for everyone; each site has namespaces of its own.
 *
 *   pod a ── node a ══ underlay (veth) ══ node b ── pod b
 */
import type { ChildProcess } from 'node:child_process';
import { link } from '../../../lab/link.ts';
import type { Namespace } from '../../../lab/namespace.ts';
import type { Run } from '../../../lab/run.ts';
import type { Setting } from '../setting.ts';

export const UNDERLAY = ['192.168.77.1', '192.168.77.2'] as const;
export const CIDRS = {
  4: ['10.244.1.0/24', '10.244.2.0/24'],
  6: ['fd00:244:1::/64', 'fd00:244:2::/64'],
} as const;
export const PODS = { 4: ['10.244.1.2', '10.244.2.2'], 6: ['fd00:244:1::2', 'fd00:244:2::2'] } as const;
export const SIDES = [0, 1] as const;
/** What pods behind a veth pair take for their router. */
const GATEWAY = { 4: '169.254.1.1', 6: 'fe80::1' } as const;

export interface Site {
  readonly run: Run;
  readonly setting: Setting;
  readonly pods: readonly [Namespace, Namespace];
  readonly nodes: readonly [Namespace, Namespace];
}

export const hostLength = (family: 4 | 6): string => (family === 4 ? '/32' : '/128 nodad');

/** @param label short and of its own within the run */
export function createSite(run: Run, label: string, setting: Setting): Site {
  const [a, b, nodeA, nodeB] = ['a', 'b', 'na', 'nb'].map((part) => run.namespace(`${label}-${part}`));
  return { run, setting, pods: [a, b], nodes: [nodeA, nodeB] };
}

/** Joins the nodes by the underlay. */
export function joinNodes({ nodes, setting }: Site): void {
  const [a, b] = SIDES.map((i) => ({
    namespace: nodes[i],
    name: 'underlay',
    addresses: [`${UNDERLAY[i]}/24`],
  }));
  link(a, b, { mtu: setting.mtu, wire: setting.underlay === 'wire' });
}

/** Gives the pod of a side `eth0`, the far end of a veth pair of its node, which routes. */
export function attachRouted({ pods, nodes, setting: { family } }: Site, side: 0 | 1, mtu: number): void {
  const [pod, node] = [pods[side], nodes[side]];
  link({ namespace: node, name: 'pod' }, { namespace: pod, name: 'eth0' }, { mtu });
  const host = hostLength(family);
  node.ip(`addr add ${GATEWAY[family]}${family === 4 ? '/32' : '/64 nodad'} dev pod`);
  pod.ip(`addr add ${PODS[family][side]}${host} dev eth0`);
  node.ip(`route add ${PODS[family][side]}${family === 4 ? '/32' : '/128'} dev pod`);
  if (family === 4) pod.ip(`route add ${GATEWAY[4]} dev eth0`);
  pod.ip(`route add default via ${GATEWAY[family]} dev eth0`);
  node.sysctl('net.ipv4.ip_forward', 1);
  node.sysctl('net.ipv6.conf.all.forwarding', 1);
}

/** Has the kernel of both nodes masquerade what pods send to outside the fabric, as CNI plugins do. */
export function masquerade({ nodes, setting: { family } }: Site): void {
  const ip = family === 4 ? 'ip' : 'ip6';
  const fabric = CIDRS[family].join(', ');
  for (const i of SIDES) {
    const rule = `${ip} saddr ${CIDRS[family][i]} ${ip} daddr != { ${fabric} } masquerade`;
    nodes[i].run('nft', 'add table inet nat');
    nodes[i].run('nft', 'add chain inet nat postrouting { type nat hook postrouting priority srcnat; }');
    nodes[i].run('nft', `add rule inet nat postrouting ${rule}`);
  }
}

/** Takes a process away with the run. @returns its id */
export function ownedBy({ run }: Site, child: ChildProcess): number {
  run.defer(() => child.kill('SIGKILL'));
  return child.pid as number;
}
