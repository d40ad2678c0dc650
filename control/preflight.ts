/**
 * What a node needs of the machine before it touches anything: privileges, the TUN driver, and nobody else doing the same
 * work. Each missing thing is an error that says how to get it.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { allowedCpus } from '../sys/cpus.ts';
import { tunFeatures } from '../sys/tun.ts';
import { WeftError } from './errors.ts';

/** linux/capability.h */
const NEEDED = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_SYS_ADMIN: 21 } as const;

/** NET_ADMIN for interfaces and routes, NET_RAW for IPIP, SYS_ADMIN to enter the namespaces of pods. */
export function checkPrivileges(status = readFileSync('/proc/self/status', 'utf8')): void {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const missing = Object.entries(NEEDED).filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n);
  if (missing.length === 0) return;
  throw new WeftError(
    'denied',
    `weft node lacks the privilege ${missing.map(([name]) => name).join(', ')}: run it as root, or with these ` +
      'capabilities (systemd: AmbientCapabilities=, containers: --cap-add)',
  );
}

/** Throws the SysError of a driver that is missing or out of reach. */
export function checkTun(): void {
  const { multiQueue, vnetHeader } = tunFeatures();
  if (multiQueue && vnetHeader) return;
  throw new WeftError(
    'unsupported',
    'the TUN driver of this kernel has no multiple queues or no vnet header; weft needs Linux 5.4 or later',
  );
}

/** @param cpus that workers are to stay on */
export function checkCpus(cpus: readonly number[], allowed = allowedCpus()): void {
  const absent = cpus.filter((cpu) => !allowed.includes(cpu));
  if (absent.length === 0) return;
  throw new WeftError(
    'config',
    `engine.cpus: ${absent.join(', ')} is not among the processors that this process may use (${allowed.join(', ')}): ` +
      'name others, or start weft with more (systemd: CPUAffinity=, containers: --cpuset-cpus)',
  );
}

/**
 * Takes names for this process in its network namespace, until the returned function is called. Queues of a TUN and
 * shared UDP ports can be opened by several processes, which would then share the packets; the kernel lets go of an
 * abstract socket when its process ends, however it ends.
 */
export async function claim(names: readonly string[]): Promise<() => void> {
  const servers = names.map((name) => ({ name, server: createServer().unref() }));
  const release = () => {
    for (const { server } of servers) server.close();
  };
  for (const { name, server } of servers) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ path: `\0weft/${name}` }, resolve);
      });
    } catch (error) {
      release();
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      throw new WeftError(
        'in-use',
        `another weft node in this network namespace has ${name}; stop it first`,
        {
          cause: error,
        },
      );
    }
  }
  return release;
}
