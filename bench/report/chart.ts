/**
 * Plots as SVG files that are readable on light and on dark ground. ECharts lays them out and draws them; colours are given
 * to it as those of the light ground, and a style sheet in the file replaces them on dark ground.
 */
import { WeftError } from '../../control/errors.ts';
import type { Summary } from '../statistics.ts';

/** On light and on dark ground. */
const palette = {
  ink: ['#1f2328', '#f0f6fc'],
  muted: ['#59636e', '#9198a1'],
  grid: ['#d1d9e0', '#3d444d'],
  own: ['#0969da', '#4493f8'],
  other: ['#a5adb6', '#656c76'],
  good: ['#1a7f37', '#3fb950'],
  bad: ['#bc4c00', '#db6d28'],
} as const;
type Colour = keyof typeof palette;
const light = (colour: Colour): string => palette[colour][0];

const WIDTH = 760;
// Without quotes: it is written into an attribute as it is.
const FONT = 'system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif';

export interface Bar {
  readonly label: string;
  readonly value: Summary;
  /** Whether it is Weft. */
  readonly own: boolean;
}

export interface Point {
  readonly label: string;
  readonly value: Summary;
  /** Where it ought to be, and whether it is. */
  readonly goal?: { readonly value: number; readonly reached: boolean | undefined };
}

export interface Line {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

type Echarts = typeof import('echarts');
type Option = import('echarts').EChartsOption;
type RenderItem = import('echarts').CustomSeriesRenderItem;

/** The package is only in a checkout, beside the other tools of development. @throws WeftError when it is not there */
export async function loadEcharts(): Promise<Echarts> {
  try {
    return await import('echarts');
  } catch (cause) {
    const why = "cannot load the npm package 'echarts', which draws the plots";
    const remedy = 'run this in a checkout, after npm install with development dependencies';
    throw new WeftError('unsupported', `${why}: ${(cause as Error).message}; ${remedy}`, { cause });
  }
}

/** @param height pixels @param what said to those who cannot see it */
export function draw(echarts: Echarts, height: number, what: string, option: Option): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: FONT, color: light('ink') }, ...option });
    return `${accessible(onDarkGroundToo(chart.renderToSVGString()), what)}\n`;
  } finally {
    chart.dispose();
  }
}

/** A bar each, medians, with a whisker from the least to the most of the rounds. */
export function bars(echarts: Echarts, title: string, unit: string, list: readonly Bar[]): string {
  const longest = Math.max(...list.map(({ label }) => label.length));
  const most = Math.max(...list.map(({ value }) => value.most));
  return draw(echarts, 92 + list.length * 26, `${title}, ${unit}`, {
    title: heading(title, `${unit}; median of the rounds, whisker from least to most`),
    grid: { left: 24 + longest * 6.5, right: 64, top: 58, bottom: 30 },
    xAxis: { type: 'value', max: most * 1.05, ...axis(), ...withoutOddEnd() },
    yAxis: { type: 'category', inverse: true, data: list.map(({ label }) => label), ...categories() },
    series: [
      {
        type: 'bar',
        barWidth: 15,
        data: list.map(({ value, own }) => ({
          value: value.median,
          itemStyle: { color: light(own ? 'own' : 'other') },
        })),
      },
      whiskers(list.map(({ value }) => value)),
    ],
  });
}

/** Ratios on a logarithmic scale, with their spread, and where they ought to be. */
export function ratios(echarts: Echarts, title: string, note: string, list: readonly Point[]): string {
  const longest = Math.max(...list.map(({ label }) => label.length));
  const values = list.flatMap(({ value, goal }) => [value.least, value.most, goal?.value ?? 1]);
  const goals = list.flatMap(({ goal }, row) => (goal ? [{ row, ...goal }] : []));
  return draw(echarts, 92 + list.length * 24, title, {
    title: heading(title, note),
    grid: { left: 24 + longest * 6.3, right: 40, top: 58, bottom: 30 },
    xAxis: {
      type: 'log',
      logBase: 2,
      min: floorRatio(Math.min(...values)),
      max: ceilRatio(Math.max(...values)),
      ...axis(),
    },
    yAxis: { type: 'category', inverse: true, data: list.map(({ label }) => label), ...categories() },
    series: [
      whiskers(list.map(({ value }) => value)),
      {
        type: 'scatter',
        symbolSize: 9,
        itemStyle: { color: light('own'), opacity: 1 },
        data: list.map(({ value }, row) => [value.median, row]),
        markLine: {
          silent: true,
          symbol: 'none',
          lineStyle: { color: light('muted'), type: 'dashed' },
          label: { show: false },
          data: [{ xAxis: 1 }],
        },
      },
      {
        type: 'scatter',
        symbol: 'rect',
        symbolSize: [3, 16],
        itemStyle: { opacity: 1 },
        data: goals.map(({ row, value, reached }) => ({
          value: [value, row],
          itemStyle: { color: light(reached === undefined ? 'muted' : reached ? 'good' : 'bad') },
        })),
      },
    ],
  });
}

/** How something grows: lines over a logarithmic count. */
export function growth(
  echarts: Echarts,
  title: string,
  names: { readonly x: string; readonly y: string },
  lines: readonly Line[],
): string {
  const colours: readonly Colour[] = ['own', 'bad', 'good', 'other'];
  return draw(echarts, 280, `${title}, ${names.y} by ${names.x}`, {
    title: heading(title, `${names.y}, by ${names.x}`),
    grid: { left: 70, right: 30, top: 84, bottom: 36 },
    legend: {
      top: 52,
      left: 8,
      icon: 'rect',
      itemHeight: 3,
      itemGap: 28,
      textStyle: { color: light('ink') },
    },
    xAxis: { type: 'log', ...axis() },
    yAxis: { type: 'value', min: 0, ...axis() },
    series: lines.map(({ label, points }, n) => ({
      type: 'line',
      clip: false,
      name: label,
      symbol: 'circle',
      symbolSize: 6,
      itemStyle: { color: light(colours[n % colours.length]) },
      lineStyle: { color: light(colours[n % colours.length]), width: 2 },
      data: points.map((point) => [...point]),
    })),
  });
}

const heading = (text: string, subtext: string) => ({
  text,
  subtext,
  left: 8,
  top: 6,
  itemGap: 6,
  textStyle: { fontSize: 15, fontWeight: 600, color: light('ink') },
  subtextStyle: { fontSize: 12, color: light('muted') },
});

const axis = () => ({
  axisLabel: { color: light('muted') },
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { lineStyle: { color: light('grid') } },
});

/** Where the end of an axis is no round number. */
const withoutOddEnd = () => ({
  axisLabel: { color: light('muted'), showMaxLabel: false },
  splitLine: { lineStyle: { color: light('grid') }, showMaxLine: false },
});

const categories = () => ({
  axisLabel: { color: light('ink') },
  axisTick: { show: false },
  axisLine: { lineStyle: { color: light('muted') } },
});

/** From the least to the most of a category's values. */
function whiskers(values: readonly Summary[]) {
  const renderItem: RenderItem = (_, api) => {
    const row = api.value(0);
    const [from, to] = [api.coord([api.value(1), row]), api.coord([api.value(2), row])];
    const style = { stroke: light('ink'), lineWidth: 1.2, fill: 'none' };
    const line = (x1: number, y1: number, x2: number, y2: number) =>
      ({ type: 'line', shape: { x1, y1, x2, y2 }, style }) as const;
    const cap = 4;
    return {
      type: 'group',
      children: [
        line(from[0], from[1], to[0], to[1]),
        line(from[0], from[1] - cap, from[0], from[1] + cap),
        line(to[0], to[1] - cap, to[0], to[1] + cap),
      ],
    };
  };
  const data = values.map(({ least, most }, row) => [row, least, most]);
  return { type: 'custom' as const, renderItem, data, encode: { x: [1, 2], y: 0 }, z: 3, silent: true };
}

/** The power of two below or above: ends of an axis that is divided so. */
const floorRatio = (ratio: number): number => 2 ** Math.floor(Math.log2(ratio));
const ceilRatio = (ratio: number): number => 2 ** Math.ceil(Math.log2(ratio));

/** Colours are attributes, which any style sheet overrides. */
function onDarkGroundToo(svg: string): string {
  const rules = Object.values(palette)
    .flatMap(([day, night]) => [`[fill="${day}"]{fill:${night}}`, `[stroke="${day}"]{stroke:${night}}`])
    .join('');
  // What it writes for pointers, and the invisible, has no use in a file that is only looked at.
  const quiet = svg
    .replaceAll(/<style ?>.*?<\/style>/gs, '')
    .replaceAll(/ (?:class|pointer-events|ecmeta_\w+)="[^"]*"/g, '')
    .replaceAll(/<path [^>]*fill-opacity="0"[^>]*><\/path>/g, '')
    // Nothing is cut off, and the names of what would cut it count up from one plot to the next.
    .replaceAll(/<defs ?>.*?<\/defs>/gs, '')
    .replaceAll(/ clip-path="[^"]*"/g, '')
    .replaceAll(/\n{2,}/g, '\n');
  return quiet.replace('</svg>', `<style>@media (prefers-color-scheme:dark){${rules}}</style>\n</svg>`);
}

const accessible = (svg: string, what: string): string =>
  svg.trim().replace(/^<svg /, `<svg role="img" aria-label="${what.replaceAll('"', '')}" `);
