/**
 * A machine for container runtimes: a host of the underlay with mounts of its own over everything that runtimes share on a
 * machine by fixed paths (namespaces, sockets, locks, libcni's cache), so that nothing of this machine's is seen or touched.
 * Its mounts go with its processes, and those, containers included, with the run.
 */
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from '../../lab/namespace.ts';
import { end, processesIn } from '../../lab/processes.ts';
import { list } from '../../lab/remains.ts';
import type { Run } from '../../lab/run.ts';

/** Says a line when all is mounted; what else is in /var/lib, such as a checkout, is still found there. */
const MOUNT = `
mount --bind /var/lib "$1"
for folder in /run /dev/shm /var/lib; do mount -t tmpfs tmpfs $folder; done
for one in "$1"/*; do ln -s "$one" /var/lib/; done
for folder in cni containers containerd; do rm -f /var/lib/$folder; mkdir /var/lib/$folder; done
mkdir /run/netns
echo mounted
exec sleep infinity
`;
const CGROUPS = '/sys/fs/cgroup';
/** The kernel lets go of a cgroup some time after its last process. Milliseconds. */
const CGROUP_PATIENCE = 3000;

export class Machine {
  /** What runs in it has its mounts. */
  readonly namespace: Namespace;
  readonly folder: string;
  /** Under which its containers are, as the runtimes are told. */
  readonly cgroup: string;
  /** Of the machine, as seen from outside. */
  readonly #root: string;

  private constructor(namespace: Namespace, folder: string, pid: number) {
    this.namespace = namespace.withMounts(`/proc/${pid}/ns/mnt`);
    this.folder = folder;
    this.cgroup = `/${namespace.name}`;
    this.#root = `/proc/${pid}/root`;
  }

  static async start(run: Run, namespace: Namespace): Promise<Machine> {
    const folder = run.folderOf(namespace);
    const hidden = join(folder, 'var-lib');
    mkdirSync(hidden);
    const holder = namespace.start(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-ec', MOUNT, 'sh', hidden],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise<void>((resolve, reject) => {
      holder.stdout?.once('data', () => resolve());
      holder.once('exit', (code) => reject(new Error(`the machine's mounts: status ${code}`)));
    });
    const machine = new Machine(namespace, folder, holder.pid as number);
    run.defer(async () => {
      machine.#end();
      await machine.#removeCgroups();
    });
    return machine;
  }

  /** A path of the machine, as it is reached from outside. */
  path(inside: string): string {
    return join(this.#root, inside);
  }

  /** Network namespaces that the runtimes have made, which hold their pods, as paths from outside. */
  podNamespaces(): string[] {
    const folder = this.path('/run/netns');
    return list(folder).map((name) => join(folder, name));
  }

  /** Runtimes first: they would tidy up after their containers. */
  #end(): void {
    const pods = processesIn(this.podNamespaces());
    end(processesIn([this.namespace.path]));
    end(pods);
  }

  async #removeCgroups(): Promise<void> {
    const deadline = Date.now() + CGROUP_PATIENCE;
    const folders = ['', ...list(CGROUPS)].map((one) => join(CGROUPS, one, this.cgroup));
    while (!folders.every(removeTree)) {
      if (Date.now() > deadline) throw new Error(`cgroups ${this.cgroup} are still in use`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** @returns whether it is gone */
function removeTree(folder: string): boolean {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(join(folder, entry.name));
    }
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
