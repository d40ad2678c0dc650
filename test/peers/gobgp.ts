/** GoBGP: its routes come by its command line, in and out. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Daemon,
  type DaemonConfig,
  eventually,
  type Place,
  Program,
  type SessionConfig,
  type SessionStatus,
} from './daemon.ts';
import { type OwnRoute, type Route, route } from './route.ts';

const API = '127.0.0.1:50051';

export class GoBgp implements Daemon {
  readonly #place: Place;
  #program: Program | undefined;
  #routes: readonly OwnRoute[] = [];
  #config: DaemonConfig | undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  async start(config: DaemonConfig, restarting = false): Promise<void> {
    const file = join(this.#place.folder, 'gobgpd.toml');
    writeFileSync(file, configuration(config));
    this.#config = config;
    const args = ['-f', file, '-t', 'toml', '--api-hosts', API, '--pprof-disable', '-p'];
    this.#program = new Program(this.#place, '/usr/bin/gobgpd', restarting ? [...args, '-r'] : args);
    await eventually(() => this.#ask('global'));
    this.#routes = [];
    await this.announce(config.routes);
  }

  async stop(): Promise<void> {
    await this.#program?.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#program?.end('SIGKILL');
  }

  async status({ remote }: SessionConfig): Promise<SessionStatus> {
    const answer = JSON.parse(await this.#ask('neighbor', remote, '-j')) as {
      state: { session_state: unknown };
    };
    const lines = this.log().split('\n');
    return {
      established: [6, 'established', 'ESTABLISHED'].includes(answer.state.session_state as string),
      errors: lines.filter((line) => /notification/i.test(line)).join('\n'),
    };
  }

  async received({ remote }: SessionConfig, prefix: string): Promise<Route[]> {
    const text = await this.#ask('neighbor', remote, 'adj-in', '-a', familyOf(prefix), '-j');
    const all = JSON.parse(text) as Record<string, readonly Path[]>;
    return (all[prefix] ?? []).map(parse);
  }

  async announce(routes: readonly OwnRoute[]): Promise<void> {
    for (const one of this.#routes)
      await this.#ask('global', 'rib', 'del', '-a', familyOf(one.prefix), one.prefix);
    for (const one of routes) await this.#ask('global', 'rib', 'add', ...this.#describe(one));
    this.#routes = routes;
  }

  async refresh({ remote }: SessionConfig): Promise<void> {
    await this.#ask('neighbor', remote, 'softresetin');
  }

  async reset({ remote }: SessionConfig): Promise<void> {
    // After its 'reset' it turns everybody away for 30 s.
    await this.#ask('neighbor', remote, 'disable');
    await this.#ask('neighbor', remote, 'enable');
  }

  async shutdown({ remote }: SessionConfig, text: string): Promise<void> {
    await this.#ask('neighbor', remote, 'shutdown', '--reason', text);
  }

  async sharedBy(): Promise<string[]> {
    throw new Error('GoBGP has no table by which it would forward');
  }

  log(): string {
    return readFileSync(join(this.#place.folder, 'log'), 'utf8');
  }

  #ask(...command: string[]): Promise<string> {
    return this.#place.namespace.runLater('/usr/bin/gobgp', command);
  }

  #describe({ prefix, med, communities, large, extended }: OwnRoute): string[] {
    const { sessions } = this.#config as DaemonConfig;
    const isIpv6 = prefix.includes(':');
    const own = sessions.map(({ local }) => local).find((one) => one.includes(':'));
    return [
      ...['-a', familyOf(prefix), prefix, 'origin', 'igp'],
      // An IPv4 route without one gets the session's own end; an IPv6 one would get it too, over IPv4.
      ...(isIpv6 ? ['nexthop', own ?? ownIpv6(sessions[0]?.local ?? '')] : []),
      ...(med === undefined ? [] : ['med', String(med)]),
      ...(communities === undefined ? [] : ['community', communities.join(',')]),
      ...(large === undefined ? [] : ['large-community', large.join(',')]),
      ...(extended ?? []).flatMap((text) => ['rt', text.replace('rt:', '')]),
    ];
  }
}

const ownIpv6 = (address: string): string => `fd77::${address.split('.').at(-1)}`;

const familyOf = (prefix: string): string => (prefix.includes(':') ? 'ipv6' : 'ipv4');

const configuration = ({ asn, routerId, sessions, clusterId, maxPaths = 1 }: DaemonConfig): string => `
[global.config]
  as = ${asn}
  router-id = "${routerId}"
${maxPaths > 1 ? '[global.use-multiple-paths.config]\n  enabled = true' : ''}
${sessions.map((one) => neighbor(one, clusterId ?? routerId)).join('\n')}
`;

const neighbor = (one: SessionConfig, clusterId: string): string => `
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${one.remote}"
    peer-as = ${one.remoteAsn}
    ${one.localAsn === undefined ? '' : `local-as = ${one.localAsn}`}
    ${one.password === undefined ? '' : `auth-password = "${one.password}"`}
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 9
    keepalive-interval = 3
    idle-hold-time-after-reset = 1
  [neighbors.transport.config]
    local-address = "${one.local}"
    passive-mode = true
  ${one.ttlSecurity ? '[neighbors.ttl-security.config]\n    enabled = true\n    ttl-min = 255' : ''}
  ${one.client ? `[neighbors.route-reflector.config]\n    route-reflector-client = true\n    route-reflector-cluster-id = "${clusterId}"` : ''}
  ${one.gracefulRestart ? '[neighbors.graceful-restart.config]\n    enabled = true\n    restart-time = 30\n    deferral-time = 5' : ''}
${one.families.map((family) => afiSafi(family, one)).join('\n')}
`;

const afiSafi = (family: number, { gracefulRestart, addPath }: SessionConfig): string => `
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv${family}-unicast"
    ${gracefulRestart ? '[neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true' : ''}
    ${addPath ? '[neighbors.afi-safis.add-paths.config]\n      receive = true\n      send-max = 8' : ''}
`;

interface Attribute {
  readonly type: number;
  readonly value?: unknown;
  readonly nexthop?: string;
  readonly metric?: number;
  readonly communities?: readonly number[];
  readonly as_paths?: readonly { readonly asns: readonly number[] }[];
}

interface Path {
  readonly attrs: readonly Attribute[];
  readonly 'remote-id'?: number;
}

const ORIGINS = ['igp', 'egp', 'incomplete'] as const;

interface Extended {
  readonly type: number;
  readonly subtype: number;
  readonly value: string;
}
interface Large {
  readonly ASN: number;
  readonly LocalData1: number;
  readonly LocalData2: number;
}

const parse = ({ attrs }: Path): Route => {
  const find = (type: number): Attribute | undefined => attrs.find((one) => one.type === type);
  const [med, localPref, originatorId] = [find(4)?.metric, find(5)?.value, find(9)?.value];
  const communities = find(8)?.communities ?? [];
  const extended = (find(16)?.value ?? []) as readonly Extended[];
  const large = (find(32)?.value ?? []) as readonly Large[];
  return route({
    asPath: (find(2)?.as_paths ?? []).flatMap(({ asns }) => asns),
    nextHop: find(3)?.nexthop ?? find(14)?.nexthop ?? '',
    origin: ORIGINS[Number(find(1)?.value)] ?? 'incomplete',
    ...(med !== undefined && { med }),
    ...(localPref !== undefined && { localPref: Number(localPref) }),
    communities: communities.map((one) => `${one >>> 16}:${one & 0xffff}`).sort(),
    large: large.map(({ ASN, LocalData1, LocalData2 }) => `${ASN}:${LocalData1}:${LocalData2}`).sort(),
    extended: extended
      .filter(({ subtype }) => subtype === 2)
      .map(({ value }) => `rt:${value}`)
      .sort(),
    ...(originatorId !== undefined && { originatorId: String(originatorId) }),
    clusterList: (find(10)?.value ?? []) as readonly string[],
  });
};
