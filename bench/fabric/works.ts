/**
 * What contestants are measured at. A work takes one contestant and gives its figures; it is the caller who takes
 * contestants in turn.
 */
import type { Namespace } from '../../lab/namespace.ts';
import { readMachine, usageBetween } from './meter.ts';
import type { Figures } from './metrics.ts';
import { type AgentName, type LoadedContestant, Port } from './pods.ts';
import { cpuSeconds, residentBytes } from './process-usage.ts';
import { highestRate } from './rate-search.ts';

export type Direction = 'forward' | 'reverse' | 'both';

/** How a work is done: how long, and what it is told of the others. */
export interface Effort {
  readonly seconds: number;
  /** Datagrams of 64 bytes a second that are half of what the reference carries; for works that ask for it. */
  halfLoad(): Promise<number>;
}

export type Work = (pods: LoadedContestant, effort: Effort) => Promise<Figures>;

const GRACE = 10;

/** Pods that send and receive, by direction. */
const AGENTS = {
  forward: ['a', 'b'],
  reverse: ['b', 'a'],
  'both-forward': ['a', 'b'],
  'both-reverse': ['probe-b', 'probe-a'],
} as const satisfies Record<string, readonly [AgentName, AgentName]>;

/** Bytes received in a second over TCP connections. */
export const tcp =
  (streams: number, direction: Direction = 'forward'): Work =>
  async (pods, { seconds }) => {
    const before = readMachine();
    const ways = direction === 'both' ? (['both-forward', 'both-reverse'] as const) : ([direction] as const);
    const results = await Promise.all(ways.map((way) => stream(pods, way, streams, seconds)));
    const { cpuSeconds } = usageBetween(before, readMachine());
    const gigabits = results.reduce((sum, { bytes }) => sum + (bytes * 8) / 1e9, 0);
    return {
      gbits: results.reduce((sum, got) => sum + (got.bytes * 8) / 1e9 / got.seconds, 0),
      cpuPerGbit: (cpuSeconds * 1000) / gigabits,
      ...memoryOf(pods),
    };
  };

/** One or more connections one way; 'both-reverse' leaves the agents of 'both-forward' alone. */
export async function stream(
  pods: LoadedContestant,
  way: keyof typeof AGENTS,
  streams: number,
  seconds: number,
) {
  const [sender, receiver] = await Promise.all(AGENTS[way].map((name) => pods.agent(name)));
  const { addressOfA, addressOfB, setting } = pods.contestant;
  const forward = way.endsWith('forward');
  const port = Port.streams + (forward ? 0 : 100);
  const family = setting.family;
  const result = await receiver.receive('tcp-receive', { family, port, streams, seconds: seconds + GRACE });
  await sender.begin('tcp-send', { to: forward ? addressOfB : addressOfA, port, streams, seconds });
  return result();
}

export interface UdpShape {
  /** Payload bytes. */
  readonly size: number;
  readonly flows: number;
}

/** As many datagrams as the sender can: what arrives of them. */
export const udpOverload =
  (shape: UdpShape): Work =>
  async (pods, { seconds }) => {
    const before = readMachine();
    const { delivered, loss, received, reordered } = await udp(pods, shape, 0, seconds);
    const { cpuSeconds } = usageBetween(before, readMachine());
    return {
      kpps: delivered / 1000,
      loss: loss * 100,
      reordered: (reordered / received) * 100,
      cpuPerPacket: (cpuSeconds * 1e6) / received,
      ...memoryOf(pods),
    };
  };

/** The highest rate of which less than 0.01 % is lost. */
export const udpWithoutLoss =
  (shape: UdpShape): Work =>
  async (pods, { seconds }) => ({
    kpps: (await highestRate((rate) => udp(pods, shape, rate, seconds))) / 1000,
  });

/** Sends at `rate` datagrams a second (0: as fast as it goes) from pod a to pod b. */
export async function udp(pods: LoadedContestant, { size, flows }: UdpShape, rate: number, seconds: number) {
  const { addressOfB: to, setting } = pods.contestant;
  const [sender, receiver] = await Promise.all([pods.agent('a'), pods.agent('b')]);
  const port = Port.udp;
  const result = await receiver.receive('udp-receive', {
    family: setting.family,
    port,
    seconds: seconds + GRACE,
  });
  const { sent, seconds: took } = await sender.begin('udp-send', { to, port, size, seconds, rate, flows });
  const got = await result();
  if (got.received === 0) throw new Error(`of ${sent} datagrams none arrived`);
  return {
    /** Datagrams a second that arrived, and those sent. */
    delivered: got.received / Math.max(got.seconds, took),
    offered: sent / took,
    /** Share of what was sent that did not arrive. */
    loss: 1 - got.received / sent,
    received: got.received,
    reordered: got.reordered,
  };
}

/** Questions of 64 bytes one after the other, with nothing else on the way. */
export const roundTrip: Work = async (pods, { seconds }) => {
  await pods.server('echo');
  const prober = await pods.agent('probe-a');
  return percentiles(await prober.begin('round-trip', askEcho(pods, seconds)));
};

/** Time for the load to be there before, and to be there still at the end, seconds. */
const LOAD_AROUND = 0.3;
const SMALL: UdpShape = { size: 64, flows: 1 };

/** The same beside a load that is half of what the reference carries. */
export const roundTripUnderLoad: Work = async (pods, { seconds, halfLoad }) => {
  await pods.server('echo');
  const prober = await pods.agent('probe-a');
  const rate = await halfLoad();
  const load = udp(pods, SMALL, rate, seconds + 2 * LOAD_AROUND);
  await new Promise((resolve) => setTimeout(resolve, LOAD_AROUND * 1000));
  const [result, { loss }] = await Promise.all([prober.begin('round-trip', askEcho(pods, seconds)), load]);
  return { ...percentiles(result), loss: loss * 100 };
};

const askEcho = ({ contestant }: LoadedContestant, seconds: number) => ({
  to: contestant.addressOfB,
  port: Port.echo,
  seconds,
});

interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

function percentiles({ count, p50, p99, p999 }: Percentiles): Figures {
  if (count === 0) throw new Error('no question was answered');
  return { p50, p99, p999 };
}

/** Connections that ask once and are closed, one after the other. */
export const transactions: Work = async (pods, { seconds }) => {
  await pods.server('transactions');
  const client = await pods.agent('a');
  const { addressOfB: to } = pods.contestant;
  const done = await client.begin('transactions', { to, port: Port.transactions, seconds });
  if (done.count === 0) throw new Error(`all of ${done.failed} connections failed`);
  return { connections: done.count / done.seconds };
};

const IPERF_PORT = 5201;

/** TCP as iperf3 measures it: a second opinion. */
export const iperf =
  (streams: number): Work =>
  async ({ contestant }, { seconds }) => {
    const { a, b, addressOfB } = contestant;
    const port = String(IPERF_PORT);
    const server = b.start('iperf3', ['-s', '-1', '-p', port], { stdio: 'ignore' });
    try {
      await listening(b, IPERF_PORT);
      const what = ['-t', String(Math.ceil(seconds)), '-P', String(streams), '-J'];
      const { end } = JSON.parse(await a.runLater('iperf3', ['-c', addressOfB, '-p', port, ...what])) as {
        end: { sum_received: { bits_per_second: number } };
      };
      return { gbits: end.sum_received.bits_per_second / 1e9 };
    } finally {
      server.kill('SIGKILL');
    }
  };

async function listening(namespace: Namespace, port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await namespace.runLater('ss', ['-Hltn', `sport = :${port}`])).includes('LISTEN')) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`nothing listens on port ${port} in ${namespace.name}`);
}

const IDLE_SECONDS = 5;

/** What the busier node takes when there is nothing to do, after whatever was measured before. */
export const idle: Work = async (pods) => {
  const { processes } = pods.contestant;
  const before = processes.map(cpuSeconds);
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  const used = processes.map((pid, i) => (cpuSeconds(pid) - before[i]) / IDLE_SECONDS);
  return { idleCpu: Math.max(...used) * 100, ...memoryOf(pods) };
};

const memoryOf = ({ contestant: { processes } }: LoadedContestant): Figures =>
  processes.length === 0 ? {} : { memory: Math.max(...processes.map(residentBytes)) / 1e6 };
