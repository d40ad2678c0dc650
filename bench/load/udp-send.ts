/**
 * Sends UDP datagrams of one size at a rate, or as fast as it can. Many flows are many sockets, each with a source port of
 * its own, in turn by batch. Each datagram says of which flow it is, and the how manieth of it:
 *
 *   f64 sequence number within the flow | u32 flow | whatever fills it up
 */
import { check } from '../../sys/errors.ts';
import { libc } from '../../sys/libc.ts';
import { encodeSockaddr, SOCKADDR_SIZE } from '../../sys/sockaddr.ts';
import { udpSocket } from '../../sys/socket.ts';
import { type Address, addressToBytes } from '../../wire/address.ts';
import { messageArena } from './arena.ts';

export const FLOW_OFFSET = 8;

export interface SendOptions {
  readonly to: Address;
  readonly port: number;
  /** Payload bytes, at least 12. */
  readonly size: number;
  readonly seconds: number;
  /** Datagrams a second; 0 for as many as possible. */
  readonly rate: number;
  readonly flows: number;
}

export interface Sent {
  readonly sent: number;
  readonly refused: number;
  readonly seconds: number;
}

const BATCH = 64;
/** Below this rate a batch of 64 would be a burst of over a millisecond. */
const SMALL_BATCH_BELOW = 64_000;
const SMALL_BATCH = 8;
const SEND_BUFFER = 8 << 20;

export function sendUdp(options: SendOptions): Sent {
  const { rate, size } = options;
  const sequences = new Float64Array(options.flows);
  const sockets = Array.from({ length: options.flows }, () => connected(options));
  const { view, messages, payload } = messageArena(BATCH, size);
  const batch = rate > 0 && rate < SMALL_BATCH_BELOW ? SMALL_BATCH : BATCH;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const start = performance.now();
  const end = start + options.seconds * 1000;
  let sent = 0;
  let refused = 0;
  let next = 0;
  for (let now = start; now < end; now = performance.now()) {
    if (rate > 0 && sent > (rate * (now - start)) / 1000) {
      Atomics.wait(pause, 0, 0, 0.05);
      continue;
    }
    for (let m = 0; m < batch; m++) {
      view.setFloat64(payload(m), sequences[next] + m, true);
      view.setUint32(payload(m) + FLOW_OFFSET, next, true);
    }
    const taken = libc.sendmmsg(sockets[next], messages, batch, 0);
    if (taken > 0) {
      sent += taken;
      sequences[next] += taken;
    } else {
      refused++;
    }
    next = next + 1 === sockets.length ? 0 : next + 1;
  }
  for (const fd of sockets) libc.close(fd);
  return { sent, refused, seconds: (performance.now() - start) / 1000 };
}

function connected({ to, port }: SendOptions): number {
  const fd = udpSocket({ family: to.family, nonBlocking: false, sendBuffer: SEND_BUFFER });
  const sockaddr = new Uint8Array(SOCKADDR_SIZE);
  const length = encodeSockaddr(sockaddr, 0, addressToBytes(to), port);
  check(libc.connect(fd, sockaddr, length), 'connect', `connecting a UDP socket to port ${port}`);
  return fd;
}
