/** What `weft bench bgp` measures: feeds, who takes part in each, and what is to be reached. */
import type { ContestantName } from './contestants.ts';
import type { Feed } from './feed.ts';

export const levels = ['quick', 'standard', 'full'] as const;
export type Level = (typeof levels)[number];

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly level: Level;
  readonly feed: Feed;
  readonly targets: readonly Goal[];
  /** For those that are slow: until they have had their time. */
  readonly patience: number;
}

export interface Goal {
  readonly metric: Metric;
  /** Weft by that; absent: the figure itself. */
  readonly against?: ContestantName;
  readonly atMost: number;
}

export const metrics = {
  tell: { title: 'told on', unit: 's' },
  fib: { title: 'in the FIB', unit: 's' },
  withdraw: { title: 'withdrawn', unit: 's' },
  cpu: { title: 'CPU, telling on', unit: 's' },
  memory: { title: 'memory', unit: 'bytes a route' },
  silence: { title: 'longest silence of a session', unit: 's' },
  answer: { title: 'slowest answer of the API', unit: 'ms' },
} as const;
export type Metric = keyof typeof metrics;
export type Figures = Partial<Record<Metric, number>>;

const packed = (routes: number): Feed => ({
  routes,
  perMessage: 300,
  attributeSets: Math.ceil(routes / 300),
});
const single = (routes: number): Feed => ({ routes, perMessage: 1, attributeSets: routes / 5 });

/** Milliseconds in which the API answers, and seconds in which a session with a hold time of 3 s hears something. */
const ALWAYS: readonly Goal[] = [
  { metric: 'answer', atMost: 50 },
  { metric: 'silence', atMost: 1.1 },
];
const LARGE: readonly Goal[] = [
  { metric: 'tell', against: 'openbgpd', atMost: 1 },
  { metric: 'tell', against: 'bird-import-table', atMost: 2 },
  { metric: 'withdraw', against: 'openbgpd', atMost: 1 },
  { metric: 'withdraw', against: 'bird-import-table', atMost: 2 },
  { metric: 'memory', atMost: 250 },
  ...ALWAYS,
];

export const rows: readonly Row[] = [
  row('10k', '10,000 routes, 300 a message', 'standard', packed(10_000), ALWAYS),
  row('100k', '100,000 routes, 300 a message', 'quick', packed(100_000), ALWAYS),
  row('100k-single', '100,000 routes, one a message', 'quick', single(100_000), ALWAYS),
  row('500k', '500,000 routes, 300 a message', 'standard', packed(500_000), ALWAYS),
  row('500k-single', '500,000 routes, one a message', 'standard', single(500_000), LARGE),
  row('1m', '1,000,000 routes, 300 a message', 'standard', packed(1_000_000), LARGE),
];

function row(id: string, title: string, level: Level, feed: Feed, targets: readonly Goal[]): Row {
  return { id, title, level, feed, targets, patience: 30 + feed.routes / 5000 };
}

export const rowIds = rows.map(({ id }) => id);

export const rowsOf = (level: Level, only?: readonly string[]): Row[] =>
  only === undefined
    ? rows.filter((one) => levels.indexOf(one.level) <= levels.indexOf(level))
    : rows.filter(({ id }) => only.includes(id));
