/** A TUN forwarder of one packet a call (bench/one-by-one.ts), in the manner of Flannel's `udp` backend. */
import { fileURLToPath } from 'node:url';
import { startReady } from '../process.ts';
import { hostLength, ownedBy, PODS, SIDES, type Site, UNDERLAY } from './site.ts';

/** An IPv4 and a UDP header. */
const OVERHEAD = 28;
const PROGRAM = fileURLToPath(new URL('../../one-by-one.js', import.meta.url));

export async function oneByOne(site: Site): Promise<number[]> {
  const { pods, nodes, setting } = site;
  const { family } = setting;
  const processes: number[] = [];
  for (const i of SIDES) {
    const options = { netns: pods[i].path, local: UNDERLAY[i], remote: UNDERLAY[1 - i] };
    const child = await startReady(nodes[i], process.execPath, [PROGRAM, JSON.stringify(options)]);
    processes.push(ownedBy(site, child));
    pods[i].ip(`addr add ${PODS[family][i]}${hostLength(family)} dev eth0`);
    pods[i].ip(`link set eth0 mtu ${setting.mtu - OVERHEAD} up`);
    pods[i].ip(`${family === 4 ? '' : '-6 '}route add default dev eth0`);
  }
  return processes;
}
