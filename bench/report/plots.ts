/** Which plots are drawn of the results, and how each is called. */
import { metrics } from '../fabric/metrics.ts';
import type { FabricResults, RowResult } from '../fabric/results.ts';
import { type Bar, bars, growth, type loadEcharts, type Point, ratios } from './chart.ts';
import type { Published } from './published.ts';

type Echarts = Awaited<ReturnType<typeof loadEcharts>>;

export interface Plot {
  /** Name in docs/benchmarks. */
  readonly file: string;
  readonly title: string;
  draw(echarts: Echarts): string;
}

/** Rows that have a plot of their own. */
const ROWS = ['tcp1', 'tcp4', 'tcp1-offloading', 'udp64', 'udp64-lossless', 'rtt', 'rtt-load', 'connections'];
const ASIDE: readonly string[] = ['cable'];

export function plotsOf({ fabric, scale }: Partial<Published>): Plot[] {
  return [
    ...(fabric ? [ratioPlot(fabric), ...ROWS.flatMap((id) => rowPlots(fabric, id))] : []),
    ...(scale ? scalePlots(scale) : []),
  ];
}

/** Every row in which Weft meets kernel VXLAN. */
function ratioPlot({ rows }: FabricResults): Plot {
  const title = 'Weft by kernel VXLAN';
  const points = rows.flatMap((row): Point[] => {
    const ratio = row.contestants.find(({ name }) => name === 'weft')?.ratios[row.metric];
    if (!ratio || row.reference !== 'kernel-vxlan') return [];
    const target = row.targets.find(
      ({ against, metric, contestant }) =>
        against === row.reference && metric === row.metric && contestant === 'weft',
    );
    const better = metrics[row.metric].better === 'more' ? '↑' : '↓';
    const label = `${row.title} ${better}`;
    if (!target) return [{ label, value: ratio }];
    const goal = 'atLeast' in target.goal ? target.goal.atLeast : target.goal.atMost;
    return [{ label, value: ratio, goal: { value: goal, reached: target.reached } }];
  });
  const note =
    'median and spread of the ratios; ↑ more is better, ↓ less is better; bars are what is to be reached';
  return { file: 'ratios.svg', title, draw: (echarts) => ratios(echarts, title, note, points) };
}

function rowPlots({ rows }: FabricResults, id: string): Plot[] {
  const row = rows.find((one) => one.id === id);
  if (!row) return [];
  const list = row.contestants
    .filter(({ name, figures }) => !ASIDE.includes(name) && figures[row.metric])
    .map(({ name, title, figures }): Bar => {
      const value = figures[row.metric];
      if (!value) throw new Error(`${name} has no ${row.metric}`);
      return { label: title, value, own: title.startsWith('Weft') };
    });
  const title = `${row.title}${metricText(row)}`;
  return [
    { file: `${id}.svg`, title, draw: (echarts) => bars(echarts, title, metrics[row.metric].unit, list) },
  ];
}

const metricText = ({ metric }: RowResult): string =>
  metric.startsWith('p') ? `, ${metrics[metric].title}` : '';

function scalePlots({ results }: Published['scale']): Plot[] {
  const lines = [...new Set(results.map(({ what }) => what))].map((what) => ({
    label: what,
    points: results
      .filter((point) => point.what === what && point.figures.kpps !== undefined)
      .map(({ count, figures }) => [count, figures.kpps] as const),
  }));
  const title = 'Throughput of small datagrams as a node grows';
  const names = { x: 'number of them', y: 'kpps, UDP 64 B, overload' };
  return [
    {
      file: 'scale.svg',
      title,
      draw: (echarts) =>
        growth(
          echarts,
          title,
          names,
          lines.filter(({ points }) => points.length > 0),
        ),
    },
  ];
}
