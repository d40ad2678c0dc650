/** The results as text for a terminal. */
import { table } from '../../control/text.ts';
import { figure, goalText, spread, verdict } from '../figures.ts';
import { machineText } from '../machine.ts';
import { type ContestantName, contestants } from './contestants.ts';
import type { BgpResults, BgpRowResult } from './results.ts';
import { type Metric, metrics } from './rows.ts';

export function resultsText(results: BgpResults): string {
  const { begun, version, commit, machine, rows } = results;
  const parts = [
    ...rows.map(rowText),
    targetsText(rows),
    absentText(results),
    `${begun}, Weft ${version}${commit ? ` (${commit})` : ''}, ${machineText(machine)}`,
  ];
  return parts.filter(Boolean).join('\n\n');
}

function rowText(row: BgpRowResult): string {
  const shown = (Object.keys(metrics) as Metric[]).filter((metric) =>
    row.contestants.some(({ figures }) => figures[metric]),
  );
  const header = [
    '',
    ...shown.map((metric) => `${metrics[metric].title}, ${metrics[metric].unit}`),
    'spread',
    '',
  ];
  const lines = row.contestants.map(({ title, figures, failures }) => [
    `  ${title}`,
    ...shown.map((metric) => (figures[metric] ? figure(figures[metric].median) : '')),
    figures.tell ? spread(figures.tell) : '',
    failures.length > 0 ? `${failures.length} failed: ${failures[0]}` : '',
  ]);
  return `${row.title} (${row.rounds} rounds)\n${table(header, lines)}`;
}

function targetsText(rows: readonly BgpRowResult[]): string {
  const lines = rows.flatMap((row) =>
    row.targets.map(({ metric, against, value, atMost, reached }) => [
      row.title,
      metrics[metric].title,
      against === undefined ? metrics[metric].unit : `Weft / ${contestants[against].title}`,
      figure(value.median),
      spread(value),
      goalText({ atMost }),
      verdict(reached),
    ]),
  );
  if (lines.length === 0) return '';
  return table(['to reach', '', '', 'median', 'spread', 'goal', ''], lines);
}

const absentText = ({ missing, versions }: BgpResults): string =>
  [...Object.entries(missing), ...Object.entries(versions)]
    .map(([name, text]) => `${contestants[name as ContestantName].title}: ${text}`)
    .join('\n');
