/**
 * The stages of `weft bench micro` and how one is measured: proved, timed by `benchmark`, held against the heap, and proved
 * again. All run in one process, like the stages of a worker: what a compiler learnt from one is there for the next.
 */
import type Benchmark from 'benchmark';
import type { Options } from 'benchmark';
import { WeftError } from '../../control/errors.ts';
import { median } from '../statistics.ts';
import { checksumStages } from './checksum.ts';
import { counterStages } from './counters.ts';
import { heapBytesPerCall } from './heap.ts';
import { lpmStages } from './lpm.ts';
import { parseStages } from './parse.ts';
import { receiveStages } from './receive.ts';
import { sendStages } from './send.ts';
import { PACKETS, type Stage } from './stage.ts';

/** Roughly in the order in which a packet passes them. */
export const stages: readonly Stage[] = [
  ...parseStages,
  ...lpmStages,
  ...checksumStages,
  ...counterStages,
  ...sendStages,
  ...receiveStages,
];

export interface StageResult {
  readonly id: string;
  readonly title: string;
  /** Median of the samples. */
  readonly nanosecondsPerPacket: number;
  /** Half of the 95 % confidence interval of the samples' mean, percent of it. */
  readonly marginPercent: number;
  readonly samples: number;
  readonly packetsPerSecond: number;
  /** JavaScript heap taken, garbage included. */
  readonly heapBytesPerPacket: number;
}

/** How long a stage is timed. */
export const effort = {
  full: { minTime: 0.05, maxTime: 2, minSamples: 20 },
  quick: { minTime: 0.01, maxTime: 0.2, minSamples: 10 },
} as const satisfies Record<string, Options>;

/** Packets of which the heap is measured. */
const HEAP_PACKETS = 1_000_000;

/** A worker runs for weeks: what it takes to be compiled is not part of a packet's time. */
const WARM_UP_MS = 200;

function warmUp(run: () => void): void {
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) run();
}

/** @throws Error when the stage does not do what it promises, before or after it is timed */
export function measure(Timer: typeof Benchmark, stage: Stage, options: Options): StageResult {
  try {
    const { run, prove } = stage.prepare();
    prove();
    warmUp(run);
    const timed = new Timer(stage.id, run, options).run();
    if (timed.error !== undefined) throw timed.error;
    const heapBytesPerPacket = heapBytesPerCall(run, HEAP_PACKETS / PACKETS) / PACKETS;
    prove();
    const nanosecondsPerPacket = (median(timed.stats.sample) * 1e9) / PACKETS;
    return {
      id: stage.id,
      title: stage.title,
      nanosecondsPerPacket,
      marginPercent: timed.stats.rme,
      samples: timed.stats.sample.length,
      packetsPerSecond: 1e9 / nanosecondsPerPacket,
      heapBytesPerPacket,
    };
  } catch (cause) {
    throw new Error(`${stage.id}: ${(cause as Error).message}`, { cause });
  }
}

/** The package is only in a checkout, beside the other tools of development. @throws WeftError when it is not there */
export async function loadBenchmark(): Promise<typeof Benchmark> {
  try {
    return (await import('benchmark')).default;
  } catch (cause) {
    const why = "cannot load the npm package 'benchmark', which times the stages";
    const remedy = 'run weft bench micro in a checkout, after npm install with development dependencies';
    throw new WeftError('unsupported', `${why}: ${(cause as Error).message}; ${remedy}`, { cause });
  }
}
