/** A few ratios between Weft and kernel VXLAN, in turn within one run: what the guard watches of the whole. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Journal } from '../fabric/journal.ts';
import { metrics } from '../fabric/metrics.ts';
import { resultsOf } from '../fabric/results.ts';
import { efforts, measureAll } from '../fabric/suite.ts';
import { REFERENCE, rowsOf } from '../fabric/table.ts';

export const guardedRows = ['tcp1', 'udp64', 'rtt'] as const;

/**
 * Ratio of each row's figure, always so that more is better.
 * @throws Error with what failed, when one of the two has no figures at all
 */
export async function fabricRatios(
  ids: readonly string[],
  progress: (text: string) => void,
): Promise<Record<string, number>> {
  const rows = rowsOf({ level: 'quick', only: ids, override: {} }).map((row) => ({
    ...row,
    contestants: [REFERENCE, 'weft'] as const,
  }));
  const folder = mkdtempSync(join(tmpdir(), 'weft-guard-'));
  try {
    const journal = Journal.begin(folder, { begun: new Date().toISOString(), plan: {} });
    const plan = { ...efforts.quick, rows, until: Number.POSITIVE_INFINITY };
    await measureAll(plan, journal, ({ row, contestant, round }) => {
      if (contestant === 'weft' && round === 0) progress(row.title);
    });
    return Object.fromEntries(
      resultsOf(rows, journal.measurements, 0).map(({ id, metric, contestants }) => {
        const weft = contestants.find(({ name }) => name === 'weft');
        const ratio = weft?.ratios[metric];
        if (!ratio) {
          const failures = contestants.flatMap((one) => one.failures);
          throw new Error(`${id}: no ratio could be measured: ${failures[0] ?? 'no figures'}`);
        }
        return [id, metrics[metric].better === 'more' ? ratio.median : 1 / ratio.median];
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
