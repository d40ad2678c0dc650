/** `weft bench scale`: how much, and how it is shown. */
import { Command } from 'commander';
import { table } from '../../control/text.ts';
import { figure } from '../figures.ts';
import { measureScale, type ScalePoint } from './suite.ts';

interface Options {
  readonly quick?: boolean;
  readonly json?: boolean;
}

export const scaleCommand = (): Command =>
  new Command('scale')
    .description('what routes, tunnels and pods of a node cost as they become many')
    .option('--quick', 'fewer of them: a minute and a half instead of five')
    .option('--json', 'one JSON document instead of text')
    .action(async ({ quick = false, json }: Options) => {
      const points = await measureScale({ quick }, (text) => process.stderr.write(`${text}\n`));
      process.stdout.write(`${json ? JSON.stringify(points) : scaleText(points)}\n`);
    });

/** A table for each of what there are many of, and what one more of it takes. */
export function scaleText(points: readonly ScalePoint[]): string {
  return [...new Set(points.map(({ what }) => what))]
    .map((what) => {
      const own = points.filter((point) => point.what === what);
      const names = [...new Set(own.flatMap(({ figures }) => Object.keys(figures)))];
      const rows = own.map(({ count, figures }) => [
        count,
        ...names.map((name) => (figures[name] === undefined ? '' : figure(figures[name]))),
      ]);
      return [table([what, ...names], rows), ...eachText(own)].join('\n');
    })
    .join('\n\n');
}

/** Differences of memory below that are the garbage collector's. */
const NOISE = 10e6;

/** What one more takes of the node's memory, where that is among the figures: between the fewest and the most. */
export function eachText(points: readonly ScalePoint[]): string[] {
  const [first, last] = [points[0], points[points.length - 1]];
  const [from, to] = [first?.figures['resident, MB'], last?.figures['resident, MB']];
  if (from === undefined || to === undefined || first.count === last.count) return [];
  const grown = (to - from) * 1e6;
  const each = figure(Math.max(grown, NOISE) / 1000 / (last.count - first.count));
  return [`One more takes ${grown < NOISE ? `less than ${each}` : each} KB of resident memory.`];
}
