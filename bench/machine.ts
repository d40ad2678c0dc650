/** What machine and which build figures are of: as much as a reader needs to judge them, nothing that names its owner. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { readVersion } from '../control/version.ts';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly virtual: boolean;
  readonly memoryGigabytes: number;
  readonly architecture: string;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
}

export interface Build {
  readonly version: string;
  /** Of the checkout, with '-dirty' behind it when it had changes; absent where there is none. */
  readonly commit?: string;
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    virtual: /^flags\s*:.*\bhypervisor\b/m.test(read('/proc/cpuinfo')),
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    architecture: arch(),
    kernel: release(),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(read('/etc/os-release'))?.[1] ?? 'unknown',
    node: process.version,
  };
}

export function describeBuild(): Build {
  const version = readVersion();
  try {
    const cwd = fileURLToPath(new URL('.', import.meta.url));
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    // Of what is measured: what the suite itself has written before does not count.
    const others = [':(top)', ':(top,exclude)docs/benchmarks', ':(top,exclude)README.md'];
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', ...others) !== '';
    return { version, commit: `${git('rev-parse', '--short', 'HEAD')}${changed ? '-dirty' : ''}` };
  } catch {
    return { version };
  }
}

/** '2 cores of Intel Xeon (virtual machine), 24 GB, Linux 6.18.0, Debian 12, Node v20.20.2' */
export function machineText(machine: Machine): string {
  const { processor, cores, virtual, memoryGigabytes, kernel, system, node } = machine;
  const where = virtual ? ' (virtual machine)' : '';
  return `${cores} cores of ${processor}${where}, ${memoryGigabytes} GB, Linux ${kernel}, ${system}, Node ${node}`;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
