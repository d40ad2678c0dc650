// What a worker waits for: the queues of its ports, its underlay sockets and the eventfd by which control wakes it.
// Control adds descriptors from its own thread; the worker only waits, and lets go of a descriptor whose device died.

import { EPOLL_EVENT_SIZE, Epoll, epollAdd, epollCreate, epollDelete, eventData } from '../../sys/epoll.ts';
import { drain } from '../../sys/eventfd.ts';
import { addressOf, libc } from '../../sys/libc.ts';

const EVENTS = 64;

/** What became readable: a port (by id), a receiver (by index) or the wake-up. */
export const Source = { port: 0, receiver: 1, wake: 2 } as const;
const SHIFT = 24;

export const tag = (source: number, id: number): number => (source << SHIFT) | id;
export const tagSource = (value: number): number => value >>> SHIFT;
export const tagId = (value: number): number => value & ((1 << SHIFT) - 1);

export const createPollSet = epollCreate;

/** Adds a descriptor, from any thread. */
export const watch = (pollSet: number, fd: number, source: number, id: number): void =>
  epollAdd(pollSet, fd, Epoll.in, tag(source, id));

export const unwatch = (pollSet: number, fd: number): void => epollDelete(pollSet, fd);

export class Poller {
  readonly #pollSet: number;
  readonly #view: DataView;
  readonly #address: number;

  constructor(pollSet: number) {
    this.#pollSet = pollSet;
    const events = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer);
    this.#view = new DataView(events.buffer);
    this.#address = addressOf(events);
  }

  /** Number of readable descriptors, 0 after `milliseconds` without any. */
  wait(milliseconds: number): number {
    return Math.max(0, libc.epoll_wait(this.#pollSet, this.#address, EVENTS, milliseconds));
  }

  /** Tag of the n-th of them. */
  tag(n: number): number {
    return eventData(this.#view, n * EPOLL_EVENT_SIZE);
  }

  /** Stops waiting for a descriptor whose device is gone: it would be readable for ever. */
  forget(fd: number): void {
    epollDelete(this.#pollSet, fd);
  }

  /** Makes the wake-up wait for the next signal. */
  clearWake(wake: number): void {
    drain(wake);
  }
}
