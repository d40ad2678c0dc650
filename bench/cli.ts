/** `weft bench`: the benchmarks; each is in a folder beside this file. */
import { Command } from 'commander';
import { bgpCommand } from './bgp/command.ts';
import { cniCommand } from './cni/command.ts';
import { fabricCommand } from './fabric/command.ts';
import { microCommand } from './micro/command.ts';

export function benchCommand(): Command {
  return new Command('bench')
    .description('measure Weft beside what would be used instead')
    .addCommand(fabricCommand())
    .addCommand(microCommand())
    .addCommand(cniCommand())
    .addCommand(bgpCommand());
}
