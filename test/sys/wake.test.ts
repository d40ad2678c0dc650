import { describe, expect, test } from 'vitest';
import { receiveDescriptors, sendDescriptors, socketPair } from '../../sys/descriptors.ts';
import {
  EPOLL_EVENT_SIZE,
  Epoll,
  epollAdd,
  epollCreate,
  epollDelete,
  epollModify,
  eventData,
  eventMask,
} from '../../sys/epoll.ts';
import * as eventfd from '../../sys/eventfd.ts';
import { Errno, errno, libc } from '../../sys/libc.ts';
import { watchReadable } from '../../sys/watch.ts';
import { makeMemory, sysErrorOf } from './support.ts';

describe('epoll and eventfd', () => {
  test('a signal wakes, a drain ends it, and each descriptor comes with its data', () => {
    const memory = makeMemory(64 * EPOLL_EVENT_SIZE);
    const epoll = epollCreate();
    const [a, b] = [eventfd.create(), eventfd.create()];
    epollAdd(epoll, a, Epoll.in, 0xdeadbeef);
    epollAdd(epoll, b, Epoll.in | Epoll.edgeTriggered, 7);
    const wait = () => libc.epoll_wait(epoll, memory.base, 64, 0);
    expect(wait()).toBe(0);
    eventfd.signal(b);
    eventfd.signal(a);
    eventfd.signal(a);
    expect(wait()).toBe(2);
    const events = [0, 1].map((i) => [
      eventData(memory.view, i * EPOLL_EVENT_SIZE),
      eventMask(memory.view, i * EPOLL_EVENT_SIZE),
    ]);
    expect(events).toEqual(
      expect.arrayContaining([
        [0xdeadbeef, Epoll.in],
        [7, Epoll.in],
      ]),
    );
    expect(eventfd.drain(a)).toBe(true);
    expect(eventfd.drain(a)).toBe(false);
    expect(wait()).toBe(0);

    epollModify(epoll, b, Epoll.in, 9);
    expect(wait()).toBe(1);
    expect(eventData(memory.view, 0)).toBe(9);
    epollDelete(epoll, b);
    expect(wait()).toBe(0);
    for (const fd of [a, b, epoll]) libc.close(fd);
  });

  test('misuse is explained', () => {
    const epoll = epollCreate();
    const fd = eventfd.create();
    epollAdd(epoll, fd, Epoll.in, 0);
    expect(sysErrorOf(() => epollAdd(epoll, fd, Epoll.in, 0))).toMatchObject({
      code: 'EEXIST',
      call: 'epoll_ctl',
    });
    epollDelete(epoll, fd);
    expect(sysErrorOf(() => epollDelete(epoll, fd)).code).toBe('ENOENT');
    const file = libc.open('/etc/hostname', 0, 0);
    expect(sysErrorOf(() => epollAdd(epoll, file, Epoll.in, 0)).message).toMatch(
      /EPERM.*cannot be waited for/,
    );
    for (const open of [file, fd, epoll]) libc.close(open);
    expect(sysErrorOf(() => eventfd.signal(fd)).doing).toBe(`signalling eventfd ${fd}`);
    expect(sysErrorOf(() => eventfd.drain(fd)).code).toBe('EBADF');
  });
});

describe('watching in the event loop', () => {
  test('calls back whenever readable until closed, where promises run', async () => {
    const fd = eventfd.create();
    let calls = 0;
    let resolve: () => void = () => {};
    const watch = watchReadable(fd, () => {
      eventfd.drain(fd);
      calls++;
      Promise.resolve().then(resolve);
    });
    for (let i = 1; i <= 3; i++) {
      const called = new Promise<void>((done) => {
        resolve = done;
      });
      eventfd.signal(fd);
      await called;
      expect(calls).toBe(i);
    }
    watch.close();
    eventfd.signal(fd);
    // The loop has looked at all descriptors once another one, signalled later, has been called back.
    const other = eventfd.create();
    await new Promise<void>((done) => {
      const second = watchReadable(other, () => {
        second.close();
        done();
      });
      eventfd.signal(other);
    });
    expect(calls).toBe(3);
    libc.close(other);
    libc.close(fd);
  });
});

describe('passing descriptors', () => {
  test('what arrives is the same open file, close-on-exec', () => {
    const [left, right] = socketPair();
    const fds = [eventfd.create(), eventfd.create()];
    sendDescriptors(left, new TextEncoder().encode('take these'), fds);
    for (const fd of fds) eventfd.signal(fd);
    const { data, descriptors } = receiveDescriptors(right);
    expect(new TextDecoder().decode(data)).toBe('take these');
    expect(descriptors).toHaveLength(2);
    expect(descriptors.some((fd) => fds.includes(fd))).toBe(false);
    for (const fd of fds) libc.close(fd);
    expect(descriptors.map(eventfd.drain)).toEqual([true, true]);
    const F_GETFD = 1;
    expect(descriptors.map((fd) => libc.fcntl(fd, F_GETFD, 0))).toEqual([1, 1]);
    for (const fd of [...descriptors, left, right]) libc.close(fd);
  });

  test('as many as the kernel carries, and none', () => {
    const [left, right] = socketPair();
    const fd = eventfd.create();
    sendDescriptors(left, Uint8Array.of(1), new Array<number>(253).fill(fd));
    const received = receiveDescriptors(right).descriptors;
    expect(new Set(received).size).toBe(253);
    for (const open of received) libc.close(open);
    sendDescriptors(right, Uint8Array.of(9, 8), []);
    expect(receiveDescriptors(left)).toEqual({ data: Uint8Array.of(9, 8), descriptors: [] });
    expect(() => sendDescriptors(left, Uint8Array.of(1), new Array<number>(254).fill(fd))).toThrow(
      RangeError,
    );
    expect(() => sendDescriptors(left, new Uint8Array(0), [fd])).toThrow(RangeError);
    expect(sysErrorOf(() => sendDescriptors(left, Uint8Array.of(1), [99999])).message).toMatch(
      /EBADF.*not open/,
    );
    libc.close(right);
    expect(sysErrorOf(() => sendDescriptors(left, Uint8Array.of(1), [fd])).code).toBe('EPIPE');
    libc.close(left);
    libc.close(fd);
  });

  test('a closed end reads as empty', () => {
    const [left, right] = socketPair();
    libc.close(left);
    expect(receiveDescriptors(right)).toEqual({ data: new Uint8Array(0), descriptors: [] });
    libc.close(right);
    const buffer = new Uint8Array(1);
    expect(libc.recv(right, buffer, 1, 0)).toBe(-1);
    expect(errno()).toBe(Errno.EBADF);
  });
});
