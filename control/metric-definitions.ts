/** What the metrics are: names, labels, and where in a reading of the node each value stands. Serving is metrics.ts. */
import { readdirSync } from 'node:fs';
import type { BgpPeer, MetricsSnapshot, Pod, Traffic, Tunnel } from './service.ts';

export interface Definition {
  readonly type: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  read(snapshot: MetricsSnapshot): Sample[];
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** One sample a name, which becomes the label. */
const by = (label: string, values: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);

const node: readonly Definition[] = [
  {
    type: 'counter',
    name: 'weft_packets_total',
    help: 'Packets by their fate, each packet once. Drops are among them.',
    labels: ['verdict'],
    read: ({ verdicts }) => by('verdict', verdicts),
  },
  {
    type: 'counter',
    name: 'weft_drops_total',
    help: 'Packets dropped, by reason; every reason that exists is there.',
    labels: ['reason'],
    read: ({ drops }) => by('reason', drops),
  },
  {
    type: 'gauge',
    name: 'weft_routes',
    help: 'Prefixes by the source of their best route.',
    labels: ['source'],
    read: ({ routes }) => by('source', routes),
  },
  {
    type: 'gauge',
    name: 'weft_pods',
    help: 'Attachments; those that wait could not be taken over yet.',
    labels: ['state'],
    read({ pods }) {
      const forwarding = pods.filter(({ state }) => state === 'forwarding').length;
      return by('state', { forwarding, waiting: pods.length - forwarding });
    },
  },
];

const podLabels = ({ id, ifname }: Pod) => ({ id, interface: ifname });
const tunnelLabels = ({ remote }: Tunnel) => ({ remote });

const pods: readonly Definition[] = [
  ...traffic('pod', ['id', 'interface'], { rx: 'delivered to the pod', tx: 'sent by the pod' }, (snapshot) =>
    snapshot.pods.map((pod) => [podLabels(pod), pod]),
  ),
  {
    type: 'counter',
    name: 'weft_pod_drops_total',
    help: 'Packets from the pod or for it that were dropped.',
    labels: ['id', 'interface'],
    read: (snapshot) => snapshot.pods.map((pod) => [podLabels(pod), pod.drops]),
  },
];

const tunnels: readonly Definition[] = [
  ...traffic('tunnel', ['remote'], { rx: 'received from it', tx: 'sent to it' }, (snapshot) =>
    snapshot.tunnels.map((tunnel) => [tunnelLabels(tunnel), tunnel]),
  ),
  {
    type: 'gauge',
    name: 'weft_tunnel_last_seen_timestamp_seconds',
    help: 'When something was last received from it; absent when nothing was since start.',
    labels: ['remote'],
    read: (snapshot) =>
      snapshot.tunnels.flatMap((tunnel) =>
        tunnel.lastSeen === null ? [] : [[tunnelLabels(tunnel), Date.parse(tunnel.lastSeen) / 1000]],
      ),
  },
];

const bgp: readonly Definition[] = [
  ofPeer('gauge', 'up', 'Whether the session is established.', ({ state }) =>
    Number(state === 'established'),
  ),
  ofPeer('gauge', 'state_seconds', 'Since when the session is in its state.', (peer) => peer.uptimeSeconds),
  ofPeer('gauge', 'received_routes', 'Routes taken in from the peer.', (peer) => peer.received),
  ofPeer('gauge', 'accepted_routes', 'Of these, what policy lets be used.', (peer) => peer.accepted),
  ofPeer('gauge', 'advertised_routes', 'Routes told to the peer.', (peer) => peer.advertised),
  ofPeer('counter', 'sessions_total', 'How often a session was established.', (peer) => peer.sessions),
  ofPeer(
    'counter',
    'malformed_updates_total',
    'UPDATEs with errors that cost routes or attributes only.',
    (peer) => peer.malformedUpdates,
  ),
  ...(['received', 'sent'] as const).flatMap((way): Definition[] => [
    ofPeer('counter', `${way}_bytes_total`, `Bytes ${way} over sessions.`, ({ bytes }) => bytes[way]),
    {
      type: 'counter',
      name: `weft_bgp_${way}_messages_total`,
      help: `Messages ${way}.`,
      labels: ['peer', 'type'],
      read: (snapshot) =>
        snapshot.bgp.flatMap(({ name, messages }) =>
          Object.entries(messages[way]).map(([type, count]): Sample => [{ peer: name, type }, count]),
        ),
    },
  ]),
];

function ofPeer(
  type: Definition['type'],
  name: string,
  help: string,
  value: (peer: BgpPeer) => number,
): Definition {
  return {
    type,
    name: `weft_bgp_${name}`,
    help,
    labels: ['peer'],
    read: (snapshot) => snapshot.bgp.map((peer) => [{ peer: peer.name }, value(peer)]),
  };
}

/** Four counters: packets and bytes, each way. */
function traffic(
  subject: string,
  labels: readonly string[],
  words: { readonly rx: string; readonly tx: string },
  read: (
    snapshot: MetricsSnapshot,
  ) => (readonly [Sample[0], { readonly rx: Traffic; readonly tx: Traffic }])[],
): Definition[] {
  const ways = [
    ['rx', 'receive'],
    ['tx', 'transmit'],
  ] as const;
  const units = [
    ['packets', 'IP packets'],
    ['bytes', 'Bytes of IP packets'],
  ] as const;
  return ways.flatMap(([way, wayName]) =>
    units.map(([unit, unitName]) => ({
      type: 'counter',
      name: `weft_${subject}_${wayName}_${unit}_total`,
      help: `${unitName} ${words[way]}.`,
      labels,
      read: (snapshot) => read(snapshot).map(([sample, item]) => [sample, item[way][unit]]),
    })),
  );
}

const started = Date.now() / 1000 - process.uptime();

/** Of the daemon itself, by the names that Prometheus' own libraries use. */
const daemon: readonly Definition[] = [
  own('counter', 'process_cpu_seconds_total', 'Processor time, user and system, all threads.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }),
  own('gauge', 'process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss()),
  own('gauge', 'process_start_time_seconds', 'Start, seconds since 1970.', () => started),
  own('gauge', 'process_open_fds', 'Open descriptors.', () => readdirSync('/proc/self/fd').length),
];

function own(type: Definition['type'], name: string, help: string, value: () => number): Definition {
  return { type, name, help, labels: [], read: () => [[{}, value()]] };
}

export const definitions: readonly Definition[] = [...node, ...pods, ...tunnels, ...bgp, ...daemon];
