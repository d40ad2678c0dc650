/** `weft bgp`: the peers; routes, why, clear, refresh, shutdown, enable, bmp, dump, record, replay */
import { type Command, InvalidArgumentError } from 'commander';
import { formatPrefix, type Prefix, parsePrefix } from '../../wire/prefix.ts';
import { WeftError } from '../errors.ts';
import type { BgpAttributes, BgpPeer, BgpRoute, BgpWhy, BmpStation } from '../service.ts';
import { durationText, table } from '../text.ts';
import { recordCommand, replayCommand } from './bgp-record.ts';
import {
  clientCommand,
  connect,
  type JsonOption,
  print,
  readingCommand,
  type SocketOption,
} from './client-command.ts';
import { save } from './save.ts';

interface RoutesOptions extends JsonOption {
  readonly peer?: string;
  readonly in?: boolean;
  readonly out?: boolean;
  readonly beforePolicy?: boolean;
  readonly prefix?: Prefix;
}

interface RefreshOptions extends SocketOption {
  readonly in?: boolean;
  readonly out?: boolean;
}

interface ShutdownOptions extends SocketOption {
  readonly message?: string;
}

export function bgpCommand(): Command {
  return readingCommand('bgp', 'Lists the BGP peers; its subcommands show routes and act upon sessions.')
    .action(async (options: JsonOption) =>
      print(await connect(options).get<BgpPeer[]>('bgp'), options, peersText),
    )
    .addCommand(routes())
    .addCommand(why())
    .addCommand(clear())
    .addCommand(refresh())
    .addCommand(shutdown())
    .addCommand(enable())
    .addCommand(stations())
    .addCommand(dump())
    .addCommand(recordCommand())
    .addCommand(replayCommand());
}

function routes(): Command {
  return readingCommand(
    'routes',
    'Lists what is best of all that was learned; with --in or --out what a peer told and was told.',
  )
    .option('--peer <name>', 'of this peer only')
    .option('--in', 'what the peer told, as policy lets it be used')
    .option('--out', 'what the peer was told')
    .option('--before-policy', 'with --in: as it was received')
    .option('--prefix <prefix>', 'inside this prefix only', prefix)
    .action(async (given: RoutesOptions, command: Command) => {
      const options = command.optsWithGlobals<RoutesOptions>();
      const { peer, beforePolicy = false, prefix: range } = given;
      if (given.in && given.out) throw new WeftError('usage', '--in does not go with --out; give one');
      if (beforePolicy && given.out) {
        throw new WeftError('usage', '--before-policy is about what was received; leave out --out');
      }
      const rib = given.out ? 'out' : given.in || peer !== undefined || beforePolicy ? 'in' : 'local';
      const query = {
        rib,
        ...(peer !== undefined && { peer }),
        ...(beforePolicy && { beforePolicy: 'true' }),
        ...(range && { prefix: formatPrefix(range) }),
      };
      print(await connect(options).get<BgpRoute[]>('bgp/routes', query), options, routesText);
    });
}

function why(): Command {
  return readingCommand(
    'why',
    'Tells of every route to a prefix whether it is best, and by what the others lost.',
  )
    .argument('<prefix>', 'such as 10.244.2.0/24', prefix)
    .action(async (range: Prefix, _: JsonOption, command: Command) => {
      const options = command.optsWithGlobals<JsonOption>();
      const query = { prefix: formatPrefix(range) };
      print(await connect(options).get<BgpWhy>('bgp/why', query), options, whyText);
    });
}

function stations(): Command {
  return readingCommand(
    'bmp',
    'Lists the monitoring stations that are told what peers tell (RFC 7854).',
  ).action(async (_: JsonOption, command: Command) => {
    const options = command.optsWithGlobals<JsonOption>();
    print(await connect(options).get<BmpStation[]>('bgp/bmp'), options, stationsText);
  });
}

function clear(): Command {
  return clientCommand('clear', 'Ends the session with a peer, which comes up anew.')
    .argument('<peer>', 'its name')
    .action(async (peer: string, _: SocketOption, command: Command) => {
      await connect(command.optsWithGlobals()).post('bgp/clear', { peer, how: 'hard' });
    });
}

function refresh(): Command {
  return clientCommand(
    'refresh',
    'Asks a peer for its routes again and sends it ours, without touching the session.',
  )
    .argument('<peer>', 'its name')
    .option('--in', 'ask only')
    .option('--out', 'send only')
    .action(async (peer: string, given: RefreshOptions, command: Command) => {
      const client = connect(command.optsWithGlobals());
      const ways = (['in', 'out'] as const).filter((way) => given[way]);
      for (const how of ways.length > 0 ? ways : (['in', 'out'] as const)) {
        await client.post('bgp/clear', { peer, how });
      }
    });
}

function shutdown(): Command {
  return clientCommand(
    'shutdown',
    'Ends the session with a peer until it is enabled, or the node starts anew.',
  )
    .argument('<peer>', 'its name')
    .option('--message <text>', "for the peer's operator (RFC 9003)")
    .action(async (peer: string, { message }: ShutdownOptions, command: Command) => {
      const request = message === undefined ? { peer } : { peer, text: message };
      await connect(command.optsWithGlobals()).post('bgp/shutdown', request);
    });
}

function enable(): Command {
  return clientCommand('enable', 'Lets a peer that was shut down have a session again.')
    .argument('<peer>', 'its name')
    .action(async (peer: string, _: SocketOption, command: Command) => {
      await connect(command.optsWithGlobals()).post('bgp/enable', { peer });
    });
}

interface DumpOptions extends SocketOption {
  readonly output: string;
  readonly peer?: string;
  readonly afterPolicy?: boolean;
  readonly local?: boolean;
}

function dump(): Command {
  return clientCommand('dump', 'Writes what the peers told into an MRT file (RFC 6396), as it was received.')
    .requiredOption('--output <file>', 'where to')
    .option('--peer <name>', 'of this peer only')
    .option('--after-policy', 'as policy lets it be used')
    .option('--local', 'what is best of all, with what this node announces')
    .action(async ({ output, peer, afterPolicy, local }: DumpOptions, command: Command) => {
      if (afterPolicy && local) {
        throw new WeftError('usage', '--after-policy does not go with --local; give one');
      }
      const query = {
        rib: local ? 'local' : afterPolicy ? 'accepted' : 'received',
        ...(peer !== undefined && { peer }),
      };
      await save(output, () => connect(command.optsWithGlobals<SocketOption>()).download('bgp/dump', query));
    });
}

/** Parser of options and arguments; what it throws ends as wrong usage. */
function prefix(text: string): Prefix {
  try {
    return parsePrefix(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function stationsText(stations: readonly BmpStation[]): string {
  const header = ['NAME', 'ADDRESS', 'PORT', 'STATE', 'FOR', 'CONNECTIONS', 'BYTES', 'LAST ERROR'];
  const rows = stations.map((one) => [
    one.name,
    one.address,
    one.port,
    one.connected ? 'connected' : 'not connected',
    durationText(one.uptimeSeconds),
    one.connections,
    one.bytes,
    one.lastError ?? '',
  ]);
  return table(header, rows);
}

function peersText(peers: readonly BgpPeer[]): string {
  const header = [
    'NAME',
    'ADDRESS',
    'AS',
    'STATE',
    'FOR',
    'BFD',
    'RECEIVED',
    'ACCEPTED',
    'ADVERTISED',
    'LAST ERROR',
  ];
  const rows = peers.map((peer) => [
    peer.name,
    peer.address ?? peer.interface ?? '',
    peer.asn ?? '',
    peer.state,
    durationText(peer.uptimeSeconds),
    peer.bfd?.state ?? '',
    peer.received,
    peer.accepted,
    peer.advertised,
    peer.lastError ?? '',
  ]);
  const notes = peers.flatMap(({ name, notes }) => notes.map((note) => `${name}: ${note}`));
  return [table(header, rows), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}

function routesText(all: readonly BgpRoute[]): string {
  const header = ['PREFIX', 'PEER', 'NEXT HOP', 'PREF', 'MED', 'AS PATH', 'TUNNEL', 'COMMUNITIES', ''];
  return table(
    header,
    all.map((route) => [route.prefix, route.peer ?? 'this node', ...attributeCells(route), remarks(route)]),
  );
}

function attributeCells(attributes: BgpAttributes): (string | number)[] {
  const {
    nextHop,
    localPref = '',
    med = '',
    asPath,
    tunnels = [],
    communities = [],
    largeCommunities = [],
  } = attributes;
  return [
    nextHop,
    localPref,
    med,
    asPath,
    tunnels.map(({ type, endpoint }) => (endpoint ? `${type} ${endpoint}` : type)).join(', '),
    [...communities, ...largeCommunities].join(' '),
  ];
}

function remarks({ rejected, staleness, problems = [] }: BgpRoute): string {
  const stale = staleness === undefined ? [] : ['stale'];
  return [...(rejected === undefined ? [] : [`rejected: ${rejected}`]), ...stale, ...problems].join('; ');
}

function whyText({ prefix: range, routes: all, problems }: BgpWhy): string {
  if (all.length === 0) return `no route to ${range} was learned`;
  const rows = all.map(({ peer, outcome, reason, before, after }) => [
    peer ?? 'this node',
    outcome,
    reason,
    ...attributeCells(after ?? before),
  ]);
  const text = table(
    ['PEER', 'IS', 'BECAUSE', 'NEXT HOP', 'PREF', 'MED', 'AS PATH', 'TUNNEL', 'COMMUNITIES'],
    rows,
  );
  return problems.length === 0 ? text : [text, '', ...problems.map((one) => `not in use: ${one}`)].join('\n');
}
