/** Everything that follows from the results: the README's section, the page of results, the plots. Writes nothing. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadEcharts } from './chart.ts';
import { replaceSection } from './markdown.ts';
import { resultsPage } from './page.ts';
import { plotsOf } from './plots.ts';
import { readPublished } from './published.ts';
import { readmeSection } from './readme.ts';

export const FOLDER = 'docs/benchmarks';

/** Path inside the checkout, and what is to be there. */
export async function reportFiles(checkout: string): Promise<Map<string, string>> {
  const published = readPublished(join(checkout, FOLDER));
  const echarts = await loadEcharts();
  const readme = readFileSync(join(checkout, 'README.md'), 'utf8');
  return new Map([
    ['README.md', replaceSection(readme, readmeSection(published))],
    [`${FOLDER}/results.md`, resultsPage(published)],
    ...plotsOf(published).map((plot) => [`${FOLDER}/${plot.file}`, plot.draw(echarts)] as const),
  ]);
}
