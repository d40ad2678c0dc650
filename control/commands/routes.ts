/** `weft routes` */
import type { Command } from 'commander';
import { type Address, formatAddress } from '../../wire/address.ts';
import type { NextHop, Route } from '../service.ts';
import { table } from '../text.ts';
import { address, connect, type JsonOption, print, readingCommand } from './client-command.ts';

export function routesCommand(): Command {
  return readingCommand('routes', 'Lists the routes of the node, or prints the one that a packet takes.')
    .argument('[address]', 'destination of the packet', address)
    .option('--check', "compare with the engine and the node's own table instead; status 1 when they differ")
    .action(async (destination: Address | undefined, options: RoutesOptions) => {
      if (options.check) return check(options);
      const query: Record<string, string> = destination ? { address: formatAddress(destination) } : {};
      const routes = await connect(options).get<Route[]>('routes', query);
      print(routes, options, () =>
        destination && routes.length === 0 ? `no route to ${formatAddress(destination)}` : routesText(routes),
      );
    });
}

interface RoutesOptions extends JsonOption {
  readonly check?: boolean;
}

async function check(options: RoutesOptions): Promise<void> {
  const differences = await connect(options).get<string[]>('routes/check');
  print(differences, options, () =>
    differences.length === 0
      ? "the route table, the engine and the node's own table agree"
      : differences.join('\n'),
  );
  if (differences.length > 0) process.exitCode = 1;
}

/** One line a next hop; what a route that is not the best stands behind is marked. */
function routesText(routes: readonly Route[]): string {
  const header = ['PREFIX', 'SOURCE', 'ENCAP', 'VIA', 'WEIGHT', 'PORT', 'VNI', 'MAC', 'MTU', ''];
  const rows = routes.flatMap(({ prefix, source, nextHops, best, problems = [] }) => {
    const remark = [...(best ? [] : ['not in use']), ...problems].join('; ');
    if (nextHops.length === 0) return [[prefix, source, ...Array<string>(7).fill(''), remark]];
    return nextHops.map((hop, i) => [
      ...(i === 0 ? [prefix, source] : ['', '']),
      ...nextHopCells(hop),
      i === 0 || !best ? remark : '',
    ]);
  });
  return table(header, rows);
}

function nextHopCells({ encap, via, weight, port, vni, mac, mtu }: NextHop): string[] {
  return [encap, via, weight, port, vni, mac, mtu].map((value) => String(value ?? ''));
}
