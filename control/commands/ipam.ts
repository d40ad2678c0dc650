/** `weft ipam`: show, check, release */
import { Command } from 'commander';
import type { Finding } from '../../cni/leases.ts';
import { type Address, formatAddress } from '../../wire/address.ts';
import type { Ipam } from '../service.ts';
import { table } from '../text.ts';
import {
  address,
  clientCommand,
  connect,
  type JsonOption,
  print,
  readingCommand,
  type SocketOption,
} from './client-command.ts';

interface CheckOptions extends JsonOption {
  readonly fix?: boolean;
}

interface ReleaseOptions extends SocketOption {
  readonly force?: boolean;
}

export function ipamCommand(): Command {
  return new Command('ipam')
    .description('Addresses of the pods of this node.')
    .addCommand(show())
    .addCommand(check())
    .addCommand(release());
}

function show(): Command {
  return readingCommand('show', 'Lists the ranges and who has which address.').action(
    async (options: JsonOption) => print(await connect(options).get<Ipam>('ipam'), options, ipamText),
  );
}

function check(): Command {
  return readingCommand(
    'check',
    'Compares the leases with the pods that are there. Status 1 when something is wrong and was not put right.',
  )
    .option('--fix', "free what is nobody's any more")
    .action(async (options: CheckOptions) => {
      const { fix = false } = options;
      const findings = await connect(options).post<Finding[]>('ipam/check', { fix });
      print(findings, options, findingsText);
      if (findings.some(({ fixed }) => !fixed)) process.exitCode = 1;
    });
}

function release(): Command {
  return clientCommand(
    'release',
    'Frees an address whose pod is gone, or that rests, to be given again at once.',
  )
    .argument('<address>', 'of the pod', address)
    .option('--force', 'also when the pod is there, which loses its interface')
    .action(async (ip: Address, options: ReleaseOptions) => {
      const { force = false } = options;
      await connect(options).post('ipam/release', { ip: formatAddress(ip), force });
    });
}

function ipamText({ ranges, leases }: Ipam): string {
  const use = table(
    ['RANGE', 'SIZE', 'USED', 'RESTING'],
    ranges.map(({ range, size, used, resting }) => [range, size, used, resting]),
  );
  const who = table(
    ['ADDRESS', 'ID', 'INTERFACE', 'NETWORK', 'STATE', 'NAMESPACE'],
    leases.map(({ ip, id, ifname, network, state, netns }) => [ip, id, ifname, network ?? '', state, netns]),
  );
  return `${use}\n\n${who}`;
}

function findingsText(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'every lease has its pod, and every pod its lease';
  return table(
    ['ADDRESS', 'ID', 'INTERFACE', 'PROBLEM', 'REMEDY'],
    findings.map(({ ip = '', id = '', ifname = '', problem, remedy, fixed }) => [
      ip,
      id,
      ifname,
      problem,
      fixed ? 'done' : remedy,
    ]),
  );
}
