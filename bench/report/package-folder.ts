/** Where the checkout is whose documents are written: beside the sources, or one above what is compiled of them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeftError } from '../../control/errors.ts';

/** @throws WeftError where Weft is installed without its documents */
export function checkout(): string {
  for (const path of ['../..', '../../..']) {
    const folder = fileURLToPath(new URL(path, import.meta.url));
    if (existsSync(join(folder, 'docs', 'benchmarks'))) return folder;
  }
  throw new WeftError('unsupported', 'there is no docs/benchmarks here; run this in a checkout of Weft');
}
