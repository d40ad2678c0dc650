/** The configuration of a node of a test, complete. */
import type { NodeConfig, OffloadConfig } from '../../control/config/node-config.ts';
import { parseAddress } from '../../wire/address.ts';
import { parsePrefix } from '../../wire/prefix.ts';

export const ALL_OFFLOADS: OffloadConfig = {
  checksum: true,
  segmentation: true,
  udpSegmentation: true,
  udpSegment: true,
  tunnelSegmentation: true,
  udpGro: true,
  batchedReads: true,
  coalesce: true,
};

export function nodeConfig(state: string, changed: Partial<NodeConfig> = {}): NodeConfig {
  return {
    node: { name: 'node-a', address: [parseAddress('192.168.77.1')] },
    pods: { cidrs: ['10.244.1.0/24', 'fd00:244:1::/64'].map(parsePrefix), mtu: 'auto' },
    encap: { type: 'vxlan', when: 'always', vxlan: { vni: 4096, port: 4789 }, receive: ['vxlan', 'ipip'] },
    engine: {
      workers: 2,
      offload: ALL_OFFLOADS,
      sourcePorts: 4,
      busyPoll: 0,
      cpus: [],
    },
    host: { interface: 'weft0', natOutgoing: true },
    routes: [],
    bgp: undefined,
    state,
    api: { socket: `${state}/weft.sock`, group: undefined },
    metrics: undefined,
    ...changed,
  };
}
