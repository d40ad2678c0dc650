/** BGP peers of a node of the site, on a link of their own, and how to know that the node has what they told. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { link } from '../../lab/link.ts';
import type { WeftNode } from '../../lab/weft-node.ts';
import type { Site } from '../fabric/contestants/site.ts';
import { startReady } from '../fabric/process.ts';
import type { PeersOptions } from './peers.ts';

const PROGRAM = fileURLToPath(new URL('./peers.js', import.meta.url));
const NODE = '10.98.0.1';
const OWN_ASN = 65000;
const FIRST_ASN = 4_200_000_000;
const PORT = 179;
const HOLD_TIME = 90;
/** That each peer tells: the same as everyone, so that what grows is sessions and not the FIB. */
export const ROUTES_A_PEER = 100;
const PATIENCE_MS = 60_000;

const addressOf = (peer: number): string => `10.98.${1 + (peer >> 8)}.${peer & 255}`;

/** Of a node's configuration, for so many peers. */
export const bgpConfig = (count: number) => ({
  asn: OWN_ASN,
  routerId: NODE,
  requirePolicy: false,
  kernelRoutes: false,
  advertise: [],
  peers: Array.from({ length: count }, (_, i) => ({
    address: addressOf(i + 1),
    asn: FIRST_ASN + i,
    passive: true,
    families: ['ipv4'],
  })),
});

/** Puts addresses on either end, before the node starts. */
export function joinPeers({ run, nodes }: Site, count: number) {
  const peers = run.namespace('bgp');
  const addresses = Array.from({ length: count }, (_, i) => `${addressOf(i + 1)}/16`);
  link(
    { namespace: nodes[0], name: 'bgp', addresses: [`${NODE}/16`] },
    { namespace: peers, name: 'bgp', addresses },
  );
  return peers;
}

/** @returns seconds until all sessions are up and all that the peers tell has been accepted */
export async function bringPeersUp(
  { run }: Site,
  node: WeftNode,
  peers: ReturnType<typeof joinPeers>,
  count: number,
): Promise<number> {
  const began = performance.now();
  const locals = Array.from({ length: count }, (_, i) => addressOf(i + 1));
  const options: PeersOptions = {
    ...{ remote: NODE, port: PORT, holdTime: HOLD_TIME, locals },
    ...{ firstAsn: FIRST_ASN, routes: ROUTES_A_PEER },
  };
  const child = await startReady(peers, process.execPath, [PROGRAM, JSON.stringify(options)]);
  run.defer(() => child.kill('SIGKILL'));
  for (;;) {
    const seen = await node.client.get<{ state: string; accepted: number }[]>('bgp');
    if (seen.filter(({ accepted }) => accepted === ROUTES_A_PEER).length === count) break;
    if (performance.now() - began > PATIENCE_MS) {
      throw new Error(
        `of ${count} peers some were not up after ${PATIENCE_MS / 1000} s: ${JSON.stringify(seen)}`,
      );
    }
    await sleep(20);
  }
  return (performance.now() - began) / 1000;
}
