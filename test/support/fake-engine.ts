/**
 * An engine that forwards nothing: holds the ports and routes it is given, and answers what the control side asks, on
 * real descriptors. `failing` makes a call throw, to see what the caller then undoes.
 */

import type { EngineCounters, Step } from '../../engine/engine.ts';
import { verdictNames } from '../../engine/verdict.ts';
import type { Path } from '../../routing/path.ts';
import { addressOf, Errno, errno, libc } from '../../sys/libc.ts';
import { formatPrefix, type Prefix } from '../../wire/prefix.ts';

interface PortSpec {
  readonly kind: 'pod' | 'host';
  readonly mtu: number;
  readonly fds: readonly number[];
}

export class FakeEngine {
  readonly ports = new Map<number, PortSpec>();
  /** By prefix, as text. */
  readonly routes = new Map<string, readonly Path[]>();
  failing: 'addPort' | 'setRoute' | undefined;
  #next = 1;
  readonly #buffer = Buffer.alloc(4096);

  addPort(spec: PortSpec): number {
    if (this.failing === 'addPort') throw new Error('injected: no port left');
    const port = this.#next++;
    this.ports.set(port, spec);
    return port;
  }

  async removePort(port: number): Promise<void> {
    const spec = this.ports.get(port);
    if (!spec) throw new Error(`no port ${port}`);
    this.ports.delete(port);
    await new Promise((resolve) => setImmediate(resolve));
    for (const fd of spec.fds) libc.close(fd);
  }

  setRoute(prefix: Prefix, paths: readonly Path[]): void {
    if (this.failing === 'setRoute') throw new Error('injected: no next hop left');
    this.routes.set(formatPrefix(prefix), paths);
  }

  removeRoute(prefix: Prefix): void {
    this.routes.delete(formatPrefix(prefix));
  }

  allowUplink(): void {}

  /** How often changes were made public. */
  batches = 0;

  batch(work: () => void): void {
    work();
    this.batches++;
  }

  route(prefix: Prefix): readonly Path[] | undefined {
    return this.routes.get(formatPrefix(prefix));
  }

  routeCount(): number {
    return this.routes.size;
  }

  deadPorts(): number[] {
    return [...this.ports].filter(([, { fds }]) => fds.some((fd) => this.#isDead(fd))).map(([port]) => port);
  }

  counters(): EngineCounters {
    const none = { packets: 0, bytes: 0 };
    const verdicts = Object.fromEntries(verdictNames.slice(1).map((name) => [name, 0]));
    return { verdicts, port: () => ({ rx: none, tx: none, drops: 0 }), remotes: new Map() };
  }

  explain(): Step[] {
    return [
      { step: 'parse', detail: 'a packet' },
      { step: 'verdict', detail: 'no route to the destination', verdict: 'no-route' },
    ];
  }

  async stop(): Promise<void> {
    // Others may be removing some of them meanwhile.
    for (const port of [...this.ports.keys()]) if (this.ports.has(port)) await this.removePort(port);
  }

  #isDead(fd: number): boolean {
    const address = addressOf(this.#buffer);
    for (;;) {
      if (libc.read(fd, address, this.#buffer.length) < 0) return errno() === Errno.EBADFD;
    }
  }
}
