/** `weft detach` */
import type { Command } from 'commander';
import { clientCommand, connect, type SocketOption } from './client-command.ts';

interface DetachOptions extends SocketOption {
  readonly id: string;
  readonly ifname: string;
}

export function detachCommand(): Command {
  return clientCommand('detach', 'Takes an interface out of the fabric. That there is none is no error.')
    .requiredOption('--id <id>', 'as it was attached')
    .option('--ifname <name>', 'name of the interface in the namespace', 'eth0')
    .action(async (options: DetachOptions) => {
      const { id, ifname } = options;
      await connect(options).post('detach', { id, ifname });
    });
}
