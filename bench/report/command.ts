/**
 * `weft bench publish` measures everything and writes docs/benchmarks and the README's table; `weft bench report` writes them
 * anew from the results that are there, and measures nothing.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runBgp } from '../bgp/command.ts';
import { PLUGINS, runCni } from '../cni/command.ts';
import { type FabricOptions, fabricOptions, runFabric } from '../fabric/command.ts';
import { describeBuild, describeMachine } from '../machine.ts';
import { runMicro } from '../micro/command.ts';
import { PACKETS } from '../micro/stage.ts';
import { idsOf } from '../options.ts';
import { measureScale } from '../scale/suite.ts';
import { FOLDER, reportFiles } from './files.ts';
import { checkout } from './package-folder.ts';
import { type Part, type Published, parts, writePart } from './published.ts';

export const reportCommand = (): Command =>
  new Command('report')
    .description('write docs/benchmarks and the table of the README from the results that are there')
    .action(report);

async function report(): Promise<void> {
  const root = checkout();
  for (const [path, text] of await reportFiles(root)) {
    writeFileSync(join(root, path), text);
    process.stdout.write(`${path}\n`);
  }
}

interface PublishOptions extends FabricOptions {
  readonly parts?: readonly Part[];
}

export function publishCommand(): Command {
  const command = new Command('publish')
    .description('measure all of it and write docs/benchmarks and the table of the README')
    .option('--parts <names>', `comma-separated, of ${parts.join(', ')}`, idsOf(parts));
  return fabricOptions(command).action(publish);
}

async function publish(options: PublishOptions): Promise<void> {
  const folder = join(checkout(), FOLDER);
  for (const part of options.parts ?? parts) {
    const results = await measured[part](options);
    if (!results) {
      process.stderr.write(`${part} is not complete and not published\n`);
      process.exitCode = 1;
      return;
    }
    writePart(folder, results);
  }
  await report();
}

const ROUNDS = { quick: 2, standard: 5, full: 7 } as const;

const measured: { readonly [P in Part]: (options: PublishOptions) => Promise<Published[P] | undefined> } = {
  fabric: async (options) => {
    const results = await runFabric(options);
    return results.complete ? results : undefined;
  },
  micro: async ({ quick }) => ({
    benchmark: 'micro',
    ...origin(),
    batch: PACKETS,
    results: await runMicro({ quick: quick ?? false }),
  }),
  cni: async ({ quick, full }) => {
    const rounds = ROUNDS[quick ? 'quick' : full ? 'full' : 'standard'];
    return { benchmark: 'cni', ...origin(), rounds, results: await runCni({ rounds, plugins: PLUGINS }) };
  },
  bgp: ({ quick, full }) => runBgp({ quick: quick ?? false, full: full ?? false }),
  scale: async ({ quick }) => ({
    benchmark: 'scale',
    ...origin(),
    results: await measureScale({ quick: quick ?? false }, (text) => process.stderr.write(`${text}\n`)),
  }),
};

const origin = () => ({
  begun: new Date().toISOString(),
  ...describeBuild(),
  machine: describeMachine(),
});
