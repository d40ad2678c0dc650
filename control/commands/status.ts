/** `weft status` */
import type { Command } from 'commander';
import type { Status } from '../service.ts';
import { durationText, list } from '../text.ts';
import { connect, type JsonOption, print, readingCommand } from './client-command.ts';

export function statusCommand(): Command {
  return readingCommand(
    'status',
    'Prints what the node is, what it uses, and how much it has to do with.',
  ).action(async (options: JsonOption) =>
    print(await connect(options).get<Status>('status'), options, statusText),
  );
}

function statusText(status: Status): string {
  const { vteps, encap, host, offload } = status;
  const off = Object.entries(offload).filter(([, { on }]) => !on);
  return list([
    ['node', status.node],
    ['version', status.version],
    ['running', `${durationText(status.uptimeSeconds)}, process ${status.pid}, ${status.workers} workers`],
    ...vteps.map(({ address, mac, interface: name, mtu }, i): [string, string] => [
      i === 0 ? 'underlay' : '',
      `${address} on ${name}, MTU ${mtu}, MAC ${mac}`,
    ]),
    ['encap', `${encap.type}, ${encap.when}; VNI ${status.vtep.vni}, port ${status.vtep.port}`],
    ['pods', `${status.pods} in ${status.cidrs.join(' ') || 'no range'}, MTU ${status.mtu}`],
    [
      'host',
      `${host.interface} ${host.ips.join(' ')}${host.natOutgoing ? ', masquerades what leaves the fabric' : ''}`,
    ],
    ['routes', status.routes],
    [
      'bgp',
      status.bgp.peers === 0
        ? 'no peers'
        : `${status.bgp.established} of ${status.bgp.peers} peers established`,
    ],
    ['offload', off.length === 0 ? 'all on' : 'on, except'],
    ...off.map(([name, { why }]): [string, string] => ['', `${name}${why ? ` (${why})` : ''}`]),
    ['config', status.config],
    ['state', status.state],
  ]);
}
