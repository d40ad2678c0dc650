/** `weft bench`: what to measure and how it is shown; the measuring is in the folders beside it. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { list, table } from '../control/text.ts';
import { Run } from '../lab/run.ts';
import { type Comparison as CniComparison, compareCni } from './cni/suite.ts';
import type { ContestantName } from './fabric/contestants.ts';
import { cpuSeconds, residentBytes } from './fabric/process-usage.ts';
import { Arena, type Comparison, compare, comparisons, type Result } from './fabric/suite.ts';
import { microCommand } from './micro/command.ts';
import { count, idsOf } from './options.ts';
import type { Summary } from './statistics.ts';

interface FabricOptions {
  readonly pairs: number;
  readonly only?: readonly string[];
  readonly workers: number;
  readonly mtu: number;
  readonly json?: boolean;
}

export function benchCommand(): Command {
  const known = comparisons.map(({ id }) => id);
  const bench = new Command('bench').description('measure Weft beside what would be used instead');
  bench
    .command('fabric')
    .description('pod to pod over two nodes, in network namespaces of this machine, contestants in turn')
    .addOption(new Option('--pairs <n>', 'pairs of each comparison').default(5).argParser(count))
    .option('--only <ids>', `comma-separated: ${known.join(', ')}`, idsOf(known))
    .addOption(
      new Option('--workers <n>', 'worker threads of a Weft node')
        .default(halfOfTheCores(), 'half of the cores: two nodes share this machine')
        .argParser(count),
    )
    .addOption(new Option('--mtu <bytes>', 'of the underlay').default(1500).argParser(count))
    .option('--json', 'one JSON document instead of text')
    .action(fabric);
  bench.addCommand(microCommand());
  bench
    .command('cni')
    .description('executions of the CNI plugin, beside those of bridge and ptp with host-local, in turn')
    .addOption(new Option('--rounds <n>', 'rounds of 50 pods').default(5).argParser(count))
    .option('--plugins <folder>', 'of the reference plugins', '/usr/lib/cni')
    .option('--json', 'one JSON document instead of text')
    .action(cni);
  return bench;
}

async function fabric(options: FabricOptions): Promise<void> {
  const chosen = comparisons.filter(({ id }) => options.only?.includes(id) ?? true);
  const run = new Run();
  try {
    const arena = new Arena(run, options.workers, options.mtu);
    const results: Result[] = [];
    for (const comparison of chosen) {
      results.push(await compare(arena, comparison, options.pairs, progressOf(comparison, options.pairs)));
    }
    const idle = await idleUsage(arena);
    if (options.json) process.stdout.write(`${JSON.stringify({ results, idle })}\n`);
    else process.stdout.write(`${resultsText(results)}\n\n${idleText(idle)}\n`);
  } finally {
    await run.close();
  }
}

async function cni(options: CniOptions): Promise<void> {
  const run = new Run();
  try {
    const progress = (text: string) => process.stderr.write(`${text}\n`);
    const results = await compareCni(run, resolve(options.plugins), options.rounds, progress);
    process.stdout.write(`${options.json ? JSON.stringify(results) : cniText(results)}\n`);
  } finally {
    await run.close();
  }
}

function cniText(results: readonly CniComparison[]): string {
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

/** One line a measurement, on stderr: results alone are on stdout. */
function progressOf({ title, unit }: Comparison, pairs: number) {
  return (pair: number, name: ContestantName, last: number | undefined): void => {
    const before = last === undefined ? '' : ` (last: ${figure(last)} ${unit})`;
    process.stderr.write(`${title}: pair ${pair + 1} of ${pairs}, ${name}${before}\n`);
  };
}

interface CniOptions {
  readonly rounds: number;
  readonly plugins: string;
  readonly json?: boolean;
}

interface Idle {
  /** Share of one core. */
  readonly cpu: number;
  readonly residentBytes: number;
}

const IDLE_SECONDS = 5;

/** What a Weft node that has carried the load uses when there is nothing to do. */
async function idleUsage(arena: Arena): Promise<Idle> {
  const { processes } = await arena.get('weft', false);
  const before = processes.map(cpuSeconds);
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  const used = processes.map((pid, i) => (cpuSeconds(pid) - before[i]) / IDLE_SECONDS);
  return { cpu: Math.max(...used), residentBytes: Math.max(...processes.map(residentBytes)) };
}

function resultsText(results: readonly Result[]): string {
  const header = ['comparison', 'against', '', 'weft', 'unit', 'ratio', 'spread', 'to reach', ''];
  const rows = results.map(({ comparison, against, candidate, ratio, reached }) => [
    comparison.title,
    comparison.against,
    figure(against.median),
    figure(candidate.median),
    comparison.unit,
    ratio.median.toFixed(2),
    spread(ratio),
    'atLeast' in comparison.target ? `≥ ${comparison.target.atLeast}` : `≤ ${comparison.target.atMost}`,
    reached ? 'reached' : 'missed',
  ]);
  return table(header, rows);
}

const idleText = ({ cpu, residentBytes: bytes }: Idle): string =>
  list([
    ['idle', `${(cpu * 100).toFixed(2)} % of a core`],
    ['resident', `${Math.round(bytes / 1e6)} MB a node`],
  ]);

const spread = ({ least, most }: Summary): string => `${least.toFixed(2)} to ${most.toFixed(2)}`;

const figure = (value: number): string => (value < 100 ? value.toFixed(2) : value.toFixed(0));

const halfOfTheCores = (): number => Math.max(1, availableParallelism() >> 1);
