/** Throughput and latency between two pods, with iperf3 and ping: a first impression; `weft bench` measures. */
import type { LabPod } from './three-nodes.ts';

export interface Measured {
  readonly from: string;
  readonly to: string;
  readonly gigabitsPerSecond: number;
  /** Milliseconds, average. */
  readonly roundTrip: number;
}

const SECONDS = '2';

export async function measure(from: LabPod, to: LabPod): Promise<Measured> {
  const server = to.namespace.start('iperf3', ['-s', '-1'], { stdio: 'ignore' });
  try {
    for (let tries = 0; tries < 100; tries++) {
      if ((await to.namespace.runLater('ss', ['-Hltn', 'sport = :5201'])).includes('LISTEN')) break;
    }
    const iperf = await from.namespace.runLater('iperf3', ['-c', to.v4, '-t', SECONDS, '-J']);
    const { end } = JSON.parse(iperf) as { end: { sum_received: { bits_per_second: number } } };
    const ping = await from.namespace.runLater('ping', ['-q', '-c', '50', '-i', '0.01', to.v4]);
    const roundTrip = Number(/= [\d.]+\/([\d.]+)\//.exec(ping)?.[1]);
    return {
      from: from.name,
      to: to.name,
      gigabitsPerSecond: end.sum_received.bits_per_second / 1e9,
      roundTrip,
    };
  } finally {
    server.kill('SIGKILL');
  }
}
