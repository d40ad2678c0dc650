/** `weft bench micro`: which stages to time and how that is shown. Loads what it times by only when it is asked to. */
import { Command } from 'commander';
import { table } from '../../control/text.ts';
import { idsOf } from '../options.ts';
import { PACKETS } from './stage.ts';
import { effort, loadBenchmark, measure, type StageResult, stages } from './suite.ts';

interface MicroOptions {
  readonly only?: readonly string[];
  readonly quick?: boolean;
  readonly json?: boolean;
}

export function microCommand(): Command {
  const known = stages.map(({ id }) => id);
  return new Command('micro')
    .description(
      `one stage of the engine after the other, without kernel, over batches of ${PACKETS} packets`,
    )
    .option('--only <ids>', `comma-separated: ${known.join(', ')}`, idsOf(known))
    .option('--quick', 'fewer and shorter samples: under a minute instead of two')
    .option('--json', 'one JSON document instead of text')
    .action(micro);
}

async function micro(options: MicroOptions): Promise<void> {
  const results = await runMicro(options);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ batch: PACKETS, node: process.version, results })}\n`);
  } else {
    process.stdout.write(`${resultsText(results)}\n`);
  }
}

/** Progress is on stderr. */
export async function runMicro(options: Pick<MicroOptions, 'only' | 'quick'>): Promise<StageResult[]> {
  const Benchmark = await loadBenchmark();
  const chosen = stages.filter(({ id }) => options.only?.includes(id) ?? true);
  const results: StageResult[] = [];
  for (const stage of chosen) {
    process.stderr.write(`${stage.title}\n`);
    results.push(measure(Benchmark, stage, options.quick ? effort.quick : effort.full));
  }
  return results;
}

function resultsText(results: readonly StageResult[]): string {
  const header = ['stage', 'ns a packet', '', 'packets a second', 'heap, bytes a packet'];
  const rows = results.map((result) => [
    result.title,
    result.nanosecondsPerPacket.toFixed(1),
    `± ${result.marginPercent.toFixed(1)} %`,
    `${(result.packetsPerSecond / 1e6).toFixed(1)} M`,
    heapText(result.heapBytesPerPacket),
  ]);
  return table(header, rows);
}

/** Two decimals; what is below half of one is what reading the heap costs, more or less. */
const heapText = (bytes: number): string => (Math.abs(bytes) < 0.005 ? '0' : bytes.toFixed(2));
