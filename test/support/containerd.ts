/**
 * containerd on a machine, driven as the kubelet drives it: over its CRI socket. Numbers of fields are those of the
 * Kubernetes project's cri-api, runtime/v1.
 */
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ContainerImage, IMAGE, serverCommand } from './container-image.ts';
import { type ContainerRuntime, type PodOptions, type RuntimePod, serving } from './container-runtime.ts';
import { callGrpc, type Decoded, type Field, type Message, messages, texts } from './grpc.ts';
import type { Machine } from './machine.ts';

const SOCKET = '/run/containerd/containerd.sock';
const READY = 'containerd successfully booted';
const START_PATIENCE_MS = 20_000;
const SECONDS = 30;

export interface CniFolders {
  readonly bin: string;
  readonly conf: string;
}

/** No AppArmor and no lower OOM score: inside a container there is neither. Snapshots are copies, on any file system. */
const configuration = ({ bin, conf }: CniFolders) => `
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [${['aufs', 'btrfs', 'devmapper', 'overlayfs', 'zfs'].map((one) => `"io.containerd.snapshotter.v1.${one}"`).join(', ')}, "io.containerd.internal.v1.opt"]

[grpc]
address = "${SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${IMAGE}"
disable_apparmor = true
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${bin}"
conf_dir = "${conf}"
`;

export class Containerd implements ContainerRuntime {
  readonly kind = 'containerd';
  readonly #machine: Machine;

  private constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Resolves when it answers and has the image. */
  static async start(machine: Machine, folders: CniFolders, image: ContainerImage): Promise<Containerd> {
    const file = join(machine.folder, 'containerd.toml');
    writeFileSync(file, configuration(folders));
    const logFile = join(machine.folder, 'containerd.log');
    const log = openSync(logFile, 'a');
    const daemon = machine.namespace.start('containerd', ['--config', file], { stdio: ['ignore', log, log] });
    closeSync(log);
    const deadline = Date.now() + START_PATIENCE_MS;
    while (!readFileSync(logFile, 'utf8').includes(READY)) {
      if (daemon.exitCode !== null || Date.now() > deadline)
        throw new Error(`containerd does not start: ${readFileSync(logFile, 'utf8')}`);
      await Promise.race([once(daemon, 'exit'), new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    const flags = ['--address', SOCKET, '--namespace', 'k8s.io'];
    await machine.namespace.runLater('ctr', [
      ...flags,
      'images',
      'import',
      '--snapshotter',
      'native',
      image.archive,
    ]);
    const containerd = new Containerd(machine);
    await containerd.#until('it knows the image', async () => {
      const status = await containerd.#call('ImageService/ImageStatus', [[1, [[1, IMAGE]]]]);
      return status.has(1);
    });
    return containerd;
  }

  /** Whether it would start pods; why not otherwise. */
  async network(): Promise<'ready' | string> {
    const [status] = messages(await this.#call('RuntimeService/Status', []), 1);
    const network = messages(status, 1).find((one) => texts(one, 1)[0] === 'NetworkReady');
    return network?.get(2)?.[0] === 1 ? 'ready' : texts(network ?? new Map(), 4).join();
  }

  async pod(name: string, options: PodOptions = {}): Promise<RuntimePod> {
    const sandbox = sandboxConfig(name, this.#machine.cgroup, options);
    const [id] = texts(await this.#call('RuntimeService/RunPodSandbox', [[1, sandbox]]), 1);
    const container: Message = [
      [1, [[1, 'server']]],
      [2, [[1, IMAGE]]],
      ...serverCommand(name).map((word): Field => [3, word]),
    ];
    const made = await this.#call('RuntimeService/CreateContainer', [
      [1, id],
      [2, container],
      [3, sandbox],
    ]);
    const [containerId] = texts(made, 1);
    await this.#call('RuntimeService/StartContainer', [[1, containerId]]);
    const [status] = messages(await this.#call('RuntimeService/PodSandboxStatus', [[1, id]]), 1);
    const [network] = messages(status, 5);
    return serving({
      name,
      id,
      ips: [...texts(network, 1), ...messages(network, 2).flatMap((one) => texts(one, 1))],
      run: (...command) => this.#run(containerId, command),
      remove: async () => {
        await this.#call('RuntimeService/StopPodSandbox', [[1, id]]);
        await this.#call('RuntimeService/RemovePodSandbox', [[1, id]]);
      },
    });
  }

  async #run(containerId: string, command: readonly string[]): Promise<string> {
    const words = ['/bin/busybox', ...command].map((word): Field => [2, word]);
    const answer = await this.#call('RuntimeService/ExecSync', [[1, containerId], ...words, [3, SECONDS]]);
    const [stdout, stderr] = [texts(answer, 1).join(''), texts(answer, 2).join('')];
    const status = answer.get(3)?.[0] ?? 0;
    if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}: ${stderr}${stdout}`);
    return stdout;
  }

  #call(method: string, message: Message): Promise<Decoded> {
    return callGrpc(this.#machine.path(SOCKET), `runtime.v1.${method}`, message);
  }

  async #until(what: string, done: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + START_PATIENCE_MS;
    while (!(await done())) {
      if (Date.now() > deadline) throw new Error(`containerd: not so after ${START_PATIENCE_MS} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Rates are annotations there, as the Kubernetes bandwidth plugin has them. */
function sandboxConfig(name: string, cgroup: string, { ports = [], bandwidth }: PodOptions): Message {
  const annotations = bandwidth === undefined ? [] : ['ingress', 'egress'];
  return [
    [
      1,
      [
        [1, name],
        [2, `uid-${name}`],
        [3, 'default'],
      ],
    ],
    [2, name],
    ...ports.map(
      ({ hostPort, containerPort, hostIp = '' }): Field => [
        5,
        [
          [2, containerPort],
          [3, hostPort],
          [4, hostIp],
        ],
      ],
    ),
    ...annotations.map(
      (way): Field => [
        7,
        [
          [1, `kubernetes.io/${way}-bandwidth`],
          [2, `${bandwidth}M`],
        ],
      ],
    ),
    [8, [[1, cgroup]]],
  ];
}
