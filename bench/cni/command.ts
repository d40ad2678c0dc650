/** `weft bench cni`: executions of the plugin, and how they are shown. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { table } from '../../control/text.ts';
import { Run } from '../../lab/run.ts';
import { figure, spread } from '../figures.ts';
import { count, countOrNone } from '../options.ts';
import { type Comparison, compareCni } from './suite.ts';

export interface CniOptions {
  readonly rounds: number;
  /** Default 10,000. */
  readonly leases?: number;
  readonly plugins: string;
  readonly json?: boolean;
}

/** Of the node that is compared with one without: more pods than any node has. */
const LEASES = 10_000;

/** Folder of the reference plugins. */
export const PLUGINS = '/usr/lib/cni';

export function cniCommand(): Command {
  return new Command('cni')
    .description('executions of the CNI plugin, beside those of bridge and ptp with host-local, in turn')
    .addOption(new Option('--rounds <n>', 'rounds of 50 pods').default(5).argParser(count))
    .addOption(
      new Option(
        '--leases <n>',
        'of a node that is compared with one without; they take 0.5 GB a thousand, 0 leaves it out',
      )
        .default(LEASES)
        .argParser(countOrNone),
    )
    .option('--plugins <folder>', 'of the reference plugins', PLUGINS)
    .option('--json', 'one JSON document instead of text')
    .action(async (options: CniOptions) => {
      const results = await runCni(options);
      process.stdout.write(`${options.json ? JSON.stringify(results) : cniText(results)}\n`);
    });
}

export async function runCni({ plugins, rounds, leases = LEASES }: CniOptions): Promise<Comparison[]> {
  const run = new Run();
  try {
    const progress = (text: string) => process.stderr.write(`${text}\n`);
    return await compareCni(run, { plugins: resolve(plugins), rounds, leases, progress });
  } finally {
    await run.close();
  }
}

function cniText(results: readonly Comparison[]): string {
  const header = ['verb', 'against', 'its ms', "weft's ms", 'ratio', 'spread', 'to reach', ''];
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
  return table(header, rows);
}
