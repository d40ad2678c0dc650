/** The results that docs/benchmarks holds, one file a benchmark: written by `weft bench publish`, read for what is shown. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BgpResults } from '../bgp/results.ts';
import type { Comparison } from '../cni/suite.ts';
import type { FabricResults } from '../fabric/results.ts';
import type { Build, Machine } from '../machine.ts';
import type { StageResult } from '../micro/suite.ts';
import type { ScalePoint } from '../scale/suite.ts';

interface Origin extends Build {
  /** UTC. */
  readonly begun: string;
  readonly machine: Machine;
}

export interface Published {
  readonly fabric: FabricResults;
  readonly micro: Origin & {
    readonly benchmark: 'micro';
    readonly batch: number;
    readonly results: readonly StageResult[];
  };
  readonly cni: Origin & {
    readonly benchmark: 'cni';
    readonly rounds: number;
    readonly results: readonly Comparison[];
  };
  readonly bgp: BgpResults;
  readonly scale: Origin & { readonly benchmark: 'scale'; readonly results: readonly ScalePoint[] };
}
export type Part = keyof Published;
export const parts: readonly Part[] = ['fabric', 'micro', 'cni', 'bgp', 'scale'];

/** Those that are there. */
export function readPublished(folder: string): Partial<Published> {
  const entries = parts.flatMap((part) => {
    const file = join(folder, `${part}.json`);
    return existsSync(file) ? [[part, JSON.parse(readFileSync(file, 'utf8'))]] : [];
  });
  return Object.fromEntries(entries);
}

export function writePart(folder: string, results: Published[Part]): void {
  writeFileSync(join(folder, `${results.benchmark}.json`), `${JSON.stringify(results, rounded, 2)}\n`);
}

/** No figure here is known to more than five digits. */
const rounded = (_: string, value: unknown): unknown =>
  typeof value === 'number' ? Number(value.toPrecision(5)) : value;
