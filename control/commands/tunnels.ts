/** `weft tunnels` */
import type { Command } from 'commander';
import type { Tunnel } from '../service.ts';
import { bytesText, durationText, table } from '../text.ts';
import { connect, type JsonOption, print, readingCommand } from './client-command.ts';

export function tunnelsCommand(): Command {
  return readingCommand(
    'tunnels',
    'Lists the nodes that routes lead to, by underlay address. Packets and bytes are those inside.',
  ).action(async (options: JsonOption) =>
    print(await connect(options).get<Tunnel[]>('tunnels'), options, tunnelsText),
  );
}

function tunnelsText(tunnels: readonly Tunnel[]): string {
  const header = ['REMOTE', 'ENCAP', 'MTU', 'ROUTES', 'RX', '', 'TX', '', 'LAST SEEN'];
  const rows = tunnels.map(({ remote, encap, mtu, routes, rx, tx, lastSeen }) => [
    remote,
    encap,
    mtu,
    routes,
    rx.packets,
    bytesText(rx.bytes),
    tx.packets,
    bytesText(tx.bytes),
    lastSeen === null ? 'never' : ago(lastSeen),
  ]);
  return table(header, rows);
}

function ago(time: string): string {
  return `${durationText(Math.max(0, Date.now() - Date.parse(time)) / 1000)} ago`;
}
