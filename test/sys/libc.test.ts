import { getSystemErrorMap } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { SysError } from '../../sys/errors.ts';
import { addressOf, Errno, errno, errnoName, libc } from '../../sys/libc.ts';
import { makeMemory } from './support.ts';

describe('errno', () => {
  test('has the names that Node knows for the same numbers', () => {
    for (const [number, [name]] of getSystemErrorMap()) {
      // Node has numbers of its own below -3000, and its own names for two.
      if (number > -200 && errnoName(-number) !== name) expect([95, 108]).toContain(-number);
    }
    for (const [name, number] of Object.entries(Errno)) expect(errnoName(number)).toBe(name);
    expect(errnoName(77)).toBe('EBADFD');
    expect(errnoName(133)).toBe('EHWPOISON');
    expect(errnoName(41)).toBe('errno 41');
    expect(errnoName(524)).toBe('errno 524');
  });

  test('is of the last call', () => {
    expect(libc.close(-1)).toBe(-1);
    expect(errno()).toBe(Errno.EBADF);
    expect(libc.open('/no/such/file', 0, 0)).toBe(-1);
    expect(errno()).toBe(Errno.ENOENT);
  });
});

test('an error carries call, name, number and what was being done', () => {
  const error = new SysError('bind', 98, 'opening a UDP socket on 10.0.0.1:4789', 'stop the other one');
  expect(error).toMatchObject({
    name: 'SysError',
    call: 'bind',
    code: 'EADDRINUSE',
    errno: 98,
    doing: 'opening a UDP socket on 10.0.0.1:4789',
  });
  expect(error.message).toBe(
    'opening a UDP socket on 10.0.0.1:4789: bind failed with EADDRINUSE (address already in use); stop the other one',
  );
  expect(error).toBeInstanceOf(Error);
  expect(new SysError('x', 524, 'doing').message).toBe('doing: x failed with errno 524');
});

test('addresses are numbers that hold for the memory at hand', () => {
  const memory = makeMemory(65536);
  expect(addressOf(memory.bytes.subarray(100))).toBe(memory.base + 100);
  const zero = libc.open('/dev/zero', 0, 0);
  memory.bytes.fill(1, 0, 64);
  expect(libc.read(zero, memory.base + 16, 32)).toBe(32);
  expect([...memory.bytes.subarray(14, 18)]).toEqual([1, 1, 0, 0]);
  expect([...memory.bytes.subarray(46, 50)]).toEqual([0, 0, 1, 1]);
  // Two iovecs, the second before the first in memory.
  memory.bytes.fill(1, 0, 64);
  memory.view.setBigUint64(1024, BigInt(memory.base + 40), true);
  memory.view.setBigUint64(1032, 2n, true);
  memory.view.setBigUint64(1040, BigInt(memory.base + 20), true);
  memory.view.setBigUint64(1048, 3n, true);
  expect(libc.readv(zero, memory.base + 1024, 2)).toBe(5);
  expect([...memory.bytes.subarray(19, 24)]).toEqual([1, 0, 0, 0, 1]);
  expect([...memory.bytes.subarray(39, 43)]).toEqual([1, 0, 0, 1]);
  const empty = libc.open('/dev/null', 1, 0);
  expect(libc.writev(empty, memory.base + 1024, 2)).toBe(5);
  expect(libc.write(empty, memory.base, 7)).toBe(7);
  for (const fd of [zero, empty]) libc.close(fd);
});

describe('on a system that cannot run it', () => {
  const { arch } = process;

  afterEach(() => {
    Object.defineProperty(process, 'arch', { value: arch });
    vi.doUnmock('koffi');
    vi.resetModules();
  });

  test('musl: the error names glibc', async () => {
    vi.resetModules();
    vi.doMock('koffi', () => ({
      default: {
        load() {
          throw new Error('libc.so.6: cannot open shared object file');
        },
      },
    }));
    await expect(import('../../sys/libc.ts')).rejects.toThrow(/needs the GNU C library \(glibc\).*Alpine/);
  });

  test('another architecture is refused before anything is loaded', async () => {
    vi.resetModules();
    Object.defineProperty(process, 'arch', { value: 's390x' });
    await expect(import('../../sys/libc.ts')).rejects.toThrow(/x86_64 and arm64.*s390x/);
  });

  test('arm64 does not pack epoll_event', async () => {
    vi.resetModules();
    Object.defineProperty(process, 'arch', { value: 'arm64' });
    const { EPOLL_EVENT_SIZE, EPOLL_DATA_OFFSET } = await import('../../sys/epoll.ts');
    expect([EPOLL_EVENT_SIZE, EPOLL_DATA_OFFSET]).toEqual([16, 8]);
  });
});
