/** The same large transfer under every combination of offloads: nothing may be lost or changed, whoever cuts and joins. */
import { drops, type Pair, type Pod } from './pods.ts';
import { exchangeTcp, sendUdp, type UdpBulk } from './traffic.ts';
import type { Family } from './underlay.ts';

/** Bytes of TCP each way. */
export const LARGE = 64 << 20;
export const SMALL = 8 << 20;

const DATAGRAMS: readonly UdpBulk[] = [
  { count: 2000, size: 1200, segment: 32 },
  { count: 1050, size: 90, segment: 21 },
  { count: 300, size: 1373, segment: 1 },
];

/** Everything on or off at the pods' interfaces (of those that they have). */
export function setPodOffloads({ namespace }: Pod, value: 'on' | 'off'): void {
  const features = ['tx', 'tso', 'tx-udp-segmentation', 'gso', 'gro'];
  for (const feature of value === 'on' ? features : features.toReversed()) {
    // One by one: what a device does not have is an error and no reason to leave out the others.
    try {
      namespace.run('ethtool', '-K', 'eth0', feature, value);
    } catch {}
  }
}

/** TCP both ways at once, and UDP both ways, in trains and singly. */
export async function transfer({ here, there }: Pair, family: Family, bytes: number): Promise<void> {
  await exchangeTcp(here, there, family, bytes);
  await sendUdp(here, there, family, DATAGRAMS);
  await sendUdp(there, here, family, DATAGRAMS);
}

/** Of every node of the pair that runs Weft. */
export async function dropsOf({ weft, other }: Pair): Promise<Record<string, number>[]> {
  return Promise.all([weft, other].flatMap((site) => (site ? [drops(site.node)] : [])));
}
