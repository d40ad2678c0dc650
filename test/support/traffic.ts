/** Traffic between pods whose every byte is accounted for, by the programs of traffic.py, and pings. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Namespace } from '../../lab/namespace.ts';
import type { Pod } from './pods.ts';
import type { Family } from './underlay.ts';

const PROGRAM = fileURLToPath(new URL('traffic.py', import.meta.url));

/** One of the programs, running: a line of JSON at a time. */
export class Program {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';

  /** @param args of `program`, a Python script */
  constructor(namespace: Namespace, args: readonly (string | number)[], program = PROGRAM) {
    this.process = namespace.start('python3', [program, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#lines = createInterface({ input: this.process.stdout as NodeJS.ReadableStream })[
      Symbol.asyncIterator
    ]();
  }

  /** The next line. @throws Error with its stderr when it ends instead */
  async next<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done) {
      if (this.process.exitCode === null) await once(this.process, 'exit');
      throw new Error(`${this.process.spawnargs.slice(2).join(' ')} ended: ${this.#stderr}`);
    }
    return JSON.parse(value) as T;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }
}

async function withServer<T>(namespace: Namespace, args: readonly (string | number)[], use: ServerUse<T>) {
  const server = new Program(namespace, args);
  try {
    const { port } = await server.next<{ port: number }>();
    return await use(port, server);
  } finally {
    await server.stop();
  }
}
type ServerUse<T> = (port: number, server: Program) => Promise<T>;

async function runProgram<T>(namespace: Namespace, args: readonly (string | number)[]): Promise<T> {
  const program = new Program(namespace, args);
  try {
    return await program.next<T>();
  } finally {
    await program.stop();
  }
}

interface Exchange {
  readonly sent: string;
  readonly received: string;
  readonly bytes: number;
}

/** `bytes` each way over one TCP connection, both ways at once; SHA-256 of what was sent and received must be equal. */
export async function exchangeTcp(from: Pod, to: Pod, family: Family, bytes: number): Promise<void> {
  await withServer(to.namespace, ['tcp-serve', bytes, 1], async (port, server) => {
    const [client, other] = await Promise.all([
      runProgram<Exchange>(from.namespace, ['tcp-connect', to.ip(family), port, bytes, 2]),
      server.next<Exchange>(),
    ]);
    expect([client.bytes, other.bytes]).toEqual([bytes, bytes]);
    expect(other.received).toBe(client.sent);
    expect(client.received).toBe(other.sent);
    expect(client.sent).not.toBe(client.received);
  });
}

/** Every size comes back as it was sent. @param fragments IPv4 packets may be fragmented by routers */
export async function echoUdp(
  from: Pod,
  to: Pod,
  family: Family,
  sizes: readonly number[],
  fragments: 'fragment' | 'df' = 'df',
): Promise<void> {
  await withServer(to.namespace, ['udp-echo', fragments], async (port) => {
    const args = ['udp-sizes', to.ip(family), port, fragments, ...sizes];
    expect(await runProgram(from.namespace, args)).toEqual({ wrong: [], tried: sizes.length });
  });
}

export interface UdpBulk {
  readonly count: number;
  readonly size: number;
  /** Datagrams in one call of the sending program (UDP_SEGMENT); 1: a call each. */
  readonly segment: number;
}

/** Datagrams with digests: all arrive, whole and in order. */
export async function sendUdp(from: Pod, to: Pod, family: Family, bulks: readonly UdpBulk[]): Promise<void> {
  const count = bulks.reduce((sum, bulk) => sum + bulk.count, 0);
  await withServer(to.namespace, ['udp-receive'], async (port, server) => {
    const specs = bulks.map((bulk) => `${bulk.count}x${bulk.size}x${bulk.segment}`);
    const args = ['udp-send', to.ip(family), port, ...specs];
    const [sent, received] = await Promise.all([runProgram(from.namespace, args), server.next()]);
    expect(sent).toEqual({ sent: count, good: count });
    expect(received).toEqual({ good: count, bad: 0, late: 0 });
  });
}

/** Every request is answered, one after the other. @param args more of ping's @returns what the last ping prints */
export async function ping(
  from: Namespace,
  address: string,
  options: { readonly count?: number; readonly args?: readonly string[] } = {},
): Promise<string> {
  const { count = 3, args = [] } = options;
  let output = '';
  for (let n = 0; n < count; n++) {
    // One at a time: after the last of several ping waits no longer than two round trips.
    output = await from
      .runLater('ping', ['-n', '-c', '1', '-W', '2', ...args, address])
      .catch((error) => error.stdout);
    expect(output).toContain('1 packets transmitted, 1 received, 0% packet loss');
  }
  return output;
}

const SENDER = fileURLToPath(new URL('send.py', import.meta.url));

/** Sends packets that no program would. @param words kind and addresses, as send.py has them */
export async function send(
  from: Namespace,
  words: readonly (string | number)[],
  packets: readonly Uint8Array[],
): Promise<void> {
  const program = new Program(
    from,
    [...words, ...packets.map((one) => Buffer.from(one).toString('hex'))],
    SENDER,
  );
  try {
    await program.next();
  } finally {
    await program.stop();
  }
}

/** Payloads that a program on `port` of the pod receives while something is done, and for `seconds` after. */
export async function collectUdp(
  pod: Pod,
  port: number,
  action: () => Promise<unknown>,
  seconds = 0.3,
): Promise<Uint8Array[]> {
  const collector = new Program(pod.namespace, ['udp-collect', port, seconds]);
  try {
    await collector.next();
    await action();
    const { got } = await collector.next<{ got: string[] }>();
    return got.map((hex) => new Uint8Array(Buffer.from(hex, 'hex')));
  } finally {
    await collector.stop();
  }
}
