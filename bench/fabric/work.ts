/**
 * What contestants are measured at. Each work takes a contestant and returns one figure; it is the caller who takes
 * contestants in turn.
 */
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../../lab/namespace.ts';
import type { RoundTrips } from '../load/round-trip.ts';
import type { Received } from '../load/udp-receive.ts';
import type { Sent } from '../load/udp-send.ts';
import type { Contestant } from './contestants.ts';
import { lastLine, startReady } from './process.ts';

const LOAD = fileURLToPath(new URL('../load/main.js', import.meta.url));
const PORT = 9999;
const IPERF_PORT = 5201;

/** Gbit/s of payload received, of iperf3 with so many streams from pod a to pod b. */
export async function tcp(
  { a, b, addressOfB }: Contestant,
  streams: number,
  seconds: number,
): Promise<number> {
  const server = b.start('iperf3', ['-s', '-1', '-p', String(IPERF_PORT)], { stdio: 'ignore' });
  try {
    await listening(b, IPERF_PORT);
    const args = [
      '-c',
      addressOfB,
      '-p',
      String(IPERF_PORT),
      '-t',
      String(seconds),
      '-P',
      String(streams),
      '-J',
    ];
    const { end } = JSON.parse(await a.runLater('iperf3', args)) as {
      end: { sum_received: { bits_per_second: number } };
    };
    return end.sum_received.bits_per_second / 1e9;
  } finally {
    server.kill('SIGKILL');
  }
}

async function listening(namespace: Namespace, port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await namespace.runLater('ss', ['-Hltn', `sport = :${port}`])).includes('LISTEN')) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`nothing listens on port ${port} in ${namespace.name}`);
}

export interface UdpWork {
  /** Payload bytes. */
  readonly size: number;
  readonly flows: number;
  readonly seconds: number;
}

export interface UdpResult {
  /** Datagrams a second that arrived, and those sent. */
  readonly delivered: number;
  readonly offered: number;
  /** Share of what was sent that did not arrive. */
  readonly loss: number;
}

/** Sends at `rate` datagrams a second (0: as fast as it goes) from pod a to pod b. */
export async function udp(
  contestant: Contestant,
  { size, flows, seconds }: UdpWork,
  rate: number,
): Promise<UdpResult> {
  const { a, b, addressOfB } = contestant;
  const receive = { family: addressOfB.includes(':') ? 6 : 4, port: PORT, seconds: seconds + 10 };
  const receiver = await startReady(b, process.execPath, [LOAD, 'udp-receive', JSON.stringify(receive)]);
  const received = lastLine<Received>(receiver);
  const send = { to: addressOfB, port: PORT, size, seconds, rate, flows };
  const sent = JSON.parse(
    await a.runLater(process.execPath, [LOAD, 'udp-send', JSON.stringify(send)]),
  ) as Sent;
  const got = await received;
  return {
    delivered: got.received / Math.max(got.seconds, sent.seconds),
    offered: sent.sent / sent.seconds,
    loss: 1 - got.received / sent.sent,
  };
}

/** Of what is sent, what may be lost: one in ten thousand. */
const LOSS = 1e-4;
/** The search ends when the highest good and the lowest bad rate are this close. */
const PRECISION = 1.05;

/**
 * The highest rate without loss (under 0.01 %), datagrams a second, found by halving between a rate that passes and one
 * that does not. A rate that fails is tried once more: a disturbance from outside must not decide.
 */
export async function udpWithoutLoss(contestant: Contestant, work: UdpWork): Promise<number> {
  const passes = async (rate: number): Promise<number> => {
    for (let tries = 0; tries < 2; tries++) {
      const { loss, offered } = await udp(contestant, work, rate);
      if (loss < LOSS) return Math.min(rate, offered);
    }
    return 0;
  };
  const { delivered } = await udp(contestant, work, 0);
  let high = delivered * 1.2;
  let low = 0;
  let best = 0;
  while (low === 0 || high / low > PRECISION) {
    const rate = low === 0 ? high * 0.75 : Math.sqrt(low * high);
    const passed = await passes(rate);
    if (passed > 0) {
      low = rate;
      best = Math.max(best, passed);
      // It was not able to offer more.
      if (passed < rate * 0.98) break;
    } else {
      high = rate;
      if (low === 0 && high < delivered / 20) return 0;
    }
  }
  return best;
}

/** Microseconds. */
export async function roundTrip({ a, b, addressOfB }: Contestant, seconds: number): Promise<RoundTrips> {
  const echo = await startReady(b, process.execPath, [
    LOAD,
    'echo',
    JSON.stringify({ family: 4, port: PORT }),
  ]);
  try {
    const ask = { to: addressOfB, port: PORT, seconds };
    return JSON.parse(
      await a.runLater(process.execPath, [LOAD, 'round-trip', JSON.stringify(ask)]),
    ) as RoundTrips;
  } finally {
    echo.kill('SIGKILL');
  }
}
