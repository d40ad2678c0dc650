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
    ['bgp', bgpText(status.bgp)],
    ['offload', off.length === 0 ? 'all on' : 'on, except'],
    ...off.map(([name, { why }]): [string, string] => ['', `${name}${why ? ` (${why})` : ''}`]),
    ['config', status.config],
    ['state', status.state],
  ]);
}

function bgpText({ asn, peers, established, learned, unusable }: Status['bgp']): string {
  if (asn === undefined) return 'not configured';
  const sessions = peers === 0 ? 'no peers' : `${established} of ${peers} peers established`;
  const lost = unusable === 0 ? '' : `, ${unusable} of them cannot be used (weft routes)`;
  return `AS ${asn}, ${sessions}, ${learned} prefixes learned${lost}`;
}
