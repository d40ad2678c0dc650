/** podman with the CNI back end on a machine, as its command line is used; every pod has a root filesystem of its own. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ContainerImage, serverCommand } from './container-image.ts';
import { type ContainerRuntime, type PodOptions, type RuntimePod, serving } from './container-runtime.ts';
import type { CniFolders } from './containerd.ts';
import type { Machine } from './machine.ts';

/** Limits that may be set without being allowed to raise them. */
const configuration = ({ bin, conf }: CniFolders) => `
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["${bin}"]
network_config_dir = "${conf}"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`;

interface Inspected {
  readonly NetworkSettings: {
    readonly Networks: Readonly<
      Record<string, { readonly IPAddress: string; readonly GlobalIPv6Address: string }>
    >;
  };
}

export class Podman implements ContainerRuntime {
  readonly kind = 'podman';
  readonly #machine: Machine;
  readonly #image: ContainerImage;
  readonly #network: string;
  readonly #configFile: string;

  /** @param network name of the CNI network that its pods are in */
  constructor(machine: Machine, folders: CniFolders, image: ContainerImage, network: string) {
    this.#machine = machine;
    this.#image = image;
    this.#network = network;
    this.#configFile = join(machine.folder, 'containers.conf');
    writeFileSync(this.#configFile, configuration(folders));
  }

  /** Names of the networks that it finds. */
  async networks(): Promise<string[]> {
    return (await this.#podman('network', 'ls', '--quiet')).split('\n').filter(Boolean);
  }

  async pod(name: string, { ip, mac, ports = [] }: PodOptions = {}): Promise<RuntimePod> {
    const root = join(this.#machine.folder, `root-${name}`);
    cpSync(this.#image.rootFilesystem, root, { recursive: true });
    const id = await this.#podman(
      ...['run', '--detach', '--name', name, '--network', this.#network],
      ...['--cgroup-parent', this.#machine.cgroup, '--env', 'PATH=/bin'],
      ...(ip === undefined ? [] : ['--ip', ip]),
      ...(mac === undefined ? [] : ['--mac-address', mac]),
      ...ports.flatMap(({ hostPort, containerPort, hostIp = '' }) => [
        '--publish',
        `${hostIp && `${hostIp}:`}${hostPort}:${containerPort}`,
      ]),
      ...['--rootfs', root, ...serverCommand(name)],
    );
    const [inspected] = JSON.parse(await this.#podman('inspect', name)) as Inspected[];
    const { IPAddress, GlobalIPv6Address } = inspected.NetworkSettings.Networks[this.#network];
    return serving({
      name,
      id: id.trim(),
      ips: [IPAddress, GlobalIPv6Address],
      run: (...command) => this.#podman('exec', name, '/bin/busybox', ...command),
      remove: async () => {
        await this.#podman('rm', '--force', '--time', '0', name);
      },
    });
  }

  #podman(...args: string[]): Promise<string> {
    const env = [`CONTAINERS_CONF=${this.#configFile}`, 'podman', '--storage-driver', 'vfs'];
    return this.#machine.namespace.runLater('env', [...env, ...args]);
  }
}
