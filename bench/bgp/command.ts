/** `weft bench bgp`: the same routes into Weft and into other speakers, and how it is shown. */
import { Command, Option } from 'commander';
import { describeBuild, describeMachine } from '../machine.ts';
import { count, idsOf } from '../options.ts';
import { type ContestantName, contestantNames, missing, versionOf } from './contestants.ts';
import { type BgpResults, resultsOf } from './results.ts';
import { type Level, rowIds, rowsOf } from './rows.ts';
import { type Measurement, measure } from './suite.ts';
import { resultsText } from './text.ts';

export interface BgpOptions {
  readonly quick?: boolean;
  readonly full?: boolean;
  readonly only?: readonly string[];
  readonly contestants?: readonly string[];
  readonly rounds?: number;
  readonly json?: boolean;
}

const ROUNDS: Readonly<Record<Level, number>> = { quick: 1, standard: 3, full: 5 };
/** Takes a minute and more for what others do in seconds: only where there is time, and for little. */
const SLOW: ContestantName = 'gobgp';
const SLOW_ROUTES = 100_000;

export function bgpCommand(): Command {
  return new Command('bgp')
    .description('routes from one peer to the next, in Weft and in other speakers, in turn')
    .addOption(new Option('--quick', '100,000 routes, once: a minute').conflicts('full'))
    .option('--full', 'more rounds, and GoBGP for every row: an hour')
    .option('--only <ids>', `comma-separated, of any level: ${rowIds.join(', ')}`, idsOf(rowIds))
    .option('--contestants <names>', `comma-separated: ${contestantNames.join(', ')}`, idsOf(contestantNames))
    .addOption(new Option('--rounds <n>', 'of each row').argParser(count))
    .option('--json', 'one JSON document instead of text')
    .action(async (options: BgpOptions) => {
      const results = await runBgp(options);
      process.stdout.write(`${options.json ? JSON.stringify(results) : resultsText(results)}\n`);
      if (results.rows.some((row) => row.contestants.some(({ failures }) => failures.length > 0))) {
        process.exitCode = 1;
      }
    });
}

/** Measures what the options say; progress is on stderr. */
export async function runBgp(options: BgpOptions): Promise<BgpResults> {
  const level: Level = options.quick ? 'quick' : options.full ? 'full' : 'standard';
  const rows = rowsOf(level, options.only);
  const rounds = options.rounds ?? ROUNDS[level];
  const named = contestantNames.filter((name) => options.contestants?.includes(name) ?? true);
  const begun = new Date().toISOString();
  const measurements: Measurement[] = [];
  for (const row of rows) {
    const isAsked = options.full === true || options.contestants !== undefined;
    const present = named.filter(
      (name) => missing(name) === undefined && (name !== SLOW || isAsked || row.feed.routes <= SLOW_ROUTES),
    );
    for (let round = 0; round < rounds; round++) {
      for (const name of round % 2 === 0 ? present : [...present].reverse()) {
        process.stderr.write(`bgp: ${row.title}: round ${round + 1} of ${rounds}, ${name}\n`);
        measurements.push(await measure(row, name, round));
      }
    }
  }
  const by = (of: (name: ContestantName) => string | undefined) =>
    Object.fromEntries(named.flatMap((name) => (of(name) === undefined ? [] : [[name, of(name)]])));
  return {
    benchmark: 'bgp',
    begun,
    ...describeBuild(),
    level,
    machine: describeMachine(),
    versions: by(versionOf),
    missing: by(missing),
    rows: resultsOf(rows, measurements),
  };
}
