/** `weft bench`: the benchmarks; each is in a folder beside this file. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { bgpCommand } from './bgp/command.ts';
import { cniCommand } from './cni/command.ts';
import { fabricCommand, JOURNALS } from './fabric/command.ts';
import { guardCommand } from './guard/command.ts';
import { microCommand } from './micro/command.ts';
import { count } from './options.ts';
import { LOADS, type ProfileOptions, profile } from './profile/command.ts';
import { publishCommand, reportCommand } from './report/command.ts';
import { scaleCommand } from './scale/command.ts';

interface BenchOptions extends ProfileOptions {
  readonly profile?: boolean;
}

export function benchCommand(): Command {
  const command = new Command('bench');
  return command
    .description('measure Weft beside what would be used instead')
    .enablePositionalOptions()
    .option('--profile', 'flame graphs of both nodes under load, by perf and by V8')
    .addOption(new Option('--load <kind>', 'what is carried meanwhile').choices(LOADS).default('tcp'))
    .addOption(new Option('--seconds <n>', 'of each profile').default(5).argParser(count))
    .option('--output <folder>', 'where graphs are written', join(JOURNALS, 'profile'))
    .action(async (options: BenchOptions) => {
      if (!options.profile) command.help({ error: true });
      const files = await profile(options, (text) => process.stderr.write(`${text}\n`));
      process.stdout.write(`${files.join('\n')}\n`);
    })
    .addCommand(fabricCommand())
    .addCommand(microCommand())
    .addCommand(cniCommand())
    .addCommand(bgpCommand())
    .addCommand(scaleCommand())
    .addCommand(guardCommand())
    .addCommand(publishCommand())
    .addCommand(reportCommand());
}
