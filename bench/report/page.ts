/** docs/benchmarks/results.md: everything that was measured, as tables. */
import { contestants as speakers } from '../bgp/contestants.ts';
import type { BgpResults, BgpRowResult } from '../bgp/results.ts';
import { type Metric as BgpMetric, metrics as bgpMetrics } from '../bgp/rows.ts';
import { type ContestantName, contestants } from '../fabric/contestants/contestants.ts';
import { type Metric, metrics } from '../fabric/metrics.ts';
import type { FabricResults, RowResult } from '../fabric/results.ts';
import { figure, goalText, spread, verdict } from '../figures.ts';
import { machineText } from '../machine.ts';
import { eachText } from '../scale/command.ts';
import { markdownTable } from './markdown.ts';
import { plotsOf } from './plots.ts';
import type { Published } from './published.ts';
import { originText, targetsTable } from './readme.ts';

export function resultsPage(published: Partial<Published>): string {
  const { fabric, micro, cni, bgp, scale } = published;
  const parts = [
    '# Results',
    'Written by `weft bench report` from the JSON files beside it; do not edit. [How it is measured](README.md).',
    ...plotsOf(published).map(({ file, title }) => `![${title}](${file})`),
    ...(fabric ? fabricParts(fabric) : []),
    ...(micro
      ? ['## Micro', `${origin(micro)} Batches of ${micro.batch} packets.`, microTable(micro.results)]
      : []),
    ...(cni ? ['## CNI', `${origin(cni)} ${cni.rounds} rounds of 50 pods.`, cniTable(cni.results)] : []),
    ...(bgp ? bgpParts(bgp) : []),
    ...(scale ? ['## Scale', origin(scale), ...scaleTables(scale.results)] : []),
  ];
  return `${parts.join('\n\n')}\n`;
}

const origin = ({ begun, version, commit, machine }: Published['micro' | 'cni' | 'bgp' | 'scale']): string =>
  `${begun.slice(0, 10)}, Weft ${version}${commit ? ` (commit ${commit})` : ''}, ${machineText(machine)}.`;

function fabricParts(fabric: FabricResults): string[] {
  const absent = Object.entries(fabric.missing).map(([name, why]) => `- ${titleOf(name)}: ${why}`);
  const versions = Object.entries(fabric.versions).map(([name, version]) => `- ${titleOf(name)}: ${version}`);
  const others = [...versions, ...absent].join('\n');
  return [
    '## Fabric',
    originText(fabric),
    ...(others ? [others] : []),
    '### To reach',
    targetsTable(fabric),
    ...fabric.rows.flatMap((row) => [`### ${row.title}`, rowNote(row), rowTable(row)]),
  ];
}

const titleOf = (name: string): string => contestants[name as ContestantName].title;

function rowNote({ rounds, rejected, disturbed, reference }: RowResult): string {
  const parts = [`${rounds} rounds, ratios to ${contestants[reference].title}`];
  if (rejected > 0) parts.push(`${rejected} measurements were disturbed and made again`);
  if (disturbed > 0) parts.push(`${disturbed} stayed disturbed`);
  return `${parts.join('; ')}.`;
}

function rowTable(row: RowResult): string {
  const shown = (Object.keys(metrics) as Metric[]).filter((metric) =>
    row.contestants.some(({ figures }) => figures[metric]),
  );
  const names = shown.map((metric) => `${metrics[metric].title}, ${metrics[metric].unit}`);
  const rows = row.contestants.map(({ title, figures, ratios, failures }) => {
    const ratio = ratios[row.metric];
    const cells = shown.map((metric) => {
      const summary = figures[metric];
      if (!summary) return '';
      return metric === row.metric
        ? `${figure(summary.median)} (${spread(summary)})`
        : figure(summary.median);
    });
    const failed = failures.length > 0 ? `${failures.length} failed: ${failures[0].split('\n')[0]}` : '';
    return [title, ...cells, ratio ? ratio.median.toFixed(2) : failed, ratio ? spread(ratio) : ''];
  });
  return markdownTable(['', ...names, 'ratio', 'spread'], rows);
}

function microTable(results: Published['micro']['results']): string {
  const rows = results.map((one) => [
    one.title,
    one.nanosecondsPerPacket.toFixed(1),
    `± ${one.marginPercent.toFixed(1)} %`,
    one.heapBytesPerPacket.toFixed(2),
  ]);
  return markdownTable(['stage', 'ns a packet', '', 'heap, bytes a packet'], rows);
}

function cniTable(results: Published['cni']['results']): string {
  const rows = results.map(({ what, against, reference, weft, ratio, atMost, reached }) => [
    what,
    against,
    figure(reference),
    figure(weft),
    ratio.median.toFixed(2),
    spread(ratio),
    `≤ ${atMost}`,
    reached ? 'reached' : 'missed',
  ]);
  return markdownTable(['verb', 'against', 'its ms', "Weft's ms", 'ratio', 'spread', 'to reach', ''], rows);
}

function bgpParts(bgp: BgpResults): string[] {
  const others = [...Object.entries(bgp.versions), ...Object.entries(bgp.missing)]
    .map(([name, text]) => `- ${speakers[name as keyof typeof speakers].title}: ${text}`)
    .join('\n');
  const goals = bgp.rows.flatMap((row) =>
    row.targets.map(({ metric, against, value, atMost, reached }) => [
      row.title,
      bgpMetrics[metric].title,
      against === undefined ? bgpMetrics[metric].unit : `of ${speakers[against].title}`,
      figure(value.median),
      spread(value),
      goalText({ atMost }),
      verdict(reached),
    ]),
  );
  return [
    '## BGP',
    `${origin(bgp)} The same routes from one peer to the next, each speaker alone in its namespace.`,
    ...(others ? [others] : []),
    markdownTable(['feed', '', '', 'median', 'spread', 'to reach', ''], goals),
    ...bgp.rows.flatMap((row) => [`### ${row.title}`, `${row.rounds} rounds.`, bgpTable(row)]),
  ];
}

function bgpTable(row: BgpRowResult): string {
  const shown = (Object.keys(bgpMetrics) as BgpMetric[]).filter((metric) =>
    row.contestants.some(({ figures }) => figures[metric]),
  );
  const rows = row.contestants.map(({ title, figures, failures }) => [
    title,
    ...shown.map((metric) => {
      const summary = figures[metric];
      return summary ? `${figure(summary.median)} (${spread(summary)})` : '';
    }),
    failures.length > 0 ? `${failures.length} failed: ${failures[0].split('\n')[0]}` : '',
  ]);
  const names = shown.map((metric) => `${bgpMetrics[metric].title}, ${bgpMetrics[metric].unit}`);
  return markdownTable(['', ...names, ''], rows);
}

function scaleTables(results: Published['scale']['results']): string[] {
  return [...new Set(results.map(({ what }) => what))].flatMap((what) => {
    const points = results.filter((point) => point.what === what);
    const names = [...new Set(points.flatMap(({ figures }) => Object.keys(figures)))];
    const rows = points.map(({ count, figures }) => [
      count.toLocaleString('en-US'),
      ...names.map((name) => (figures[name] === undefined ? '' : figure(figures[name]))),
    ]);
    return [`### ${what}`, markdownTable([what, ...names], rows), eachText(points).join(' ')].filter(Boolean);
  });
}
