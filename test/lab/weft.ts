/** The installed `weft`, from a folder that is not its own, and what its labs leave on the machine. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAlive, type Process, processesIn } from '../../lab/processes.ts';
import { weftProgram } from '../../lab/weft-node.ts';

export interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<Result>;
}

/** @param input of its stdin */
export function begin(args: readonly string[], input = ''): Running {
  const child = spawn(weftProgram(), args, { cwd: '/' });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  }
  child.stdin.end(input);
  const ended = once(child, 'close').then(([status]) => ({ status, ...written }) as Result);
  const { stdout, stderr } = { stdout: () => written.stdout, stderr: () => written.stderr };
  return { child, pid: child.pid as number, stdout, stderr, ended };
}

export const weft = (args: readonly string[], input?: string): Promise<Result> => begin(args, input).ended;

/** Namespaces and folders whose names begin so. */
export const remains = (prefix: string): string[] =>
  ['/run/netns', '/run', tmpdir()]
    .flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []))
    .filter((name) => name.startsWith(prefix));

/** Processes in the namespaces whose names begin so. */
export const processesOf = (prefix: string): Process[] =>
  processesIn(
    remains(prefix)
      .map((name) => `/run/netns/${name}`)
      .filter(existsSync),
  );

export const alive = (processes: readonly Process[]): Process[] => processes.filter(isAlive);

/** Interfaces and nftables tables of the machine itself, which no lab has any business with. */
export function machine(): string[] {
  const links = JSON.parse(execFileSync('ip', ['-j', 'link'], { encoding: 'utf8' })) as { ifname: string }[];
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  return [...links.map(({ ifname }) => ifname), ...tables].sort();
}
