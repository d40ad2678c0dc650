/**
 * ExaBGP: a speaker without a RIB, which tells a program of ours what comes and is told by it what to say. What it has is
 * therefore what its words come to, one after the other.
 */
import { appendFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
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
import { address } from './network.ts';
import { type OwnRoute, type Route, route } from './route.ts';

/** Events from stdin to a file, commands from a pipe to stdout; ends with ExaBGP. */
const PROGRAM = `#!/usr/bin/python3 -u
import os, sys, threading

def commands():
    while True:
        with open(sys.argv[1]) as pipe:
            for line in pipe:
                sys.stdout.write(line)
                sys.stdout.flush()

threading.Thread(target=commands, daemon=True).start()
with open(sys.argv[2], 'a', buffering=1) as events:
    events.write('begun\\n')
    for line in sys.stdin:
        events.write(line)
os._exit(0)
`;

/** Which it leaves as they came, in words of others. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are meant.
const CONTROL = /[\u0000-\u001f]/g;

const SETTINGS = {
  exabgp_daemon_user: 'root',
  exabgp_daemon_daemonize: 'false',
  exabgp_log_destination: 'stdout',
  exabgp_api_cli: 'false',
  exabgp_api_ack: 'false',
  exabgp_tcp_port: '179',
};

export class ExaBgp implements Daemon {
  readonly #place: Place;
  readonly #events: string;
  readonly #commands: string;
  #program: Program | undefined;
  #config: DaemonConfig | undefined;

  constructor(place: Place) {
    this.#place = place;
    this.#events = join(place.folder, 'events');
    this.#commands = join(place.folder, 'commands');
  }

  async start(config: DaemonConfig): Promise<void> {
    const { folder } = this.#place;
    const [file, program] = [join(folder, 'exabgp.conf'), join(folder, 'rib.py')];
    this.#config = config;
    writeFileSync(program, PROGRAM, { mode: 0o755 });
    writeFileSync(file, configuration(config, `${program} ${this.#commands} ${this.#events}`));
    for (const path of [this.#events, this.#commands]) rmSync(path, { force: true });
    await ask('mkfifo', [this.#commands]);
    this.#program = new Program(this.#place, '/usr/sbin/exabgp', ['-e', '/dev/null', file], {
      env: { ...process.env, ...SETTINGS },
    });
    await eventually(() => {
      if (!existsSync(this.#events)) throw new Error('its program has not begun');
    });
  }

  async stop(): Promise<void> {
    await this.#program?.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#program?.end('SIGKILL');
  }

  async status(session: SessionConfig): Promise<SessionStatus> {
    const own = this.#eventsOf(session);
    const errors = own.flatMap(({ neighbor: { notification, reason } }) => {
      if (notification === undefined) return reason === undefined ? [] : [reason];
      const { code, subcode, data } = notification;
      const words = Buffer.from(data.replace(/^0x/, ''), 'hex').toString('latin1');
      return [`${code}/${subcode} ${data} ${words}`];
    });
    return { established: stateOf(own) === 'up', errors: errors.join('\n') };
  }

  async received(session: SessionConfig, prefix: string): Promise<Route[]> {
    const routes = new Map<string, Route>();
    for (const { neighbor } of this.#eventsOf(session)) {
      if (neighbor.state === 'down') routes.clear();
      const { attribute = {}, announce = {}, withdraw = {} } = neighbor.message?.update ?? {};
      for (const nlri of Object.values(withdraw).flat()) routes.delete(keyOf(nlri));
      for (const byNextHop of Object.values(announce)) {
        // Of a next hop with a link-local address beside it it makes two.
        const nextHops = Object.keys(byNextHop);
        const nextHop = nextHops.find((one) => !one.startsWith('fe80:')) ?? nextHops[0];
        for (const nlri of byNextHop[nextHop]) routes.set(keyOf(nlri), parse(nlri, nextHop, attribute));
      }
    }
    return [...routes].flatMap(([key, one]) => (key.split('#')[0] === prefix ? [one] : []));
  }

  async announce(routes: readonly OwnRoute[]): Promise<void> {
    const { sessions, routes: before } = this.#config as DaemonConfig;
    this.#config = { ...(this.#config as DaemonConfig), routes };
    for (const one of sessions) {
      for (const old of before) this.#say(one, `withdraw route ${words(old, one)}`);
      for (const own of routes) this.#say(one, `announce route ${words(own, one)}`);
    }
  }

  /** All of its neighbours: it finds none to ask when one is named. */
  async refresh({ families }: SessionConfig): Promise<void> {
    for (const family of families) this.#command(`announce route-refresh ipv${family} unicast`);
  }

  async reset(session: SessionConfig): Promise<void> {
    this.#say(session, 'teardown 4');
  }

  async shutdown(session: SessionConfig): Promise<void> {
    this.#say(session, 'teardown 2');
  }

  async sharedBy(): Promise<string[]> {
    throw new Error('ExaBGP forwards nothing');
  }

  log(): string {
    return textOf(join(this.#place.folder, 'log')) + textOf(this.#events);
  }

  #say({ remote }: SessionConfig, command: string): void {
    this.#command(`neighbor ${remote} ${command}`);
  }

  #command(text: string): void {
    appendFileSync(this.#commands, `${text}\n`);
  }

  #eventsOf({ local, remote }: SessionConfig): Event[] {
    return textOf(this.#events)
      .split('\n')
      .slice(0, -1)
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line.replace(CONTROL, ' ')) as Event] : []))
      .filter(({ neighbor }) => neighbor?.address.local === local && neighbor.address.peer === remote);
  }
}

const configuration = ({ asn, routerId, sessions, routes }: DaemonConfig, program: string): string => `
process rib { run ${program}; encoder json; }
${sessions.map((one) => neighbor(one, asn, routerId, routes)).join('\n')}
`;

const onOff = (on: boolean | undefined): string => (on ? 'enable' : 'disable');

const neighbor = (one: SessionConfig, asn: number, routerId: string, routes: readonly OwnRoute[]): string => `
neighbor ${one.remote} {
  router-id ${routerId}; local-address ${one.local};
  local-as ${one.localAsn ?? asn}; peer-as ${one.remoteAsn};
  hold-time 9; adj-rib-out true;
  ${one.password === undefined ? '' : `md5-password "${one.password}";`}
  ${one.ttlSecurity ? 'outgoing-ttl 255; incoming-ttl 255;' : ''}
  family { ${one.families.map((family) => `ipv${family} unicast;`).join(' ')} }
  ${one.extendedNextHop ? 'nexthop { ipv4 unicast ipv6; }' : ''}
  capability {
    asn4 ${onOff(!one.twoOctet)}; route-refresh enable; extended-message enable;
    nexthop ${onOff(one.extendedNextHop)}; add-path ${one.addPath ? 'send/receive' : 'disable'};
    graceful-restart ${one.gracefulRestart ? 30 : 'disable'};
  }
  api { processes [ rib ]; neighbor-changes; receive { parsed; update; notification; } }
  static { ${routes.map((own) => `route ${words(own, one)};`).join(' ')} }
}`;

/** A route as it is told in one session. */
const words = (
  { prefix, med, communities = [], large = [], extended = [] }: OwnRoute,
  { local, extendedNextHop }: SessionConfig,
): string => {
  const is4 = !prefix.includes(':');
  // At our end of the session, if that is of the route's family.
  const nextHop = is4 === !local.includes(':') || extendedNextHop ? local : address(11, is4 ? 4 : 6);
  const list = (name: string, all: readonly string[]) =>
    all.length === 0 ? [] : [`${name} [ ${all.join(' ')} ]`];
  return [
    `${prefix} next-hop ${nextHop}`,
    ...(med === undefined ? [] : [`med ${med}`]),
    ...list('community', communities),
    ...list('large-community', large),
    ...list(
      'extended-community',
      extended.map((one) => one.replace('rt:', 'target:')),
    ),
  ].join(' ');
};

interface Nlri {
  readonly nlri: string;
  /** Dotted. */
  readonly 'path-information'?: string;
}

interface Attribute {
  readonly origin?: Route['origin'];
  readonly 'as-path'?: readonly number[];
  readonly med?: number;
  readonly 'local-preference'?: number;
  readonly community?: readonly (readonly number[])[];
  readonly 'large-community'?: readonly (readonly number[])[];
  readonly 'extended-community'?: readonly { readonly string: string }[];
  readonly 'originator-id'?: string;
  readonly 'cluster-list'?: readonly string[];
}

interface Event {
  readonly neighbor: {
    readonly address: { readonly local: string; readonly peer: string };
    readonly state?: string;
    readonly reason?: string;
    readonly notification?: { readonly code: number; readonly subcode: number; readonly data: string };
    readonly message?: {
      readonly update?: {
        readonly attribute?: Attribute;
        readonly announce?: Readonly<Record<string, Readonly<Record<string, readonly Nlri[]>>>>;
        readonly withdraw?: Readonly<Record<string, readonly Nlri[]>>;
      };
    };
  };
}

const stateOf = (events: readonly Event[]): string | undefined =>
  events.findLast(({ neighbor }) => neighbor.state !== undefined)?.neighbor.state;

const keyOf = ({ nlri, 'path-information': path = '' }: Nlri): string => `${nlri}#${path}`;

const parse = ({ 'path-information': path }: Nlri, nextHop: string, attribute: Attribute): Route => {
  const { med, origin = 'igp', community = [] } = attribute;
  const originatorId = attribute['originator-id'];
  const localPref = attribute['local-preference'];
  return route({
    asPath: attribute['as-path'] ?? [],
    nextHop,
    origin,
    ...(med !== undefined && { med }),
    ...(localPref !== undefined && { localPref }),
    communities: community.map((one) => one.join(':')).sort(),
    large: (attribute['large-community'] ?? []).map((one) => one.join(':')).sort(),
    extended: (attribute['extended-community'] ?? [])
      .map(({ string }) => string.replace('target:', 'rt:'))
      .sort(),
    clusterList: attribute['cluster-list'] ?? [],
    ...(originatorId !== undefined && { originatorId }),
    ...(path !== undefined && {
      pathId: path.split('.').reduce((all, octet) => all * 256 + Number(octet), 0),
    }),
  });
};
