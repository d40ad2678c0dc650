/** Throughput and latency between two pods, with iperf3 and ping: a first impression; `weft bench` measures. */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { LabPod } from './description.ts';
import { Namespace } from './namespace.ts';

export interface Measured {
  readonly from: string;
  readonly to: string;
  readonly tcp: { readonly gigabitsPerSecond: number };
  /** Datagrams of 64 bytes, sent as fast as iperf3 can: those that reached the pod, and the share that did not. */
  readonly udp: { readonly packetsPerSecond: number; readonly lost: number };
  /** Milliseconds. */
  readonly roundTrip: { readonly p50: number; readonly p99: number };
}

const TCP_SECONDS = 1.5;
const UDP_SECONDS = 1;
const DATAGRAM_BYTES = 64;
/** Of the round trips: how many, and how far apart, seconds. */
const PINGS = 400;
const PING_INTERVAL = 0.002;

interface Iperf {
  readonly end: {
    readonly sum: { readonly packets: number; readonly seconds: number };
    readonly sum_received: { readonly bits_per_second: number };
  };
}

export async function measure(from: LabPod, to: LabPod): Promise<Measured> {
  const roundTrip = await pings(from, to);
  const tcp = await iperf(from, to, ['-t', String(TCP_SECONDS)]);
  const udp = await datagrams(from, to);
  return {
    from: from.name,
    to: to.name,
    tcp: { gigabitsPerSecond: tcp.end.sum_received.bits_per_second / 1e9 },
    udp,
    roundTrip,
  };
}

/**
 * Counted by the kernel of the pod and not by iperf3, whose one thread cannot read them all: what its socket has no room for
 * has been carried.
 */
async function datagrams(from: LabPod, to: LabPod): Promise<Measured['udp']> {
  const args = ['-u', '-b', '0', '-l', String(DATAGRAM_BYTES), '-t', String(UDP_SECONDS)];
  const before = await arrivedAt(to);
  const { packets: sent, seconds } = (await iperf(from, to, args)).end.sum;
  // A few of iperf3's own are among them.
  const arrived = Math.min(sent, (await arrivedAt(to)) - before);
  return { packetsPerSecond: arrived / seconds, lost: 1 - arrived / sent };
}

async function arrivedAt({ namespace }: LabPod): Promise<number> {
  const text = await Namespace.named(namespace).runLater('cat', ['/proc/net/snmp']);
  const [names, values] = [...text.matchAll(/^Udp: (.*)$/gm)].map(([, line]) => line.split(' '));
  const counter = (name: string): number => Number(values[names.indexOf(name)]);
  return counter('InDatagrams') + counter('RcvbufErrors');
}

async function iperf(from: LabPod, to: LabPod, args: readonly string[]): Promise<Iperf> {
  const words = ['-s', '-1', '--forceflush', '-B', to.v4];
  const server = Namespace.named(to.namespace).start('iperf3', words, {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    await once(server.stdout as Readable, 'data'); // It listens.
    server.stdout?.resume();
    const client = Namespace.named(from.namespace);
    return JSON.parse(await client.runLater('iperf3', ['-c', to.v4, ...args, '-J'], 20_000)) as Iperf;
  } finally {
    server.kill('SIGKILL');
  }
}

async function pings(from: LabPod, to: LabPod): Promise<Measured['roundTrip']> {
  const words = ['-c', String(PINGS), '-i', String(PING_INTERVAL), '-W', '1', to.v4];
  const output = await Namespace.named(from.namespace)
    .runLater('ping', words)
    .catch(() => Promise.reject(new Error('no ping is answered')));
  const times = [...output.matchAll(/ time=([\d.]+) ms/g)].map(([, time]) => Number(time));
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return { p50: at(0.5), p99: at(0.99) };
}
