/** OpenBGPD. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
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

/** Where its processes are confined to; Debian's service would make it. */
const CHROOT = '/run/openbgpd';

export class OpenBgpd implements Daemon {
  readonly #place: Place;
  readonly #file: string;
  readonly #socket: string;
  #program: Program | undefined;
  #config: DaemonConfig | undefined;

  constructor(place: Place) {
    this.#place = place;
    this.#file = join(place.folder, 'bgpd.conf');
    this.#socket = join(place.folder, 'bgpd.sock');
  }

  async start(config: DaemonConfig): Promise<void> {
    if (!existsSync(CHROOT)) mkdirSync(CHROOT, { mode: 0o755 });
    this.#write(config);
    this.#program = new Program(this.#place, '/usr/sbin/bgpd', ['-d', '-f', this.#file]);
    await eventually(() => this.#ask('show'));
  }

  async stop(): Promise<void> {
    await this.#program?.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#program?.end('SIGKILL');
  }

  async status({ remote }: SessionConfig): Promise<SessionStatus> {
    const answer = JSON.parse(await this.#ask('-j', 'show', 'neighbor', remote)) as {
      neighbors?: Neighbor[];
    };
    const [found] = answer.neighbors ?? [];
    const errors = Object.entries(found ?? {}).filter(([key]) => /error|reason/.test(key));
    return {
      established: found?.state === 'Established',
      errors: JSON.stringify(Object.fromEntries(errors)),
    };
  }

  async received({ remote }: SessionConfig, prefix: string): Promise<Route[]> {
    const text = await this.#ask('-j', 'show', 'rib', 'detail', 'neighbor', remote, prefix);
    const { rib = [] } = JSON.parse(text) as { rib?: Entry[] };
    return rib.filter((one) => one.prefix === prefix).map(parse);
  }

  async announce(routes: readonly OwnRoute[]): Promise<void> {
    this.#write({ ...(this.#config as DaemonConfig), routes });
    await this.#ask('reload');
  }

  async refresh({ remote }: SessionConfig): Promise<void> {
    await this.#ask('neighbor', remote, 'refresh');
  }

  async reset({ remote }: SessionConfig): Promise<void> {
    await this.#ask('neighbor', remote, 'clear');
  }

  async shutdown({ remote }: SessionConfig, text: string): Promise<void> {
    await this.#ask('neighbor', remote, 'down', text);
  }

  async sharedBy(): Promise<string[]> {
    throw new Error('OpenBGPD uses one path');
  }

  log(): string {
    return textOf(join(this.#place.folder, 'log'));
  }

  #ask(...command: string[]): Promise<string> {
    return ask('/usr/sbin/bgpctl', ['-s', this.#socket, ...command]);
  }

  #write(config: DaemonConfig): void {
    this.#config = config;
    writeFileSync(this.#file, configuration(config, this.#socket), { mode: 0o600 });
  }
}

const configuration = (
  { asn, routerId, sessions, routes, clusterId }: DaemonConfig,
  socket: string,
): string => `
AS ${asn}
router-id ${routerId}
fib-update no
connect-retry 1
socket "${socket}"
${[...new Set(sessions.map(({ local }) => local))].map((local) => `listen on ${local}`).join('\n')}
${routes.map(network).join('\n')}
${sessions.map((one) => neighbor(one, clusterId)).join('\n')}
allow from any
allow to any
`;

const network = ({ prefix, med, communities = [], large = [], extended = [] }: OwnRoute): string => {
  const sets = [
    ...(med === undefined ? [] : [`metric ${med}`]),
    ...communities.map((one) => `community ${one}`),
    ...large.map((one) => `large-community ${one}`),
    ...extended.map((one) => `ext-community ${one.replace('rt:', 'rt ')}`),
  ];
  return `network ${prefix}${sets.length === 0 ? '' : ` set { ${sets.join(' ')} }`}`;
};

const neighbor = (one: SessionConfig, clusterId: string | undefined): string =>
  [
    `neighbor ${one.remote} {`,
    `remote-as ${one.remoteAsn}`,
    `local-address ${one.local}`,
    'holdtime 9',
    `announce restart ${one.gracefulRestart ? 'yes' : 'no'}`,
    'announce enhanced refresh yes',
    ...([4, 6] as const).map(
      (family) => `announce IPv${family} ${one.families.includes(family) ? 'unicast' : 'none'}`,
    ),
    ...(one.localAsn === undefined ? [] : [`local-as ${one.localAsn}`]),
    ...(one.password === undefined ? [] : [`tcp md5sig password "${one.password}"`]),
    ...(one.ttlSecurity ? ['ttl-security yes'] : []),
    ...(one.twoOctet ? ['announce as-4byte no'] : []),
    ...(one.addPath ? ['announce add-path recv yes', 'announce add-path send all'] : []),
    ...(one.client ? [`route-reflector ${clusterId ?? ''}`] : []),
    ...(one.role === undefined ? [] : [`announce policy ${one.role}`]),
    '}',
  ].join('\n');

interface Neighbor {
  readonly state: string;
}

interface Entry {
  readonly prefix: string;
  readonly aspath: string;
  readonly exit_nexthop: string;
  readonly origin: string;
  readonly metric: number;
  readonly localpref: number;
  readonly path_id?: number;
  readonly communities?: readonly string[];
  readonly large_communities?: readonly string[];
  readonly extended_communities?: readonly string[];
  readonly attributes?: readonly {
    readonly originator?: string;
    readonly cluster_list?: readonly string[];
    readonly type?: string;
    readonly as?: number;
  }[];
}

const parse = ({ attributes = [], ...one }: Entry): Route => {
  const originatorId = attributes.find(({ originator }) => originator !== undefined)?.originator;
  const otc = attributes.find(({ type }) => type === 'OTC')?.as;
  return route({
    asPath: one.aspath.split(' ').filter(Boolean).map(Number),
    nextHop: one.exit_nexthop,
    origin: one.origin.toLowerCase() as Route['origin'],
    med: one.metric,
    localPref: one.localpref,
    communities: [...(one.communities ?? [])].sort(),
    large: [...(one.large_communities ?? [])].sort(),
    extended: (one.extended_communities ?? []).map((text) => text.replace('rt ', 'rt:')).sort(),
    clusterList: attributes.flatMap(({ cluster_list: clusters = [] }) => clusters),
    ...(originatorId !== undefined && { originatorId }),
    ...(otc !== undefined && { onlyToCustomer: otc }),
    ...(one.path_id !== undefined && { pathId: one.path_id }),
  });
};
