/** What the measurements of a run say: figures with their spread, ratios within rounds, and whether targets were reached. */
import type { Build, Machine } from '../machine.ts';
import { type Summary, summarize } from '../statistics.ts';
import { type ContestantName, contestants } from './contestants/contestants.ts';
import type { Measurement } from './journal.ts';
import { type Metric, metrics } from './metrics.ts';
import { settingText } from './setting.ts';
import { FOREIGN_LIMIT } from './suite.ts';
import { REFERENCE, type Row, type Target } from './table.ts';

export interface ContestantResult {
  readonly name: ContestantName;
  readonly title: string;
  readonly figures: Partial<Record<Metric, Summary>>;
  /** Against the row's reference, by round. */
  readonly ratios: Partial<Record<Metric, Summary>>;
  readonly failures: readonly string[];
}

export interface TargetResult extends Target {
  readonly ratio: Summary;
  /** Absent where this machine has too few cores to tell. */
  readonly reached?: boolean;
}

export interface RowResult {
  readonly id: string;
  readonly title: string;
  readonly setting: string;
  readonly metric: Metric;
  readonly rounds: number;
  readonly reference: ContestantName;
  readonly contestants: readonly ContestantResult[];
  readonly targets: readonly TargetResult[];
  /** Measurements that others disturbed and that were therefore made again; and those that stayed disturbed. */
  readonly rejected: number;
  readonly disturbed: number;
}

export interface FabricResults extends Build {
  readonly benchmark: 'fabric';
  /** When the run began, UTC. */
  readonly begun: string;
  readonly level: string;
  readonly seconds: number;
  readonly complete: boolean;
  readonly machine: Machine;
  /** Of programs that are not ours. */
  readonly versions: Partial<Record<ContestantName, string>>;
  readonly missing: Partial<Record<ContestantName, string>>;
  readonly rows: readonly RowResult[];
}

/** Rows without any measurement are left out. */
export function resultsOf(
  rows: readonly Row[],
  measurements: readonly Measurement[],
  cores: number,
): RowResult[] {
  return rows
    .map((row) => rowResult(row, measurements.filter((one) => one.row === row.id), cores)) // biome-ignore format: short
    .filter(({ contestants: list }) => list.length > 0);
}

function rowResult(row: Row, measurements: readonly Measurement[], cores: number): RowResult {
  const byName = new Map<ContestantName, Map<number, Measurement>>();
  for (const name of row.contestants) {
    const own = measurements.filter(({ contestant }) => contestant === name);
    if (own.length > 0) byName.set(name, new Map(own.map((one) => [one.round, one])));
  }
  const reference = row.contestants.includes(REFERENCE) ? REFERENCE : row.contestants[0];
  const ratio = (metric: Metric, name: ContestantName, against: ContestantName) =>
    summaryOf(ratios(metric, byName.get(name), byName.get(against)));
  return {
    id: row.id,
    title: row.title,
    setting: settingText(row.setting),
    metric: row.metric,
    rounds: new Set(measurements.map(({ round }) => round)).size,
    reference,
    contestants: [...byName].map(([name, own]) => ({
      name,
      title: contestants[name].title,
      figures: perMetric((metric) =>
        summaryOf([...own.values()].flatMap((one) => one.figures?.[metric] ?? [])),
      ),
      ratios: name === reference ? {} : perMetric((metric) => ratio(metric, name, reference)),
      failures: [...own.values()].flatMap(({ failure }) => failure ?? []),
    })),
    targets: (row.targets ?? []).flatMap((target): TargetResult[] => {
      const got = ratio(target.metric, target.contestant, target.against);
      if (!got) return [];
      if (target.cores !== undefined && cores < target.cores) return [{ ...target, ratio: got }];
      return [{ ...target, ratio: got, reached: reaches(target, got.median) }];
    }),
    rejected: measurements.reduce((sum, one) => sum + one.rejected, 0),
    disturbed: measurements.filter(({ foreign }) => foreign > FOREIGN_LIMIT).length,
  };
}

const reaches = ({ goal }: Target, ratio: number): boolean =>
  'atLeast' in goal ? ratio >= goal.atLeast : ratio <= goal.atMost;

/** Of the rounds that both have. */
function ratios(
  metric: Metric,
  own: ReadonlyMap<number, Measurement> | undefined,
  others: ReadonlyMap<number, Measurement> | undefined,
): number[] {
  if (!own || !others) return [];
  return [...own].flatMap(([round, { figures }]) => {
    const [value, other] = [figures?.[metric], others.get(round)?.figures?.[metric]];
    return value === undefined || other === undefined || other === 0 ? [] : value / other;
  });
}

const summaryOf = (values: readonly number[]): Summary | undefined =>
  values.length === 0 ? undefined : summarize(values);

function perMetric(of: (metric: Metric) => Summary | undefined): Partial<Record<Metric, Summary>> {
  const entries = (Object.keys(metrics) as Metric[]).flatMap((metric) => {
    const summary = of(metric);
    return summary ? [[metric, summary] as const] : [];
  });
  return Object.fromEntries(entries);
}
