/** The n-th node as a plain IPIP end point: a Python program with raw sockets, the kernel behind its TUN as the pod. */
import { fileURLToPath } from 'node:url';
import type { Run } from '../../lab/run.ts';
import { type Pod, podAddress, podPrefixes } from './pods.ts';
import { Program } from './traffic.ts';
import { type Underlay, underlayAddress } from './underlay.ts';

const PROGRAM = fileURLToPath(new URL('ipip-peer.py', import.meta.url));
const MTU = 1480;

/** @param remote number of the node at the other end */
export async function startIpipPeer(run: Run, underlay: Underlay, n: number, remote: number): Promise<Pod> {
  const namespace = underlay.host(n);
  const peer = new Program(namespace, [underlayAddress(n, 4), underlayAddress(remote, 4)], PROGRAM);
  run.defer(() => peer.stop());
  await peer.next();
  namespace.ip(`addr add ${podAddress(n, 2, 4)}/32 dev ipip0`);
  namespace.ip(`addr add ${podAddress(n, 2, 6)}/128 dev ipip0 nodad`);
  namespace.ip(`link set ipip0 mtu ${MTU} addrgenmode none up`);
  for (const prefix of podPrefixes(remote)) namespace.ip(`route add ${prefix} dev ipip0`);
  return { namespace, ip: (family) => podAddress(n, 2, family) };
}
