/** FRR: zebra, bgpd and what else a session needs, all of their sockets and files in one folder. */
import { chmodSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  ask,
  type Daemon,
  type DaemonConfig,
  eventually,
  listening,
  type Place,
  Program,
  type SessionConfig,
  type SessionStatus,
  textOf,
} from './daemon.ts';
import { type OwnRoute, type Route, route } from './route.ts';

const PROGRAMS = '/usr/lib/frr';

export class Frr implements Daemon {
  readonly #place: Place;
  #programs: Program[] = [];
  #config: DaemonConfig | undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  async start(config: DaemonConfig): Promise<void> {
    const { folder } = this.#place;
    this.#config = config;
    // They run as a user of their own, which has to get here and write here.
    chmodSync(dirname(folder), 0o711);
    await ask('install', ['-d', '-o', 'frr', '-g', 'frr', '-m', '755', folder, join(folder, 'run')]);
    for (const name of ['vtysh.conf', 'empty.conf']) writeFileSync(join(folder, name), '');
    const wantsBfd = config.sessions.some(({ bfd }) => bfd);
    for (const name of ['zebra', 'bgpd', ...(wantsBfd ? ['bfdd'] : [])]) {
      this.#programs.push(this.#run(name));
      // Each looks for the one before when it starts.
      await eventually(() => ask('vtysh', [...this.#vtysh, '-d', name, '-c', 'show version']));
    }
    // It begins to listen when it is told whom to speak for.
    await this.#load(configuration(config));
    await listening(this.#place.namespace);
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async status({ remote, interface: link }: SessionConfig): Promise<SessionStatus> {
    const name = link ?? remote;
    const all = JSON.parse(await this.#ask(`show bgp neighbors ${name} json`)) as Record<string, Neighbor>;
    const { bgpState, ...rest } = all[name] ?? {};
    const errors = Object.entries(rest).filter(([key]) => /reset|notification|shutdown|error/i.test(key));
    return { established: bgpState === 'Established', errors: JSON.stringify(Object.fromEntries(errors)) };
  }

  async received({ remote }: SessionConfig, prefix: string): Promise<Route[]> {
    return (await this.#paths(prefix)).filter(({ peer }) => peer?.peerId === remote).map(parse);
  }

  async announce(routes: readonly OwnRoute[]): Promise<void> {
    const { asn, routes: before } = this.#config as DaemonConfig;
    this.#config = { ...(this.#config as DaemonConfig), routes };
    await this.#load([`router bgp ${asn}`, ...networks(before, 'no '), ...networks(routes)].join('\n'));
  }

  async refresh({ remote }: SessionConfig): Promise<void> {
    await this.#ask(`clear bgp ${remote} soft in`);
  }

  async reset({ remote }: SessionConfig): Promise<void> {
    await this.#ask(`clear bgp ${remote}`);
  }

  async shutdown({ remote }: SessionConfig, text: string): Promise<void> {
    const { asn } = this.#config as DaemonConfig;
    await this.#load(`router bgp ${asn}\n neighbor ${remote} shutdown message ${text}`);
  }

  async sharedBy(prefix: string): Promise<string[]> {
    const kernel = await this.#place.namespace.runLater('ip', ['-j', 'route', 'show', prefix]);
    const [found] = JSON.parse(kernel) as { gateway?: string; nexthops?: { gateway: string }[] }[];
    return (found?.nexthops ?? (found ? [{ gateway: found.gateway ?? '' }] : [])).map((hop) => hop.gateway);
  }

  log(): string {
    return ['zebra.log', 'bgpd.log', 'log'].map((name) => textOf(join(this.#place.folder, name))).join('');
  }

  get #vtysh(): string[] {
    const { folder } = this.#place;
    return ['--vty_socket', join(folder, 'run'), '--config_dir', folder];
  }

  #run(name: string): Program {
    const { folder } = this.#place;
    const own = name === 'bfdd' ? ['--bfdctl', join(folder, 'run', 'bfdd.sock')] : [];
    return new Program(this.#place, join(PROGRAMS, name), [
      ...['-f', join(folder, 'empty.conf'), '-i', join(folder, 'run', `${name}.pid`)],
      ...['--vty_socket', join(folder, 'run'), '-z', join(folder, 'run', 'zserv.api'), ...own],
      ...['-A', '127.0.0.1', '--log', `file:${join(folder, `${name}.log`)}`],
    ]);
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    for (const program of this.#programs.splice(0).reverse()) await program.end(signal);
  }

  /** A daemon that is given a file with -f loses the rest of it behind a section that it does not know; vtysh does not. */
  async #load(text: string): Promise<void> {
    const file = join(this.#place.folder, 'load.conf');
    writeFileSync(file, `${text}\n`);
    await ask('vtysh', [...this.#vtysh, '-f', file]);
  }

  #ask(command: string): Promise<string> {
    return ask('vtysh', [...this.#vtysh, '-c', command]);
  }

  async #paths(prefix: string): Promise<Path[]> {
    const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
    const answer = JSON.parse(await this.#ask(`show bgp ${family} unicast ${prefix} json`)) as {
      paths?: Path[];
    };
    return answer.paths ?? [];
  }
}

interface Neighbor {
  readonly bgpState: string;
  readonly [key: string]: unknown;
}

interface Path {
  readonly aspath?: { readonly string: string };
  readonly origin: string;
  readonly metric?: number;
  readonly locPrf?: number;
  readonly nexthops?: readonly { readonly ip: string; readonly used?: boolean; readonly scope?: string }[];
  readonly community?: { readonly string: string };
  readonly largeCommunity?: { readonly string: string };
  readonly extendedCommunity?: { readonly string: string };
  readonly originatorId?: string;
  readonly clusterList?: { readonly list: readonly string[] };
  readonly otc?: number;
  readonly peer?: { readonly peerId: string };
}

const parse = (path: Path): Route => {
  const list = (text: string | undefined): string[] => (text ?? '').split(' ').filter(Boolean).sort();
  const { metric, locPrf, otc, originatorId } = path;
  return route({
    asPath: (path.aspath?.string ?? '')
      .split(' ')
      .filter((one) => /^\d+$/.test(one))
      .map(Number),
    nextHop: path.nexthops?.find(({ scope }) => scope !== 'link-local')?.ip ?? path.nexthops?.[0]?.ip ?? '',
    origin: path.origin.toLowerCase() as Route['origin'],
    ...(metric !== undefined && { med: metric }),
    ...(locPrf !== undefined && { localPref: locPrf }),
    communities: list(path.community?.string),
    large: list(path.largeCommunity?.string),
    extended: list(path.extendedCommunity?.string.toLowerCase()),
    ...(originatorId !== undefined && { originatorId }),
    clusterList: path.clusterList?.list ?? [],
    ...(otc !== undefined && { onlyToCustomer: otc }),
  });
};

const familyOf = ({ prefix }: OwnRoute): 4 | 6 => (prefix.includes(':') ? 6 : 4);
const mapName = ({ prefix }: OwnRoute): string => `own-${prefix.replaceAll(/[^\w]/g, '-')}`;

/** Networks with what is set on them. */
const networks = (routes: readonly OwnRoute[], no = ''): string[] =>
  ([4, 6] as const).flatMap((family) => [
    ` address-family ipv${family} unicast`,
    ...routes
      .filter((one) => familyOf(one) === family)
      .map((one) => `  ${no}network ${one.prefix}${isPlain(one) ? '' : ` route-map ${mapName(one)}`}`),
    ' exit-address-family',
  ]);

const isPlain = ({ prefix, ...rest }: OwnRoute): boolean => Object.keys(rest).length === 0;

const routeMap = (one: OwnRoute): string[] => {
  const { med, communities, large, extended } = one;
  return [
    `route-map ${mapName(one)} permit 10`,
    ...(med === undefined ? [] : [` set metric ${med}`]),
    ...(communities === undefined ? [] : [` set community ${communities.join(' ')}`]),
    ...(large === undefined ? [] : [` set large-community ${large.join(' ')}`]),
    ...(extended === undefined
      ? []
      : [` set extcommunity rt ${extended.map((text) => text.replace('rt:', '')).join(' ')}`]),
    'exit',
  ];
};

const configuration = ({
  asn,
  routerId,
  sessions,
  routes,
  maxPaths = 1,
  clusterId,
}: DaemonConfig): string => {
  const multipath = maxPaths > 1 ? [`  maximum-paths ${maxPaths}`, `  maximum-paths ibgp ${maxPaths}`] : [];
  const isGraceful = sessions.some(({ gracefulRestart }) => gracefulRestart);
  return [
    ...(sessions.some(({ bfd }) => bfd)
      ? ['bfd', ' profile fast', '  receive-interval 100', '  transmit-interval 100', ' exit', 'exit']
      : []),
    ...routes.filter((one) => !isPlain(one)).flatMap(routeMap),
    'bgp route-map delay-timer 0',
    ...sessions.flatMap(({ interface: link }) =>
      link === undefined
        ? []
        : [`interface ${link}`, ' ipv6 nd ra-interval 1', ' no ipv6 nd suppress-ra', 'exit'],
    ),
    `router bgp ${asn}`,
    ` bgp router-id ${routerId}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp default ipv4-unicast',
    ' no bgp network import-check',
    ' coalesce-time 0',
    ...(clusterId === undefined ? [] : [` bgp cluster-id ${clusterId}`]),
    ...(isGraceful
      ? [' bgp graceful-restart', ' bgp graceful-restart restart-time 30']
      : [' bgp graceful-restart-disable']),
    ...sessions.flatMap((one) => session(one)),
    ...([4, 6] as const).flatMap((family) => [
      ` address-family ipv${family} unicast`,
      ...multipath,
      ...sessions.filter(({ families }) => families.includes(family)).flatMap(activation),
      ' exit-address-family',
    ]),
    ...networks(routes),
    'exit',
  ].join('\n');
};

const session = (one: SessionConfig): string[] => {
  const { remote, local, remoteAsn, localAsn, interface: link } = one;
  const lines = [
    `${link === undefined ? '' : 'interface '}remote-as ${remoteAsn}`,
    'timers 3 9',
    'timers connect 1',
    'advertisement-interval 0',
    ...(link === undefined ? [`update-source ${local}`] : []),
    ...(localAsn === undefined ? [] : [`local-as ${localAsn} no-prepend replace-as`]),
    ...(one.password === undefined ? [] : [`password ${one.password}`]),
    ...(one.ttlSecurity ? ['ttl-security hops 1'] : []),
    ...(one.extendedNextHop ? ['capability extended-nexthop'] : []),
    ...(one.role === undefined ? [] : [`local-role ${one.role}`]),
    ...(one.bfd ? ['bfd profile fast'] : []),
  ];
  return lines.map((line) => ` neighbor ${link ?? remote} ${line}`);
};

const activation = ({ remote, interface: link, addPath, client }: SessionConfig): string[] =>
  [
    'activate',
    ...(addPath ? ['addpath-tx-all-paths'] : []),
    ...(client ? ['route-reflector-client'] : []),
  ].map((line) => `  neighbor ${link ?? remote} ${line}`);
