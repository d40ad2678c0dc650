/** Routers of a data centre: BIRD and FRR as their users run them, each in a namespace of a run, which ends them. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';

const execute = promisify(execFile);

export interface Router {
  readonly namespace: Namespace;
  /** Runs a command of its own client: 'show route', 'show bfd peers'. */
  ask(command: string): Promise<string>;
  stop(): Promise<void>;
}

/** Tries until it does not throw. @throws what it threw last */
export async function eventually<T>(attempt: () => Promise<T> | T, milliseconds = 15_000): Promise<T> {
  const end = performance.now() + milliseconds;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** A namespace that routes, and shares what it routes by ports too. */
export function asRouter(namespace: Namespace): Namespace {
  namespace.sysctl('net.ipv4.ip_forward', 1);
  namespace.sysctl('net.ipv6.conf.all.forwarding', 1);
  namespace.sysctl('net.ipv4.fib_multipath_hash_policy', 1);
  return namespace;
}

export interface BirdOptions {
  readonly arguments?: readonly string[];
}

/** @param config without what every BIRD needs: log, device */
export async function startBird(
  run: Run,
  namespace: Namespace,
  config: string,
  { arguments: args = [] }: BirdOptions = {},
): Promise<Router> {
  const folder = run.folderOf(namespace);
  const [file, control] = [join(folder, 'bird.conf'), join(folder, 'bird.ctl')];
  writeFileSync(file, `log "${join(folder, 'bird.log')}" all;\nprotocol device { scan time 1; }\n${config}`);
  namespace.run('/usr/sbin/bird', '-c', file, '-s', control, '-P', join(folder, 'bird.pid'), ...args);
  const ask = async (command: string) =>
    (await execute('/usr/sbin/birdc', ['-s', control, ...command.split(' ')], { timeout: 10_000 })).stdout;
  await eventually(() => ask('show status'));
  return {
    namespace,
    ask,
    stop: async () => {
      await ask('down');
    },
  };
}

const FRR = '/usr/lib/frr';

/** By which `vtysh -N` finds the one in a namespace. */
export const frrName = ({ name }: Namespace): string => name.replaceAll('.', '_');

/** @param daemons beside zebra */
export async function startFrr(
  run: Run,
  namespace: Namespace,
  config: string,
  daemons: readonly string[] = ['bgpd', 'bfdd'],
): Promise<Router> {
  // FRR's own name for an instance may have no dot.
  const name = frrName(namespace);
  const folder = run.folderOf(namespace);
  // Its daemons leave root and write there.
  const own = (path: string) => {
    mkdirSync(path, { recursive: true });
    execFileSync('chown', ['frr:frr', path]);
  };
  const [sockets, settings] = [join('/var/run/frr', name), join('/etc/frr', name)];
  execFileSync('chmod', ['755', run.folder]);
  for (const path of [sockets, settings, folder]) own(path);
  run.defer(() => {
    for (const path of [sockets, settings]) rmSync(path, { recursive: true, force: true });
  });
  const empty = join(settings, 'empty.conf');
  for (const path of [empty, join(settings, 'vtysh.conf')]) writeFileSync(path, '');
  for (const daemon of ['zebra', ...daemons]) {
    const files = [
      '-f',
      empty,
      '-i',
      join(folder, `${daemon}.pid`),
      '--log',
      `file:${join(folder, daemon)}.log`,
    ];
    namespace.run(join(FRR, daemon), '-d', '-N', name, '-A', '127.0.0.1', ...files);
  }
  // A daemon that is given the whole file leaves out sections that it does not know, and what follows them.
  const whole = join(folder, 'frr.conf');
  writeFileSync(whole, config);
  await execute('vtysh', ['-N', name, '-f', whole], { timeout: 20_000 });
  const ask = async (command: string) =>
    (await execute('vtysh', ['-N', name, '-c', command], { timeout: 10_000 })).stdout;
  return {
    namespace,
    ask,
    stop: async () => {
      for (const pid of namespace.pids()) process.kill(pid, 'SIGTERM');
    },
  };
}
