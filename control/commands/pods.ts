/** `weft pods` */
import type { Command } from 'commander';
import type { Pod } from '../service.ts';
import { bytesText, table } from '../text.ts';
import { connect, type JsonOption, print, readingCommand } from './client-command.ts';

export function podsCommand(): Command {
  return readingCommand(
    'pods',
    'Lists the interfaces that are attached. rx is what was delivered to the pod, tx what it sent.',
  ).action(async (options: JsonOption) =>
    print(await connect(options).get<Pod[]>('pods'), options, podsText),
  );
}

function podsText(pods: readonly Pod[]): string {
  const header = ['ID', 'INTERFACE', 'ADDRESSES', 'STATE', 'RX', '', 'TX', '', 'DROPS', 'NAMESPACE'];
  const rows = pods.map(({ id, ifname, ips, state, rx, tx, drops, netns }) => [
    id,
    ifname,
    ips.map((ip) => ip.split('/')[0]).join(' '),
    state,
    rx.packets,
    bytesText(rx.bytes),
    tx.packets,
    bytesText(tx.bytes),
    drops,
    netns,
  ]);
  return table(header, rows);
}
