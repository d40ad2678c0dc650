/** `weft routes` */
import type { Command } from 'commander';
import { type Address, formatAddress } from '../../wire/address.ts';
import type { NextHop, Route } from '../service.ts';
import { table } from '../text.ts';
import { address, connect, type JsonOption, print, readingCommand } from './client-command.ts';

export function routesCommand(): Command {
  return readingCommand('routes', 'Lists the routes of the node, or prints the one that a packet takes.')
    .argument('[address]', 'destination of the packet', address)
    .action(async (destination: Address | undefined, options: JsonOption) => {
      const query: Record<string, string> = destination ? { address: formatAddress(destination) } : {};
      const routes = await connect(options).get<Route[]>('routes', query);
      print(routes, options, () =>
        destination && routes.length === 0 ? `no route to ${formatAddress(destination)}` : routesText(routes),
      );
    });
}

/** One line a next hop; what a route that is not the best stands behind is marked. */
function routesText(routes: readonly Route[]): string {
  const header = ['PREFIX', 'SOURCE', 'ENCAP', 'VIA', 'PORT', 'VNI', 'MAC', 'MTU', ''];
  const rows = routes.flatMap(({ prefix, source, nextHops, best }) =>
    nextHops.map((hop, i) => [
      ...(i === 0 ? [prefix, source] : ['', '']),
      ...nextHopCells(hop),
      best ? '' : 'not in use',
    ]),
  );
  return table(header, rows);
}

function nextHopCells({ encap, via, port, vni, mac, mtu }: NextHop): string[] {
  return [encap, via, port, vni, mac, mtu].map((value) => String(value ?? ''));
}
