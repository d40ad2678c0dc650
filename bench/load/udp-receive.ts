/**
 * Receives what udp-send.ts sends: counts datagrams and bytes, and by their sequence numbers what came out of order.
 */

import { libc } from '../../sys/libc.ts';
import { MessageFlag } from '../../sys/mmsg.ts';
import { udpSocket } from '../../sys/socket.ts';
import { SocketLevel, SocketOption } from '../../sys/socket-options.ts';
import { messageArena } from './arena.ts';
import { FLOW_OFFSET } from './udp-send.ts';

export interface ReceiveOptions {
  readonly family: 4 | 6;
  readonly port: number;
  /** Ends after so many seconds, or when nothing has come for a quarter of a second after the first datagram. */
  readonly seconds: number;
}

export interface Received {
  readonly received: number;
  readonly bytes: number;
  /** Datagrams whose sequence number was lower than one before of the same flow. */
  readonly reordered: number;
  /** Between the first and the last datagram. */
  readonly seconds: number;
}

const BATCH = 64;
const MOST_FLOWS = 1024;
const LARGEST = 9216;
const RECEIVE_BUFFER = 32 << 20;
const QUIET_MS = 250;

/** @param ready called when the socket is open */
export function receiveUdp({ family, port, seconds }: ReceiveOptions, ready: () => void): Received {
  const fd = udpSocket({ family, port, nonBlocking: false, receiveBuffer: RECEIVE_BUFFER });
  const wait = new Uint8Array(new BigInt64Array([0n, 50_000n]).buffer); // struct timeval
  libc.setsockopt(fd, SocketLevel.socket, SocketOption.receiveTimeout, wait, wait.length);
  const { view, messages, payload } = messageArena(BATCH, LARGEST);
  let received = 0;
  let bytes = 0;
  let reordered = 0;
  const highest = new Float64Array(MOST_FLOWS).fill(-1);
  let first = 0;
  let last = 0;
  ready();
  const end = performance.now() + seconds * 1000;
  for (let now = performance.now(); now < end; now = performance.now()) {
    const got = libc.recvmmsg(fd, messages, BATCH, MessageFlag.waitForOne, 0);
    if (got <= 0) {
      if (received > 0 && now - last > QUIET_MS) break;
      continue;
    }
    last = performance.now();
    if (received === 0) first = last;
    received += got;
    for (let m = 0; m < got; m++) {
      bytes += view.getUint32(m * 64 + 56, true);
      const sequence = view.getFloat64(payload(m), true);
      const flow = view.getUint32(payload(m) + FLOW_OFFSET, true) % MOST_FLOWS;
      if (sequence < highest[flow]) reordered++;
      else highest[flow] = sequence;
    }
  }
  libc.close(fd);
  return { received, bytes, reordered, seconds: (last - first) / 1000 };
}
