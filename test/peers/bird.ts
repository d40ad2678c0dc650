/** BIRD 2. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ask,
  type Daemon,
  type DaemonConfig,
  eventually,
  type Place,
  Program,
  type SessionConfig,
  type SessionStatus,
  textOf,
} from './daemon.ts';
import { type OwnRoute, type Route, route } from './route.ts';

export class Bird implements Daemon {
  readonly #place: Place;
  readonly #socket: string;
  readonly #file: string;
  #program: Program | undefined;
  #config: DaemonConfig | undefined;

  constructor(place: Place) {
    this.#place = place;
    this.#socket = join(place.folder, 'ctl');
    this.#file = join(place.folder, 'bird.conf');
  }

  async start(config: DaemonConfig, restarting = false): Promise<void> {
    this.#write(config);
    const args = ['-f', '-c', this.#file, '-s', this.#socket, '-P', join(this.#place.folder, 'pid')];
    this.#program = new Program(this.#place, '/usr/sbin/bird', restarting ? [...args, '-R'] : args);
    await eventually(() => this.#ask('show', 'status'));
  }

  async stop(): Promise<void> {
    await this.#program?.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#program?.end('SIGKILL');
  }

  async status({ name }: SessionConfig): Promise<SessionStatus> {
    const text = await this.#ask('show', 'protocols', 'all', name);
    const errors = text.split('\n').filter((line) => /error|message/i.test(line));
    return { established: /BGP state: +Established/.test(text), errors: errors.join('\n') };
  }

  async received({ name }: SessionConfig, prefix: string): Promise<Route[]> {
    const text = await this.#ask('show', 'route', prefix, 'all', 'protocol', name).catch((error: Error) => {
      if (error.message.includes('Network not found')) return '';
      throw error;
    });
    return text
      .split(/^(?=\S.*\[| +unicast \[)/m)
      .filter((part) => part.includes(`[${name} `))
      .map(parse);
  }

  async announce(routes: readonly OwnRoute[]): Promise<void> {
    this.#write({ ...(this.#config as DaemonConfig), routes });
    await this.#ask('configure', 'soft');
  }

  async refresh({ name }: SessionConfig): Promise<void> {
    await this.#ask('reload', 'in', name);
  }

  async reset({ name }: SessionConfig): Promise<void> {
    await this.#ask('restart', name);
  }

  async shutdown({ name }: SessionConfig, text: string): Promise<void> {
    await this.#ask('disable', name, `"${text}"`);
  }

  async sharedBy(prefix: string): Promise<string[]> {
    // What its kernel protocol is given, paths of one metric merged.
    const kernel = await this.#place.namespace.runLater('ip', ['-j', 'route', 'show', prefix]);
    const [found] = JSON.parse(kernel) as { gateway?: string; nexthops?: { gateway: string }[] }[];
    return (found?.nexthops ?? (found ? [{ gateway: found.gateway ?? '' }] : []))
      .map((hop) => hop.gateway)
      .sort();
  }

  log(): string {
    return textOf(join(this.#place.folder, 'bird.log')) + textOf(join(this.#place.folder, 'log'));
  }

  #ask(...command: string[]): Promise<string> {
    return ask('/usr/sbin/birdc', ['-s', this.#socket, ...command]);
  }

  #write(config: DaemonConfig): void {
    this.#config = config;
    writeFileSync(this.#file, configuration(config, join(this.#place.folder, 'bird.log')));
  }
}

const configuration = (
  { asn, routerId, sessions, routes, maxPaths = 1, clusterId }: DaemonConfig,
  log: string,
) => `
log "${log}" all;
router id ${routerId};
debug protocols { states, events };
protocol device { }
protocol direct { ipv4; ipv6; interface "eth0"; }
${sessions.some((one) => one.interface) ? 'protocol radv { interface "eth0" { min ra interval 3; max ra interval 4; }; }' : ''}
${sessions.some(({ bfd }) => bfd) ? 'protocol bfd { interface "eth0" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }' : ''}
${maxPaths > 1 ? `protocol kernel { merge paths on limit ${maxPaths}; ipv4 { import none; export where source = RTS_BGP; }; }` : ''}
protocol static own4 { ipv4; ${routes.filter(isIpv4).map(staticRoute).join('\n  ')} }
protocol static own6 { ipv6; ${routes
  .filter((one) => !isIpv4(one))
  .map(staticRoute)
  .join('\n  ')} }
${sessions.map((one) => session(one, asn, clusterId)).join('\n')}
`;

const isIpv4 = ({ prefix }: OwnRoute): boolean => !prefix.includes(':');

const staticRoute = ({ prefix, med, communities = [], large = [], extended = [] }: OwnRoute): string => {
  const sets = [
    ...(med === undefined ? [] : [`bgp_med = ${med};`]),
    ...communities.map((one) => `bgp_community.add((${one.replaceAll(':', ',')}));`),
    ...large.map((one) => `bgp_large_community.add((${one.replaceAll(':', ',')}));`),
    ...extended.map((one) => `bgp_ext_community.add((${one.replaceAll(':', ',')}));`),
  ];
  return `route ${prefix} blackhole { ${sets.join(' ')} };`;
};

const session = (one: SessionConfig, asn: number, clusterId: string | undefined): string => {
  const { name, local, remote, remoteAsn, localAsn = asn, families, role, interface: link } = one;
  const lines = [
    `local ${local} as ${localAsn};`,
    `neighbor ${remote}${link === undefined ? '' : `%${link}`} as ${remoteAsn};`,
    'hold time 9; connect retry time 2; connect delay time 1; error wait time 1, 2;',
    `graceful restart ${one.gracefulRestart ? 'on' : 'off'}; ${one.gracefulRestart ? 'graceful restart time 30;' : ''}`,
    ...(one.password === undefined ? [] : [`password "${one.password}";`]),
    ...(one.ttlSecurity ? ['ttl security on;'] : []),
    ...(one.client ? [`rr client; ${clusterId === undefined ? '' : `rr cluster id ${clusterId};`}`] : []),
    ...(one.twoOctet ? ['enable as4 off;'] : []),
    ...(role === undefined ? [] : [`local role ${role};`]),
    ...(one.bfd ? ['bfd on;'] : []),
    'enable extended messages on;',
    ...families.map(
      (
        family,
      ) => `ipv${family} { import all; import keep filtered; export where source ~ [ RTS_STATIC, RTS_BGP ];
    ${one.addPath ? 'add paths on;' : ''} ${family === 4 && one.extendedNextHop ? 'extended next hop on;' : ''} };`,
    ),
  ];
  return `protocol bgp ${name} {\n  ${lines.join('\n  ')}\n}`;
};

const ORIGINS = { IGP: 'igp', EGP: 'egp', Incomplete: 'incomplete' } as const;

/** One route as `show route all` prints it. */
const parse = (text: string): Route => {
  const value = (name: string): string | undefined =>
    new RegExp(`BGP\\.${name}: (.*)`).exec(text)?.[1].trim();
  const numbers = (name: string): number[] => (value(name) ?? '').split(' ').filter(Boolean).map(Number);
  const tuples = (name: string): string[] =>
    [...(value(name) ?? '').matchAll(/\(([^)]*)\)/g)]
      .map(([, inner]) => inner.replaceAll(/, */g, ':'))
      .sort();
  const number = (name: string): number | undefined => numbers(name)[0];
  const [med, localPref, onlyToCustomer, pathId] = [
    number('med'),
    number('local_pref'),
    number('otc'),
    number('path_id'),
  ];
  const originatorId = value('originator_id');
  return route({
    asPath: numbers('as_path'),
    nextHop: value('next_hop')?.split(' ')[0] ?? '',
    origin: ORIGINS[(value('origin') ?? 'Incomplete') as keyof typeof ORIGINS],
    ...(med !== undefined && { med }),
    ...(localPref !== undefined && { localPref }),
    communities: tuples('community'),
    large: tuples('large_community'),
    extended: tuples('ext_community'),
    ...(originatorId !== undefined && { originatorId }),
    clusterList: (value('cluster_list') ?? '').split(' ').filter(Boolean),
    ...(onlyToCustomer !== undefined && { onlyToCustomer }),
    ...(pathId !== undefined && { pathId }),
  });
};
