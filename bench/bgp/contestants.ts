/**
 * The speakers that are measured, each alone in a namespace with one interface: it accepts the feeder and the receiver as
 * external peers, takes all, tells all, and puts nothing into the kernel's table. Weft is a whole node: what it learns goes
 * into its engine's FIB as well.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';
import { WeftNode } from '../../lab/weft-node.ts';

export const SPEAKER = { address: '10.99.0.1', asn: 65000 } as const;
export const FEEDER = { local: '10.99.0.2', asn: 65001 } as const;
export const RECEIVER = { local: '10.99.0.3', asn: 65002 } as const;
const PEERS = [FEEDER, RECEIVER];

/** One that runs. */
export interface Speaker {
  /** Of all its processes: what they use is what it uses. */
  pids(): readonly number[];
  /** Of Weft. */
  readonly node?: WeftNode;
}

interface Kind {
  readonly title: string;
  readonly program?: string;
  readonly package?: string;
  /** Seconds; Weft is held to the shortest that there is. */
  readonly holdTime: number;
  start(run: Run, namespace: Namespace): Promise<Speaker>;
}

const HOLD_TIME = 90;

const bird = (importTable: boolean): Kind => ({
  title: importTable ? 'BIRD, import table' : 'BIRD',
  program: '/usr/sbin/bird',
  package: 'bird2',
  holdTime: HOLD_TIME,
  async start(run, namespace) {
    const peers = PEERS.map(
      ({ local, asn }, i) => `protocol bgp p${i} {
  local ${SPEAKER.address} as ${SPEAKER.asn}; neighbor ${local} as ${asn}; passive on;
  ipv4 { import all; export all; ${importTable ? 'import table on;' : ''} };
}`,
    );
    const text = `router id ${SPEAKER.address};\nprotocol device {}\n${peers.join('\n')}\n`;
    const folder = run.folderOf(namespace);
    const config = write(folder, 'bird.conf', text);
    const files = ['-s', join(folder, 'bird.ctl'), '-P', join(folder, 'bird.pid')];
    return daemon(run, namespace, '/usr/sbin/bird', ['-f', '-c', config, ...files]);
  },
});

const frr: Kind = {
  title: 'FRR',
  program: '/usr/lib/frr/bgpd',
  package: 'frr',
  holdTime: HOLD_TIME,
  async start(run, namespace) {
    const peers = PEERS.flatMap(({ local, asn }) => [
      ` neighbor ${local} remote-as ${asn}`,
      ` neighbor ${local} passive`,
      ` neighbor ${local} sender-as-path-loop-detection`,
    ]);
    const text = [
      'frr defaults datacenter',
      `router bgp ${SPEAKER.asn}`,
      ` bgp router-id ${SPEAKER.address}`,
      ' no bgp ebgp-requires-policy',
      ' no bgp network import-check',
      ' timers bgp 30 90',
      ' coalesce-time 0',
      ...peers,
      'exit',
      '',
    ].join('\n');
    const folder = run.folderOf(namespace);
    const config = write(folder, 'bgpd.conf', text);
    // Without zebra, as a user of its own choice, and with its terminals where nobody else's are.
    const args = [
      '-Z',
      '-S',
      '-f',
      config,
      '-i',
      join(folder, 'bgpd.pid'),
      '--vty_socket',
      folder,
      '-P',
      '0',
    ];
    return daemon(run, namespace, '/usr/lib/frr/bgpd', args);
  },
};

const gobgp: Kind = {
  title: 'GoBGP',
  program: '/usr/bin/gobgpd',
  package: 'gobgpd',
  holdTime: HOLD_TIME,
  async start(run, namespace) {
    const peers = PEERS.map(
      ({ local, asn }) => `[[neighbors]]
  [neighbors.config]
    neighbor-address = "${local}"
    peer-as = ${asn}
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.timers.config]
    hold-time = ${HOLD_TIME}`,
    );
    const text = `[global.config]
  as = ${SPEAKER.asn}
  router-id = "${SPEAKER.address}"
  local-address-list = ["${SPEAKER.address}"]
${peers.join('\n')}
`;
    const config = write(run.folderOf(namespace), 'gobgpd.toml', text);
    const args = ['-f', config, '-t', 'toml', '--api-hosts', '127.0.0.1:50051', '--pprof-disable'];
    return daemon(run, namespace, '/usr/bin/gobgpd', args);
  },
};

const openbgpd: Kind = {
  title: 'OpenBGPD',
  program: '/usr/sbin/bgpd',
  package: 'openbgpd',
  holdTime: HOLD_TIME,
  async start(run, namespace) {
    const folder = run.folderOf(namespace);
    const text = `AS ${SPEAKER.asn}
router-id ${SPEAKER.address}
fib-update no
socket "${join(folder, 'bgpd.sock')}"
listen on ${SPEAKER.address}
${PEERS.map(({ local, asn }) => `neighbor ${local} {\n  remote-as ${asn}\n  passive\n}`).join('\n')}
allow from any
allow to any
`;
    const config = write(folder, 'bgpd.conf', text);
    // It wants it like this, and a folder to lock itself in.
    chmodSync(config, 0o600);
    mkdirSync('/run/openbgpd', { recursive: true });
    return daemon(run, namespace, '/usr/sbin/bgpd', ['-d', '-f', config]);
  },
};

const weft: Kind = {
  title: 'Weft',
  holdTime: 3,
  async start(run, namespace) {
    const config = {
      node: { name: 'speaker', address: [SPEAKER.address] },
      pods: { cidrs: ['10.244.1.0/24'] },
      engine: { workers: 1 },
      bgp: {
        asn: SPEAKER.asn,
        requirePolicy: false,
        kernelRoutes: false,
        advertise: [],
        peers: PEERS.map(({ local, asn }) => ({ address: local, asn, passive: true, families: ['ipv4'] })),
      },
    };
    const node = await WeftNode.start(run, namespace, { config, logLevel: 'warn' });
    return { node, pids: () => [node.pid] };
  },
};

export const contestants = {
  bird: bird(false),
  'bird-import-table': bird(true),
  openbgpd,
  frr,
  gobgp,
  weft,
} as const satisfies Record<string, Kind>;

export type ContestantName = keyof typeof contestants;
export const contestantNames = Object.keys(contestants) as ContestantName[];

/** Why it cannot take part on this machine; undefined when it can. */
export function missing(name: ContestantName): string | undefined {
  const kind: Kind = contestants[name];
  if (kind.program === undefined || existsSync(kind.program)) return undefined;
  return `not installed (Debian: apt-get install ${kind.package})`;
}

/** Of the Debian package. */
export function versionOf(name: ContestantName): string | undefined {
  const kind: Kind = contestants[name];
  if (kind.package === undefined || missing(name) !== undefined) return undefined;
  const { stdout } = spawnSync('dpkg-query', ['--show', kind.package], { encoding: 'utf8' });
  return stdout.trim().replace('\t', ' ') || undefined;
}

function write(folder: string, name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** In the foreground; what it forks is in the namespace as well. */
function daemon(run: Run, namespace: Namespace, program: string, args: readonly string[]): Speaker {
  const child = namespace.start(program, args, { stdio: 'ignore' });
  run.defer(() => {
    for (const pid of namespace.pids()) process.kill(pid, 'SIGKILL');
    child.kill('SIGKILL');
  });
  return { pids: () => namespace.pids() };
}
