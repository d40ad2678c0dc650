/** `weft bench fabric`: what to measure, for how long, and what to do with the results. */
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { WeftError } from '../../control/errors.ts';
import { describeBuild, describeMachine } from '../machine.ts';
import { count, idsOf } from '../options.ts';
import { contestantNames, missing, versionOf } from './contestants/contestants.ts';
import { type Header, Journal } from './journal.ts';
import { type FabricResults, resultsOf } from './results.ts';
import type { Setting } from './setting.ts';
import { efforts, measureAll, type Progress } from './suite.ts';
import { goalIds, type Level, type Row, rowIds, rowsOf } from './table.ts';
import { resultsText } from './text.ts';

export interface FabricOptions {
  readonly quick?: boolean;
  readonly full?: boolean;
  readonly goals?: boolean;
  readonly only?: readonly string[];
  readonly rounds?: number;
  readonly family?: 4 | 6;
  readonly mtu?: number;
  readonly underlay?: Setting['underlay'];
  readonly workers?: number;
  readonly masquerade?: boolean;
  readonly resume?: string | boolean;
  readonly journals: string;
  readonly stopAfter?: number;
  readonly json?: boolean;
}

export const JOURNALS = '/var/tmp/weft-bench';

export function fabricCommand(): Command {
  const command = new Command('fabric').description(
    'pod to pod over two nodes, in network namespaces of this machine, contestants in turn',
  );
  return fabricOptions(command)
    .option('--json', 'one JSON document instead of text')
    .action(async (options: FabricOptions) => {
      const results = await runFabric(options);
      process.stdout.write(`${options.json ? JSON.stringify(results) : resultsText(results)}\n`);
      if (results.rows.some((row) => row.contestants.some(({ failures }) => failures.length > 0))) {
        process.exitCode = 1;
      }
    });
}

/** What to measure and for how long. */
export function fabricOptions(command: Command): Command {
  return command
    .addOption(new Option('--quick', 'the most important rows, in under 3 minutes').conflicts('full'))
    .option('--full', 'everything, with at least 7 rounds: two hours')
    .addOption(
      new Option('--goals', 'the rows that have something to reach, and the load generator alone').conflicts([
        'quick',
        'full',
        'only',
      ]),
    )
    .option('--only <ids>', `comma-separated, of any level: ${rowIds.join(', ')}`, idsOf(rowIds))
    .addOption(new Option('--rounds <n>', 'of each row').argParser(count))
    .addOption(new Option('--family <4|6>', 'of the pods').choices(['4', '6']))
    .addOption(new Option('--mtu <bytes>', 'of the underlay').argParser(count))
    .addOption(new Option('--underlay <kind>', 'what it lets pass').choices(['wire', 'offloading']))
    .addOption(new Option('--workers <n>', 'worker threads of a Weft node (default: 1)').argParser(count))
    .option('--masquerade', 'have the nodes masquerade what pods send to outside')
    .option(
      '--resume [file]',
      'continue a run that has ended early, the newest of the same options by default',
    )
    .option('--journals <folder>', 'where runs write what they have measured', JOURNALS)
    .addOption(
      new Option(
        '--stop-after <seconds>',
        'begin no measurement after that; continue with --resume',
      ).argParser(seconds),
    );
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('expected seconds, more than 0.');
  return value;
}

/** Measures what the options say; progress is on stderr. */
export async function runFabric(options: FabricOptions): Promise<FabricResults> {
  const level: Level = options.quick ? 'quick' : options.full ? 'full' : 'standard';
  const effort = efforts[level];
  const only = options.goals ? goalIds : options.only;
  const override = overrideOf(options);
  const rows = rowsOf({ level, override, ...(only && { only }) });
  const rounds = options.rounds ?? effort.rounds;
  const build = describeBuild();
  const machine = describeMachine();
  const plan: Header['plan'] = {
    build: `${build.version} ${build.commit ?? ''}`.trim(),
    machine: `${machine.cores} cores of ${machine.processor}, Linux ${machine.kernel}`,
    level,
    rounds,
    rows: rows.map(({ id }) => id).join(','),
    setting: JSON.stringify(override),
  };
  const journal = openJournal(options, plan);
  process.stderr.write(`journal: ${journal.file}\n`);
  const until = performance.now() + (options.stopAfter ?? Number.POSITIVE_INFINITY) * 1000;
  const complete = await measureAll({ ...effort, rows, rounds, until }, journal, showProgress());
  if (!complete) process.stderr.write('not complete: continue with --resume and the same options\n');
  return {
    benchmark: 'fabric',
    begun: journal.header.begun,
    ...build,
    level,
    seconds: effort.seconds,
    complete,
    machine,
    ...presence(rows),
    rows: resultsOf(rows, journal.measurements, machine.cores),
  };
}

function overrideOf({ family, mtu, underlay, workers, masquerade }: FabricOptions): Partial<Setting> {
  return {
    ...(family && { family: Number(family) as 4 | 6 }),
    ...(mtu && { mtu }),
    ...(underlay && { underlay }),
    ...(workers && { workers }),
    ...(masquerade && { masquerade }),
  };
}

function openJournal({ resume, journals }: FabricOptions, plan: Header['plan']): Journal {
  if (!resume) return Journal.begin(journals, { begun: new Date().toISOString(), plan });
  const file = typeof resume === 'string' ? resolve(resume) : Journal.latest(journals, plan);
  if (!file) throw new WeftError('usage', `there is no run to continue in ${journals}`);
  return Journal.resume(file, plan);
}

/** Who of those that the rows name is there, in which version, and who is not. */
function presence(rows: readonly Row[]): Pick<FabricResults, 'missing' | 'versions'> {
  const named = contestantNames.filter((name) => rows.some((row) => row.contestants.includes(name)));
  const by = (of: (name: (typeof named)[number]) => string | undefined) =>
    Object.fromEntries(named.flatMap((name) => (of(name) === undefined ? [] : [[name, of(name)]])));
  return { missing: by(missing), versions: by(versionOf) };
}

/** One line a measurement, on stderr: results alone are on stdout. */
function showProgress(): (at: Progress) => void {
  const began = performance.now();
  let first: number | undefined;
  return ({ done, all, row, contestant, round, rounds }) => {
    first ??= done;
    const each = done > first ? (performance.now() - began) / 1000 / (done - first) : undefined;
    const left = each === undefined ? '' : `, ${Math.ceil((each * (all - done)) / 60)} min left`;
    const text = `${row.title}: round ${round + 1} of ${rounds}, ${contestant}`;
    process.stderr.write(`[${done + 1}/${all}${left}] ${text}\n`);
  };
}
