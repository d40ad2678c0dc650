/**
 * Connections one after the other: each is opened, asks one thing of 64 bytes, is answered and closed, as a client without
 * a pool of connections does it.
 */
import { libc, pin } from '../../sys/libc.ts';
import { SocketLevel } from '../../sys/socket-options.ts';
import type { Address } from '../../wire/address.ts';
import { receiveTimeout, tcpConnect, tcpListen } from './tcp-socket.ts';

export interface TransactionOptions {
  readonly to: Address;
  readonly port: number;
  readonly seconds: number;
}

export interface Transactions {
  readonly count: number;
  readonly failed: number;
  readonly seconds: number;
}

const SIZE = 64;
const PATIENCE_MS = 1000;
const SO_LINGER = 13;
/** Address of what is asked, and of the answer. */
const buffer = pin(new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer));

/** Answers for ever; the process is ended from outside. */
export function serveTransactions(family: 4 | 6, port: number, ready: () => void): never {
  const listener = tcpListen(family, port);
  ready();
  for (;;) {
    const fd = libc.accept4(listener, null, null, 0);
    if (fd < 0) continue;
    receiveTimeout(fd, PATIENCE_MS);
    const got = libc.read(fd, buffer, SIZE);
    if (got > 0) libc.write(fd, buffer, got);
    libc.close(fd);
  }
}

export function makeTransactions({ to, port, seconds }: TransactionOptions): Transactions {
  // Closed by a reset: thousands of ports that wait out their time would be none left for the next measurement.
  const linger = new Uint8Array(Int32Array.of(1, 0).buffer);
  let count = 0;
  let failed = 0;
  const start = performance.now();
  const end = start + seconds * 1000;
  while (performance.now() < end) {
    const fd = tcpConnect(to, port);
    receiveTimeout(fd, PATIENCE_MS);
    libc.setsockopt(fd, SocketLevel.socket, SO_LINGER, linger, linger.length);
    libc.write(fd, buffer, SIZE);
    if (libc.read(fd, buffer, SIZE) === SIZE) count++;
    else failed++;
    libc.close(fd);
  }
  return { count, failed, seconds: (performance.now() - start) / 1000 };
}
