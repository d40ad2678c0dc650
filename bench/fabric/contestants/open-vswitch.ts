/**
 * Open vSwitch with its user-space datapath (netdev, no DPDK), where it is installed: a daemon pair of its own on each node,
 * the pod and a VXLAN port on one bridge, the underlay on another, whose address ends the tunnel.
 */
import { join } from 'node:path';
import { link } from '../../../lab/link.ts';
import { CIDRS, hostLength, ownedBy, PODS, SIDES, type Site, UNDERLAY } from './site.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const OVERHEAD = 50;
const PATIENCE_MS = 10_000;
const PODS_MAC = ['02:00:00:00:01:01', '02:00:00:00:01:02'] as const;
const UNDERLAY_MAC = ['02:00:00:00:02:01', '02:00:00:00:02:02'] as const;

export async function openVswitch(site: Site): Promise<number[]> {
  const processes: number[] = [];
  for (const i of SIDES) processes.push(...(await startNode(site, i)));
  return processes;
}

async function startNode(site: Site, i: 0 | 1): Promise<number[]> {
  const { nodes, pods, run, setting } = site;
  const [node, pod] = [nodes[i], pods[i]];
  const { family } = setting;
  const folder = run.folderOf(node);
  const file = (name: string) => join(folder, name);
  const database = `unix:${file('db.sock')}`;
  node.run('ovsdb-tool', 'create', file('conf.db'), SCHEMA);
  const quiet = ['-vconsole:emer', '-vsyslog:off'];
  const server = node.start(
    'ovsdb-server',
    [file('conf.db'), ...quiet, `--remote=p${database}`, `--unixctl=${file('server.ctl')}`],
    { stdio: 'ignore' },
  );
  ownedBy(site, server);
  await untilDone(() => node.run('ovs-vsctl', `--db=${database}`, '--no-wait', 'init'));
  const daemon = node.start('ovs-vswitchd', [database, ...quiet, `--unixctl=${file('switch.ctl')}`], {
    stdio: 'ignore',
    // Bridges are controlled through sockets in this folder.
    env: { ...process.env, OVS_RUNDIR: folder },
  });
  const pid = ownedBy(site, daemon);

  link({ namespace: node, name: 'pod' }, { namespace: pod, name: 'eth0' }, { mtu: setting.mtu - OVERHEAD });
  // What the datapath reads from a packet socket has to be whole: nobody sums up for it.
  pod.run('ethtool', '-K', 'eth0', 'tx', 'off');
  pod.ip(`link set eth0 address ${PODS_MAC[i]}`);
  pod.ip(`addr add ${PODS[family][i]}${hostLength(family)} dev eth0`);
  pod.ip(`route add ${CIDRS[family][1 - i]} dev eth0`);
  pod.ip(`neigh add ${PODS[family][1 - i]} lladdr ${PODS_MAC[1 - i]} dev eth0 nud permanent`);

  const control = (...args: string[]) => node.run('ovs-vsctl', `--db=${database}`, '--timeout=10', ...args);
  const bridge = (name: string) => [
    '--',
    'add-br',
    name,
    '--',
    'set',
    'bridge',
    name,
    'datapath_type=netdev',
  ];
  control(...bridge('phy').slice(1), '--', 'set', 'bridge', 'phy', `other_config:hwaddr=${UNDERLAY_MAC[i]}`);
  control('add-port', 'phy', 'underlay');
  control(...bridge('pods').slice(1), '--', 'add-port', 'pods', 'pod');
  const tunnel = [`options:remote_ip=${UNDERLAY[1 - i]}`, 'options:key=4096'];
  control('add-port', 'pods', 'vx', '--', 'set', 'interface', 'vx', 'type=vxlan', ...tunnel);
  node.ip(`addr del ${UNDERLAY[i]}/24 dev underlay`);
  node.ip(`addr add ${UNDERLAY[i]}/24 dev phy`);
  node.ip(`link set phy mtu ${setting.mtu} up`);
  node.run(
    'ovs-appctl',
    '-t',
    file('switch.ctl'),
    'tnl/neigh/set',
    'phy',
    UNDERLAY[1 - i],
    UNDERLAY_MAC[1 - i],
  );
  return [pid];
}

async function untilDone(step: () => unknown): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      step();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
