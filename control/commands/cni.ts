/** `weft cni`: install, uninstall */
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { install, type Places, uninstall } from '../cni-install.ts';
import type { Status } from '../service.ts';
import { list } from '../text.ts';
import { clientCommand, connect, type SocketOption, socketOf } from './client-command.ts';

interface InstallOptions extends SocketOption, Places {
  readonly name: string;
}

export function cniCommand(): Command {
  return new Command('cni')
    .description('The plugin by which container runtimes attach pods.')
    .addCommand(installCommand())
    .addCommand(uninstallCommand());
}

function installCommand(): Command {
  const command = clientCommand(
    'install',
    'Puts the plugin and the network configuration in place; the daemon has to run. May be repeated.',
  );
  return withPlaces(command)
    .option('--name <name>', 'of the network', networkName, 'weft')
    .action(async (options: InstallOptions) => {
      // A configuration that runtimes find is a promise that pods can be attached.
      await connect(options).get<Status>('status');
      const { name } = options;
      const paths = install(placesOf(options), { name, socket: resolve(socketOf(options)) });
      process.stdout.write(`${list(Object.entries(paths))}\n`);
    });
}

function uninstallCommand(): Command {
  const command = new Command('uninstall').description(
    'Takes away what install has put in place. Pods that are attached stay. That there is nothing is no error.',
  );
  return withPlaces(command).action((options: Places) => {
    for (const path of uninstall(placesOf(options))) process.stdout.write(`removed  ${path}\n`);
  });
}

function withPlaces(command: Command): Command {
  return command
    .option('--bin <folder>', 'of the plugins', '/opt/cni/bin')
    .option('--conf <folder>', 'of the network configurations', '/etc/cni/net.d');
}

const placesOf = ({ bin, conf }: Places): Places => ({ bin: resolve(bin), conf: resolve(conf) });

/** SPEC 1.1.0 section 1, "name". */
function networkName(text: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text)) return text;
  throw new InvalidArgumentError("Expected letters, digits, '_', '.' and '-', the first a letter or digit.");
}
