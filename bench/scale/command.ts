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
    .option('--quick', 'fewer of them: under a minute instead of three')
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
      const each = bytesEach(own);
      return `${table([what, ...names], rows)}${each === undefined ? '' : `\none more: ${figure(each / 1000)} KB`}`;
    })
    .join('\n\n');
}

/** Between the fewest and the most, bytes; undefined where memory is not among the figures, or there is one count only. */
export function bytesEach(points: readonly ScalePoint[]): number | undefined {
  const [first, last] = [points[0], points[points.length - 1]];
  const [from, to] = [first?.figures['resident, MB'], last?.figures['resident, MB']];
  if (from === undefined || to === undefined || first.count === last.count) return undefined;
  return ((to - from) * 1e6) / (last.count - first.count);
}
