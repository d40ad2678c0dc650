/** What measurements of speakers say: figures with their spread, and whether what is to be reached was reached. */
import type { Build, Machine } from '../machine.ts';
import { type Summary, summarize } from '../statistics.ts';
import { type ContestantName, contestantNames, contestants } from './contestants.ts';
import { type Goal, type Level, type Metric, metrics, type Row } from './rows.ts';
import type { Measurement } from './suite.ts';

export interface ContestantResult {
  readonly name: ContestantName;
  readonly title: string;
  readonly figures: Partial<Record<Metric, Summary>>;
  readonly failures: readonly string[];
}

export interface GoalResult extends Goal {
  /** Weft's figure, or its ratio to the other's within rounds. */
  readonly value: Summary;
  readonly reached: boolean;
}

export interface BgpRowResult {
  readonly id: string;
  readonly title: string;
  readonly routes: number;
  readonly rounds: number;
  readonly contestants: readonly ContestantResult[];
  readonly targets: readonly GoalResult[];
}

export interface BgpResults extends Build {
  readonly benchmark: 'bgp';
  /** When the run began, UTC. */
  readonly begun: string;
  readonly level: Level;
  readonly machine: Machine;
  readonly versions: Partial<Record<ContestantName, string>>;
  readonly missing: Partial<Record<ContestantName, string>>;
  readonly rows: readonly BgpRowResult[];
}

export function resultsOf(rows: readonly Row[], measurements: readonly Measurement[]): BgpRowResult[] {
  return rows.map((row) => {
    const own = measurements.filter((one) => one.row === row.id);
    const present = contestantNames.filter((name) => own.some(({ contestant }) => contestant === name));
    return {
      id: row.id,
      title: row.title,
      routes: row.feed.routes,
      rounds: new Set(own.map(({ round }) => round)).size,
      contestants: present.map((name) => contestantResult(name, own)),
      targets: row.targets.flatMap((goal) => goalResult(goal, own)),
    };
  });
}

function contestantResult(name: ContestantName, all: readonly Measurement[]): ContestantResult {
  const own = all.filter(({ contestant }) => contestant === name);
  const figures = (Object.keys(metrics) as Metric[]).flatMap((metric) => {
    const values = own.flatMap((one) => one.figures?.[metric] ?? []);
    return values.length === 0 ? [] : [[metric, summarize(values)] as const];
  });
  return {
    name,
    title: contestants[name].title,
    figures: Object.fromEntries(figures),
    failures: own.flatMap(({ failure }) => failure ?? []),
  };
}

function goalResult(goal: Goal, all: readonly Measurement[]): GoalResult[] {
  const { metric, against, atMost } = goal;
  const of = (name: ContestantName, round: number): number | undefined =>
    all.find((one) => one.contestant === name && one.round === round)?.figures?.[metric];
  const values = [...new Set(all.map(({ round }) => round))].flatMap((round) => {
    const [own, other] = [of('weft', round), against === undefined ? 1 : of(against, round)];
    return own === undefined || other === undefined ? [] : own / other;
  });
  if (values.length === 0) return [];
  const value = summarize(values);
  // Of what holds throughout the worst counts.
  const counts = against === undefined && metric !== 'memory' ? value.most : value.median;
  return [{ ...goal, value, reached: counts <= atMost }];
}
