/** `weft pods` */
import type { Command } from 'commander';
import type { Pod } from '../service.ts';
import { bytesText, rateText, table } from '../text.ts';
import { connect, type JsonOption, print, readingCommand } from './client-command.ts';

export function podsCommand(): Command {
  return readingCommand(
    'pods',
    'Lists the interfaces that are attached. rx is what was delivered to the pod, tx what it sent.',
  ).action(async (options: JsonOption) =>
    print(await connect(options).get<Pod[]>('pods'), options, podsText),
  );
}

/** 'rx 10 Mbit/s tx 2.5 Gbit/s' */
function limitsText({ ingressRate, egressRate }: Pod['bandwidth']): string {
  const limits = [
    ['rx', ingressRate],
    ['tx', egressRate],
  ] as const;
  return limits
    .filter(([, rate]) => rate > 0)
    .map(([way, rate]) => `${way} ${rateText(rate)}`)
    .join(' ');
}

function podsText(pods: readonly Pod[]): string {
  const header = [
    'ID',
    'INTERFACE',
    'ADDRESSES',
    'STATE',
    'RX',
    '',
    'TX',
    '',
    'LIMITS',
    'DROPS',
    'NAMESPACE',
  ];
  const rows = pods.map(({ id, ifname, ips, state, rx, tx, bandwidth, drops, netns }) => [
    id,
    ifname,
    ips.map((ip) => ip.split('/')[0]).join(' '),
    state,
    rx.packets,
    bytesText(rx.bytes),
    tx.packets,
    bytesText(tx.bytes),
    limitsText(bandwidth),
    drops,
    netns,
  ]);
  return table(header, rows);
}
