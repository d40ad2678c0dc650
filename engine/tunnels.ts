// Which tunnel a packet leaves by: by outer family for VXLAN, by inner family for IPIP, whose two are different protocols
// of IPv4. What a tunnel is, is the caller's: the forwarder has senders, `weft why` only asks whether there is one.

import { AdjacencyKind } from './tables/adjacencies.ts';

/** The tunnels that a worker can send through; undefined where the node has no socket for it. */
export interface Tunnels<Tunnel> {
  readonly vxlan4: Tunnel | undefined;
  readonly vxlan6: Tunnel | undefined;
  readonly ipip4: Tunnel | undefined;
  readonly ipip6: Tunnel | undefined;
}

/** Of the sockets of a worker, the tunnels that have one. */
export const tunnelsWithSockets = (sockets: Tunnels<readonly number[]>): Tunnels<true> => {
  const has = (fds: readonly number[] | undefined): true | undefined => (fds?.length ? true : undefined);
  const { vxlan4, vxlan6, ipip4, ipip6 } = sockets;
  return { vxlan4: has(vxlan4), vxlan6: has(vxlan6), ipip4: has(ipip4), ipip6: has(ipip6) };
};

export const tunnelOf = <Tunnel>(
  tunnels: Tunnels<Tunnel>,
  kind: number,
  outerFamily: number,
  innerFamily: number,
): Tunnel | undefined => {
  if (kind === AdjacencyKind.vxlan) return outerFamily === 4 ? tunnels.vxlan4 : tunnels.vxlan6;
  if (kind !== AdjacencyKind.ipip || outerFamily !== 4) return undefined;
  return innerFamily === 4 ? tunnels.ipip4 : tunnels.ipip6;
};
