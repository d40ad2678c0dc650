/** `weft attach` */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type Address, formatAddress } from '../../wire/address.ts';
import type { AttachResult } from '../service.ts';
import { list } from '../text.ts';
import { address, connect, type JsonOption, print, readingCommand } from './client-command.ts';

interface AttachOptions extends JsonOption {
  readonly netns: string;
  readonly id: string;
  readonly ifname: string;
  readonly ip?: readonly Address[];
  readonly ingressRate?: number;
  readonly ingressBurst?: number;
  readonly egressRate?: number;
  readonly egressBurst?: number;
}

const NETNS_FOLDER = '/run/netns';

export function attachCommand(): Command {
  return readingCommand('attach', 'Gives a network namespace an interface in the fabric, without CNI.')
    .requiredOption('--netns <path>', `the namespace: its path, or its name in ${NETNS_FOLDER}`)
    .requiredOption('--id <id>', 'name of the attachment, for weft detach and weft pods')
    .option('--ifname <name>', 'name of the interface in the namespace', 'eth0')
    .option(
      '--ip <address>',
      'address wanted, at most one of IPv4 and one of IPv6; others are chosen',
      (text, before: readonly Address[] = []) => [...before, address(text)],
    )
    .option('--ingress-rate <bits>', 'limit of what it receives, bits a second: 500k, 10M, 2.5G', bits)
    .option('--ingress-burst <bits>', 'what may pass at once after a time of less', bits)
    .option('--egress-rate <bits>', 'limit of what it sends', bits)
    .option('--egress-burst <bits>', 'what may pass at once after a time of less', bits)
    .action(async (options: AttachOptions) => {
      const { netns, id, ifname, ip = [], ingressRate, ingressBurst, egressRate, egressBurst } = options;
      const limits = { ingressRate, ingressBurst, egressRate, egressBurst };
      const request = {
        id,
        ifname,
        netns: namespacePath(netns),
        ips: ip.map(formatAddress),
        ...(Object.values(limits).some((limit) => limit !== undefined) && { bandwidth: limits }),
      };
      print(await connect(options).post<AttachResult>('attach', request), options, attachText);
    });
}

const UNITS: Readonly<Record<string, number>> = { k: 1e3, M: 1e6, G: 1e9 };

function bits(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([kMG])?$/.exec(text) ?? [];
  if (number === undefined)
    throw new InvalidArgumentError('Expected bits, such as 1000000, 500k, 10M or 2.5G.');
  return Math.round(Number(number) * (UNITS[unit] ?? 1));
}

/** The daemon works in a folder of its own. */
function namespacePath(netns: string): string {
  return netns.includes('/') ? resolve(netns) : `${NETNS_FOLDER}/${netns}`;
}

function attachText({ interface: name, ips, mtu, mac }: AttachResult): string {
  return list([
    ['interface', name],
    ...ips.map((ip, i): [string, string] => [i === 0 ? 'addresses' : '', ip]),
    ['MTU', String(mtu)],
    ['MAC', mac],
  ]);
}
