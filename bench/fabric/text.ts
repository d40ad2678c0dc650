/** The results as text for a terminal. */
import { table } from '../../control/text.ts';
import { figure, goalText, spread, verdict } from '../figures.ts';
import { machineText } from '../machine.ts';
import { type ContestantName, contestants } from './contestants/contestants.ts';
import { type Metric, metrics } from './metrics.ts';
import type { FabricResults, RowResult } from './results.ts';

export function resultsText(results: FabricResults): string {
  const parts = [
    ...results.rows.map(rowText),
    targetsText(results.rows),
    absentText(results),
    `${results.begun}, Weft ${results.version}${results.commit ? ` (${results.commit})` : ''}, ${machineText(results.machine)}`,
  ];
  return parts.filter(Boolean).join('\n\n');
}

function rowText(row: RowResult): string {
  const shown = (Object.keys(metrics) as Metric[]).filter((metric) =>
    row.contestants.some(({ figures }) => figures[metric]),
  );
  const header = [
    '',
    ...shown.flatMap((metric) => [`${metrics[metric].title}, ${metrics[metric].unit}`]),
    `of ${row.reference}`,
    'spread',
    '',
  ];
  const rows = row.contestants.map(({ title, figures, ratios, failures }) => {
    const ratio = ratios[row.metric];
    return [
      `  ${title}`,
      ...shown.map((metric) => (figures[metric] ? figure(figures[metric].median) : '')),
      ratio ? ratio.median.toFixed(2) : '',
      ratio ? spread(ratio) : '',
      failures.length > 0 ? `${failures.length} failed: ${failures[0]}` : '',
    ];
  });
  return `${row.title} (${row.rounds} rounds${disturbance(row)})\n${table(header, rows)}`;
}

function disturbance({ rejected, disturbed }: RowResult): string {
  const parts = [];
  if (rejected > 0) parts.push(`${rejected} measured again`);
  if (disturbed > 0) parts.push(`${disturbed} disturbed by others`);
  return parts.map((part) => `, ${part}`).join('');
}

function targetsText(rows: readonly RowResult[]): string {
  const lines = rows.flatMap((row) =>
    row.targets.map(({ metric, contestant, against, goal, ratio, reached }) => [
      row.title,
      metrics[metric].title,
      `${contestant} / ${against}`,
      ratio.median.toFixed(2),
      spread(ratio),
      goalText(goal),
      verdict(reached),
    ]),
  );
  if (lines.length === 0) return '';
  return table(['to reach', '', '', 'ratio', 'spread', 'goal', ''], lines);
}

const absentText = ({ missing, versions }: FabricResults): string =>
  [
    ...Object.entries(missing).map(([name, why]) => `${titleOf(name)}: ${why}`),
    ...Object.entries(versions).map(([name, version]) => `${titleOf(name)}: ${version}`),
  ].join('\n');

const titleOf = (name: string): string => contestants[name as ContestantName].title;
