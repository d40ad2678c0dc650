/** `weft node` */
import { Command, Option } from 'commander';
import { type DaemonOptions, runDaemon } from '../daemon.ts';
import { LOG_LEVELS } from '../log.ts';

export function nodeCommand(): Command {
  return new Command('node')
    .description(
      'Runs the fabric service in the foreground, in the network namespace that it is started in, and prints one line\n' +
        'on stdout when it forwards. SIGHUP: read the configuration again. SIGTERM: stop; pods keep their interfaces.',
    )
    .requiredOption('--config <file>', 'configuration, YAML')
    .addOption(
      new Option('--log-level <level>', 'least level of the log on stderr')
        .choices(LOG_LEVELS)
        .default('info'),
    )
    .action(async (options: DaemonOptions) => process.exit(await runDaemon(options)));
}
