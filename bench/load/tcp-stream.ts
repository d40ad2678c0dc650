/**
 * TCP streams: as many bytes as go through, over one connection or several at once. One thread at each end, as iperf3 has
 * it; what counts is what the receiver has read.
 */
import { EPOLL_EVENT_SIZE, Epoll, epollAdd, epollCreate, epollDelete, eventData } from '../../sys/epoll.ts';
import { check } from '../../sys/errors.ts';
import { libc, pin } from '../../sys/libc.ts';
import type { Address } from '../../wire/address.ts';
import { receiveTimeout, tcpConnect, tcpListen, withoutWaiting } from './tcp-socket.ts';

export interface StreamSendOptions {
  readonly to: Address;
  readonly port: number;
  readonly streams: number;
  readonly seconds: number;
}

export interface StreamReceiveOptions {
  readonly family: 4 | 6;
  readonly port: number;
  readonly streams: number;
  /** Gives up after so many seconds. */
  readonly seconds: number;
}

export interface StreamReceived {
  readonly bytes: number;
  /** Between the first and the last byte. */
  readonly seconds: number;
}

const CHUNK = 256 * 1024;
const PAGE = 65536;
const EVENTS = 64;
const POLL_MS = 100;

const PAGES = CHUNK / PAGE + 1;
const memory = new Uint8Array(new WebAssembly.Memory({ initial: PAGES, maximum: PAGES }).buffer);
const view = new DataView(memory.buffer);
/** Addresses: the events of epoll in the first page, behind it what is sent or received. */
const events = pin(memory);
const chunk = events + PAGE;

/** @returns bytes that the kernel took */
export function sendStreams({ to, port, streams, seconds }: StreamSendOptions): { readonly bytes: number } {
  const sockets = Array.from({ length: streams }, () => tcpConnect(to, port));
  const pollSet = epollCreate();
  for (const fd of sockets) {
    withoutWaiting(fd);
    epollAdd(pollSet, fd, Epoll.out, fd);
  }
  let bytes = 0;
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const ready = libc.epoll_wait(pollSet, events, EVENTS, POLL_MS);
    for (let n = 0; n < ready; n++) {
      const taken = libc.write(eventData(view, n * EPOLL_EVENT_SIZE), chunk, CHUNK);
      if (taken > 0) bytes += taken;
    }
  }
  for (const fd of [...sockets, pollSet]) libc.close(fd);
  return { bytes };
}

/** @param ready called when it listens */
export function receiveStreams(options: StreamReceiveOptions, ready: () => void): StreamReceived {
  const { family, port, streams, seconds } = options;
  const listener = tcpListen(family, port);
  receiveTimeout(listener, seconds * 1000);
  ready();
  const pollSet = epollCreate();
  for (let n = 0; n < streams; n++) {
    const fd = check(libc.accept4(listener, null, null, 0), 'accept4', `waiting for stream ${n + 1}`);
    withoutWaiting(fd);
    epollAdd(pollSet, fd, Epoll.in, fd);
  }
  let bytes = 0;
  let open = streams;
  let first = 0;
  let last = 0;
  const end = performance.now() + seconds * 1000;
  while (open > 0 && performance.now() < end) {
    const got = libc.epoll_wait(pollSet, events, EVENTS, POLL_MS);
    for (let n = 0; n < got; n++) {
      const fd = eventData(view, n * EPOLL_EVENT_SIZE);
      const length = libc.read(fd, chunk, CHUNK);
      if (length > 0) {
        last = performance.now();
        if (bytes === 0) first = last;
        bytes += length;
      } else {
        epollDelete(pollSet, fd);
        libc.close(fd);
        open--;
      }
    }
  }
  for (const fd of [pollSet, listener]) libc.close(fd);
  if (open > 0) throw new Error(`${open} of ${streams} TCP streams had not ended after ${seconds} s`);
  return { bytes, seconds: (last - first) / 1000 };
}
