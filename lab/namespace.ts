/**
 * A network namespace of a run: a host of its own, in which commands run and interfaces live. What is in it is made with
 * iproute2, as an administrator would.
 */
import { type ChildProcess, execFile, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { processesIn } from './processes.ts';

const execute = promisify(execFile);

/** What a command may print before it counts as run wild, bytes. */
const MOST_OUTPUT = 64 << 20;

export class Namespace {
  readonly name: string;
  /** Path by which it can be entered. */
  readonly path: string;
  /** What a command is run with to be inside. */
  readonly #enter: readonly string[];

  private constructor(name: string, mounts?: string) {
    this.name = name;
    this.path = `/run/netns/${name}`;
    this.#enter = [`--net=${this.path}`, ...(mounts === undefined ? [] : [`--mount=${mounts}`]), '--'];
  }

  /** Makes it, with its loopback up. */
  static create(name: string): Namespace {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' });
    const namespace = new Namespace(name);
    namespace.ip('link set lo up');
    return namespace;
  }

  /** One that is there already. */
  static named(name: string): Namespace {
    return new Namespace(name);
  }

  /** The same, with mounts of its own for what runs inside. @param mounts path by which they can be entered */
  withMounts(mounts: string): Namespace {
    return new Namespace(this.name, mounts);
  }

  /** Runs `ip` inside; the words are separated by spaces. @throws Error with what ip says */
  ip(command: string): string {
    return execFileSync('ip', ['-n', this.name, ...command.split(' ')], { encoding: 'utf8', stdio: 'pipe' });
  }

  /** Runs a command inside and returns what it prints on stdout. @throws Error with what it says on stderr */
  run(command: string, ...args: string[]): string {
    return execFileSync('nsenter', [...this.#enter, command, ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
      maxBuffer: MOST_OUTPUT,
    });
  }

  /** The same without waiting; rejects when it fails or takes longer than `timeout` milliseconds. */
  async runLater(command: string, args: readonly string[], timeout = 60_000): Promise<string> {
    const { stdout } = await execute('nsenter', [...this.#enter, command, ...args], {
      encoding: 'utf8',
      timeout,
      killSignal: 'SIGKILL',
      maxBuffer: MOST_OUTPUT,
    });
    return stdout;
  }

  /** Starts a command inside; its process id is that of the command itself. */
  start(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return spawn('nsenter', [...this.#enter, command, ...args], options);
  }

  /** Sets, say, net.ipv4.ip_forward. */
  sysctl(name: string, value: number): void {
    this.run('sysctl', '-qw', `${name}=${value}`);
  }

  /** Of the processes in it. */
  pids(): number[] {
    return processesIn([this.path]).map(({ pid }) => pid);
  }

  delete(): void {
    execFileSync('ip', ['netns', 'del', this.name], { stdio: 'pipe' });
  }
}
