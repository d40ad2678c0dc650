/** The part of the README that is generated from the results: what was to be reached, what was, when and on what. */
import type { ContestantName } from '../fabric/contestants/contestants.ts';
import { contestants } from '../fabric/contestants/contestants.ts';
import { metrics } from '../fabric/metrics.ts';
import type { FabricResults, RowResult, TargetResult } from '../fabric/results.ts';
import { figure, goalText, spread, verdict } from '../figures.ts';
import { machineText } from '../machine.ts';
import { markdownTable } from './markdown.ts';
import type { Published } from './published.ts';

/** Between the markers, with the line ends around it. */
export function readmeSection({ fabric }: Partial<Published>): string {
  if (!fabric) return '\n\nNothing has been measured yet: `weft bench publish`.\n\n';
  return `\n\n${targetsTable(fabric)}\n\n${originText(fabric)}\n\n`;
}

export function targetsTable({ rows }: Pick<FabricResults, 'rows'>): string {
  const header = ['work', 'against', 'its', "Weft's", 'ratio', 'spread', 'to reach', ''];
  const lines = rows.flatMap((row) =>
    row.targets.map((target) => [
      `${row.title}${metricText(row, target)}`,
      contestants[target.against].title,
      medianOf(row, target.against, target),
      `${medianOf(row, target.contestant, target)}${own(target)}`,
      target.ratio.median.toFixed(2),
      spread(target.ratio),
      goalText(target.goal),
      verdict(target.reached),
    ]),
  );
  return markdownTable(header, lines);
}

/** Which figure it is, where it is not the one that stands for the row. */
const metricText = ({ metric }: RowResult, target: TargetResult): string =>
  target.metric === metric && metric !== 'p50' && metric !== 'p99' ? '' : `: ${metrics[target.metric].title}`;

/** Which Weft, where it is not the usual one. */
const own = ({ contestant }: TargetResult): string =>
  contestant === 'weft' ? '' : ` (${contestants[contestant].title.replace('Weft, ', '')})`;

function medianOf(row: RowResult, name: ContestantName, { metric }: TargetResult): string {
  const value = row.contestants.find((one) => one.name === name)?.figures[metric];
  return value ? `${figure(value.median)} ${metrics[metric].unit}` : '';
}

export function originText(results: FabricResults): string {
  const { begun, version, commit, level, machine, rows, seconds } = results;
  const rounds = Math.max(...rows.map((row) => row.rounds));
  const build = commit ? `${version} (commit ${commit})` : version;
  const disturbed = rows.reduce((sum, row) => sum + row.disturbed, 0);
  const noise =
    disturbed === 0
      ? ''
      : ` ${disturbed} measurements were disturbed by others on the machine and are among them.`;
  return `Measured ${begun.slice(0, 10)} by \`weft bench publish\` (${level}, ${rounds} rounds of ${seconds} s), Weft ${build}, on ${machineText(machine)}: both nodes, both pods and the load share these cores. Figures are medians, ratios are taken within rounds, the spread is from the least to the most of them.${noise}`;
}
