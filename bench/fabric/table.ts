/**
 * What `weft bench fabric` measures: works × contestants × settings, and what is to be reached. To measure something else
 * is to add a line here.
 */
import type { ContestantName } from './contestants/contestants.ts';
import type { Metric } from './metrics.ts';
import { BASE, type Setting, settingText } from './setting.ts';
import {
  idle,
  iperf,
  roundTrip,
  roundTripUnderLoad,
  tcp,
  transactions,
  udpOverload,
  udpWithoutLoss,
  type Work,
} from './works.ts';

/** How much is measured: each level has the rows of those before it. */
export const levels = ['quick', 'standard', 'full'] as const;
export type Level = (typeof levels)[number];

export interface Target {
  readonly metric: Metric;
  readonly contestant: ContestantName;
  readonly against: ContestantName;
  /** Ratio contestant / against. */
  readonly goal: { readonly atLeast: number } | { readonly atMost: number };
  /** Processor cores without which the ratio says nothing of the goal. */
  readonly cores?: number;
}

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly level: Level;
  readonly work: Work;
  readonly setting: Setting;
  readonly contestants: readonly ContestantName[];
  /** Those that take part at level quick, where a row is for that too. */
  readonly quick?: readonly ContestantName[];
  /** The figure that stands for the row. */
  readonly metric: Metric;
  readonly targets?: readonly Target[];
  /** Seconds of each measurement at level full, when not as for all. */
  readonly seconds?: number;
  /** Seconds of each measurement at any level, where less says nothing. */
  readonly leastSeconds?: number;
  /** Rounds at every level, when not as for all: of what is not compared. */
  readonly rounds?: number;
}

/** With whom everyone is compared. */
export const REFERENCE: ContestantName = 'kernel-vxlan';

const TWO: readonly ContestantName[] = [REFERENCE, 'weft'];
const LIMIT: readonly ContestantName[] = ['routing', ...TWO];
const FEW: readonly ContestantName[] = ['routing', ...TWO, 'one-by-one'];
const ALL: readonly ContestantName[] = [
  ...LIMIT,
  'weft-ipip',
  'weft-direct',
  'one-by-one',
  'wireguard-go',
  'tinc',
  'open-vswitch',
];

/** Where Weft takes part a second time, with a processor for each node's worker. */
const apart = (list: readonly ContestantName[]): readonly ContestantName[] =>
  list.flatMap((name) => (name === 'weft' ? [name, 'weft-apart'] : [name]));

const S64 = { size: 64, flows: 1 };
const M64 = { size: 64, flows: 64 };

interface Entry extends Omit<Row, 'setting'> {
  readonly setting?: Partial<Setting>;
}

const target = (
  metric: Metric,
  goal: Target['goal'],
  against: ContestantName = REFERENCE,
  contestant: ContestantName = 'weft',
): Target => ({ metric, goal, against, contestant });

/** Of both: as the scheduler likes it, and apart. */
const both = (metric: Metric, goal: Target['goal']): Target[] => [
  target(metric, goal),
  target(metric, goal, REFERENCE, 'weft-apart'),
];

/** Two workers a node, a sender, a receiver, and the kernel's share of each. */
const TO_SPARE = 8;

const offloading = { underlay: 'offloading' } as const;
const jumbo = { mtu: 9000 } as const;
const sixth = { family: 6 } as const;
const plain = { podOffload: false } as const;
const masquerading = { masquerade: true } as const;

// biome-ignore format: a table
const entries: readonly Entry[] = [
  // The generator: nobody can be faster than what it sends and counts.
  { id: 'cable-tcp1', title: 'Load generator alone, TCP 1 stream', level: 'quick', work: tcp(1), contestants: ['cable'], metric: 'gbits', rounds: 2 },
  { id: 'cable-tcp4', title: 'Load generator alone, TCP 4 streams', level: 'standard', work: tcp(4), contestants: ['cable'], metric: 'gbits', rounds: 2 },
  { id: 'cable-udp64', title: 'Load generator alone, UDP 64 B, overload', level: 'quick', work: udpOverload(S64), contestants: ['cable'], metric: 'kpps', rounds: 2 },
  { id: 'cable-udp1400', title: 'Load generator alone, UDP 1,400 B, overload', level: 'standard', work: udpOverload({ size: 1400, flows: 1 }), contestants: ['cable'], metric: 'kpps', rounds: 2 },
  { id: 'cable-rtt', title: 'Load generator alone, round trip', level: 'quick', work: roundTrip, contestants: ['cable'], metric: 'p50', rounds: 2 },
  { id: 'cable-connections', title: 'Load generator alone, connections', level: 'standard', work: transactions, contestants: ['cable'], metric: 'connections', rounds: 2 },

  // TCP.
  { id: 'tcp1', title: 'TCP 1 stream', level: 'quick', work: tcp(1), contestants: apart(ALL), quick: FEW, metric: 'gbits',
    targets: [
      ...both('gbits', { atLeast: 1.3 }), ...both('cpuPerGbit', { atMost: 1 }),
      target('gbits', { atLeast: 12 }, 'one-by-one'), target('gbits', { atLeast: 3 }, 'wireguard-go'),
      target('gbits', { atLeast: 0.3 }, 'weft', 'weft-ipip'),
    ] },
  { id: 'tcp4', title: 'TCP 4 streams', level: 'standard', work: tcp(4), contestants: apart(ALL), metric: 'gbits', targets: both('gbits', { atLeast: 1 }) },
  { id: 'tcp16', title: 'TCP 16 streams', level: 'full', work: tcp(16), contestants: LIMIT, metric: 'gbits' },
  { id: 'tcp1-reverse', title: 'TCP 1 stream, the other way', level: 'full', work: tcp(1, 'reverse'), contestants: TWO, metric: 'gbits' },
  { id: 'tcp4-reverse', title: 'TCP 4 streams, the other way', level: 'full', work: tcp(4, 'reverse'), contestants: TWO, metric: 'gbits' },
  { id: 'tcp16-reverse', title: 'TCP 16 streams, the other way', level: 'full', work: tcp(16, 'reverse'), contestants: TWO, metric: 'gbits' },
  { id: 'tcp1-both', title: 'TCP 1 stream each way at once', level: 'full', work: tcp(1, 'both'), contestants: LIMIT, metric: 'gbits' },
  { id: 'tcp1-offloading', title: 'TCP 1 stream', level: 'standard', work: tcp(1), setting: offloading, contestants: apart(ALL), metric: 'gbits', targets: both('gbits', { atLeast: 1 }) },
  { id: 'tcp4-offloading', title: 'TCP 4 streams', level: 'standard', work: tcp(4), setting: offloading, contestants: apart(LIMIT), metric: 'gbits', targets: both('gbits', { atLeast: 0.7 }) },
  { id: 'tcp16-offloading', title: 'TCP 16 streams', level: 'full', work: tcp(16), setting: offloading, contestants: LIMIT, metric: 'gbits' },
  { id: 'tcp1-mtu9000', title: 'TCP 1 stream', level: 'full', work: tcp(1), setting: jumbo, contestants: LIMIT, metric: 'gbits' },
  { id: 'tcp4-mtu9000', title: 'TCP 4 streams', level: 'full', work: tcp(4), setting: jumbo, contestants: LIMIT, metric: 'gbits' },
  { id: 'tcp1-plain-pods', title: 'TCP 1 stream', level: 'full', work: tcp(1), setting: plain, contestants: LIMIT, metric: 'gbits' },
  { id: 'tcp1-masquerade', title: 'TCP 1 stream', level: 'standard', work: tcp(1), setting: masquerading, contestants: [...LIMIT, 'weft-ipip'], metric: 'gbits', targets: [target('gbits', { atLeast: 1.3 })] },
  { id: 'tcp1-ipv6', title: 'TCP 1 stream', level: 'full', work: tcp(1), setting: sixth, contestants: LIMIT, metric: 'gbits' },
  { id: 'tcp4-ipv6', title: 'TCP 4 streams', level: 'full', work: tcp(4), setting: sixth, contestants: LIMIT, metric: 'gbits' },
  { id: 'tcp1-iperf3', title: 'TCP 1 stream by iperf3', level: 'standard', work: iperf(1), contestants: FEW, metric: 'gbits' },
  { id: 'tcp4-iperf3', title: 'TCP 4 streams by iperf3', level: 'full', work: iperf(4), contestants: TWO, metric: 'gbits' },
  { id: 'tcp4-workers', title: 'TCP 4 streams, by workers', level: 'full', work: tcp(4), contestants: ['weft', 'weft-2-workers', 'weft-4-workers'], metric: 'gbits',
    targets: [{ ...target('gbits', { atLeast: 1.7 }, 'weft', 'weft-2-workers'), cores: TO_SPARE }] },

  // UDP.
  { id: 'udp64', title: 'UDP 64 B, 1 flow, overload', level: 'quick', work: udpOverload(S64), contestants: apart(ALL), quick: FEW, metric: 'kpps',
    targets: [...both('kpps', { atLeast: 4 }), target('kpps', { atLeast: 5 }, 'one-by-one')] },
  { id: 'udp64-flows', title: 'UDP 64 B, 64 flows, overload', level: 'standard', work: udpOverload(M64), contestants: apart(LIMIT), metric: 'kpps', targets: both('kpps', { atLeast: 3 }) },
  { id: 'udp512', title: 'UDP 512 B, 1 flow, overload', level: 'full', work: udpOverload({ size: 512, flows: 1 }), contestants: LIMIT, metric: 'kpps' },
  { id: 'udp512-flows', title: 'UDP 512 B, 64 flows, overload', level: 'full', work: udpOverload({ size: 512, flows: 64 }), contestants: LIMIT, metric: 'kpps' },
  { id: 'udp1400', title: 'UDP 1,400 B, 1 flow, overload', level: 'standard', work: udpOverload({ size: 1400, flows: 1 }), contestants: LIMIT, metric: 'kpps', targets: [target('kpps', { atLeast: 2 })] },
  { id: 'udp1400-flows', title: 'UDP 1,400 B, 64 flows, overload', level: 'full', work: udpOverload({ size: 1400, flows: 64 }), contestants: LIMIT, metric: 'kpps' },
  { id: 'udp64-offloading', title: 'UDP 64 B, 1 flow, overload', level: 'full', work: udpOverload(S64), setting: offloading, contestants: FEW, metric: 'kpps' },
  { id: 'udp64-masquerade', title: 'UDP 64 B, 1 flow, overload', level: 'standard', work: udpOverload(S64), setting: masquerading, contestants: LIMIT, metric: 'kpps', targets: [target('kpps', { atLeast: 4 })] },
  { id: 'udp64-ipv6', title: 'UDP 64 B, 1 flow, overload', level: 'full', work: udpOverload(S64), setting: sixth, contestants: LIMIT, metric: 'kpps' },
  { id: 'udp64-workers', title: 'UDP 64 B, 64 flows, overload, by workers', level: 'full', work: udpOverload(M64), contestants: ['weft', 'weft-2-workers', 'weft-4-workers'], metric: 'kpps',
    targets: [{ ...target('kpps', { atLeast: 1.7 }, 'weft', 'weft-2-workers'), cores: TO_SPARE }] },
  { id: 'udp64-lossless', title: 'UDP 64 B, 1 flow, without loss', level: 'standard', work: udpWithoutLoss(S64), contestants: apart(FEW), metric: 'kpps', seconds: 1, targets: both('kpps', { atLeast: 3.5 }) },
  { id: 'udp64-lossless-others', title: 'UDP 64 B, 1 flow, without loss, others', level: 'full', work: udpWithoutLoss(S64), contestants: [...TWO, 'wireguard-go', 'tinc', 'open-vswitch'], metric: 'kpps', seconds: 1 },
  { id: 'udp64-flows-lossless', title: 'UDP 64 B, 64 flows, without loss', level: 'full', work: udpWithoutLoss(M64), contestants: apart(TWO), metric: 'kpps', seconds: 1, targets: both('kpps', { atLeast: 3 }) },
  { id: 'udp512-lossless', title: 'UDP 512 B, 1 flow, without loss', level: 'full', work: udpWithoutLoss({ size: 512, flows: 1 }), contestants: TWO, metric: 'kpps', seconds: 1 },
  { id: 'udp512-flows-lossless', title: 'UDP 512 B, 64 flows, without loss', level: 'full', work: udpWithoutLoss({ size: 512, flows: 64 }), contestants: TWO, metric: 'kpps', seconds: 1 },
  { id: 'udp1400-lossless', title: 'UDP 1,400 B, 1 flow, without loss', level: 'full', work: udpWithoutLoss({ size: 1400, flows: 1 }), contestants: TWO, metric: 'kpps', seconds: 1, targets: [target('kpps', { atLeast: 2 })] },
  { id: 'udp1400-flows-lossless', title: 'UDP 1,400 B, 64 flows, without loss', level: 'full', work: udpWithoutLoss({ size: 1400, flows: 64 }), contestants: TWO, metric: 'kpps', seconds: 1 },
  { id: 'udp1400-mtu9000', title: 'UDP 1,400 B, 1 flow, overload', level: 'full', work: udpOverload({ size: 1400, flows: 1 }), setting: jumbo, contestants: LIMIT, metric: 'kpps' },

  // Round trips and connections.
  { id: 'rtt', title: 'Round trip, idle', level: 'quick', work: roundTrip, contestants: ALL, quick: FEW, metric: 'p50', seconds: 1, targets: [target('p50', { atMost: 1.3 })] },
  { id: 'rtt-load', title: 'Round trip under half load', level: 'standard', work: roundTripUnderLoad, contestants: apart(LIMIT), metric: 'p99',
    // Who shares a processor with whom stays as it is for a second or two, and p99 of the kernel is 100 or 550 µs with it.
    leastSeconds: 6, targets: both('p99', { atMost: 1.5 }) },
  { id: 'rtt-ipv6', title: 'Round trip, idle', level: 'full', work: roundTrip, setting: sixth, contestants: LIMIT, metric: 'p50', seconds: 1 },
  { id: 'connections', title: 'Connections, one after the other', level: 'standard', work: transactions, contestants: FEW, metric: 'connections' },

  // What it costs to have it.
  { id: 'idle', title: 'Idle', level: 'standard', work: idle, contestants: ['weft'], metric: 'idleCpu', rounds: 1 },
];

export interface Choice {
  readonly level: Level;
  /** Only these rows, whatever their level. */
  readonly only?: readonly string[];
  /** What is different in every row. */
  readonly override: Partial<Setting>;
}

/** The rows that are asked for. Those of one setting are together: their topologies stand at the same time. */
export function rowsOf({ level, only, override }: Choice): Row[] {
  const wanted = levels.slice(0, levels.indexOf(level) + 1);
  return entries
    .filter(({ id, level: own }) => (only ? only.includes(id) : wanted.includes(own)))
    .map((entry): Row => {
      const setting = { ...BASE, ...entry.setting, ...override };
      const title = [entry.title, settingText(setting)].filter(Boolean).join(', ');
      const contestants = level === 'quick' && entry.quick ? entry.quick : entry.contestants;
      return { ...entry, title, setting, contestants };
    });
}

export const rowIds: readonly string[] = entries.map(({ id }) => id);

/** Those that have something to reach, and what limits them. */
export const goalIds: readonly string[] = entries
  .filter(({ targets, contestants }) => targets || contestants.includes('cable'))
  .map(({ id }) => id);
