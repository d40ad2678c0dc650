/** Throughput as iperf3 measures it, in bits of IP packets a second: what a rate limit is about. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Namespace } from '../../lab/namespace.ts';

export interface IperfOptions {
  /** Bits of datagrams a second that are sent; without it TCP, as fast as it gets. */
  readonly udp?: number;
  readonly seconds?: number;
  /** TCP connections at once. */
  readonly streams?: number;
  readonly port?: number;
}

/** Bytes of the IP and UDP headers of a datagram of DATAGRAM bytes. */
const DATAGRAM = 1200;
const UDP_HEADERS = 28;
/** Of a full TCP segment over IPv4, with the timestamps that Linux sends. */
const TCP_HEADERS = 52;

interface Report {
  readonly start: { readonly tcp_mss_default: number };
  readonly end: {
    readonly sum: { readonly bits_per_second: number; readonly lost_percent: number };
    readonly sum_received: { readonly bits_per_second: number };
  };
}

/** @returns bits a second that arrived, headers of IP included */
export async function iperf(
  from: Namespace,
  to: Namespace,
  address: string,
  { udp, seconds = 2, streams = 1, port = 5201 }: IperfOptions = {},
): Promise<number> {
  const server = to.start('iperf3', ['-s', '-1', '--forceflush', '-p', String(port)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    for await (const line of createInterface({ input: server.stdout as Readable })) {
      if (line.includes('listening')) break;
    }
    const what = udp === undefined ? ['-P', streams] : ['-u', '-b', udp, '-l', DATAGRAM];
    const args = ['-c', address, '-p', port, '-t', seconds, '-J', ...what].map(String);
    const report = JSON.parse(await from.runLater('iperf3', args)) as Report;
    const { sum, sum_received } = report.end;
    if (udp === undefined) {
      const payload = report.start.tcp_mss_default;
      return (sum_received.bits_per_second * (payload + TCP_HEADERS)) / payload;
    }
    return (sum.bits_per_second * (1 - sum.lost_percent / 100) * (DATAGRAM + UDP_HEADERS)) / DATAGRAM;
  } finally {
    if (server.exitCode === null && server.signalCode === null) {
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
    }
  }
}
