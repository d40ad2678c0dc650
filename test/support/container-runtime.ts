/** What tests want of a container runtime: pods with one container each, which serves (container-image.ts). */

const PATIENCE_MS = 10_000;

export interface PodOptions {
  /** Of IPv4; it is chosen otherwise. */
  readonly ip?: string;
  readonly mac?: string;
  readonly ports?: readonly {
    readonly hostPort: number;
    readonly containerPort: number;
    readonly hostIp?: string;
  }[];
  /** Both ways, Mbit/s. */
  readonly bandwidth?: number;
}

export interface RuntimePod {
  readonly name: string;
  /** What Weft knows it as: id of the attachment. */
  readonly id: string;
  /** As the runtime reports them. */
  readonly ips: readonly string[];
  /** Runs a command of busybox inside; rejects with what it says when it fails. */
  run(...command: string[]): Promise<string>;
  remove(): Promise<void>;
}

export interface ContainerRuntime {
  readonly kind: 'podman' | 'containerd';
  /** Resolves when the container serves. */
  pod(name: string, options?: PodOptions): Promise<RuntimePod>;
}

/** Resolves when the container does what it is for. @throws Error with what is said when it does not */
export async function serving(pod: RuntimePod): Promise<RuntimePod> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      await pod.run('wget', '-q', '-O', '/dev/null', 'http://127.0.0.1/name');
      return pod;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
