/**
 * The C library's functions that the rest of sys calls, as thin as koffi makes them: they return -1 and never throw;
 * `errno()` is to be read right after. No policy, no retries. Loaded once per thread (each thread that imports
 * this module gets prototypes of its own, errno belongs to the thread).
 *
 * Hot-path functions take addresses as numbers (`addressOf`): no lookup of a buffer per call, and structures that
 * hold addresses of each other (iovec, msghdr) need numbers anyway. What they point at must be memory that never moves
 * and is kept alive by its owner: a WebAssembly.Memory of fixed size. The others take a Uint8Array (`Pointer`).
 */

import { endianness } from 'node:os';
import koffi, { type LibraryHandle } from 'koffi';

export { Errno, errnoName } from './errno.ts';

/** Memory handed to a call that is over when it returns; null for C's NULL. */
export type Pointer = Uint8Array | null;

interface Libc {
  // Hot path: buffers by address.
  read(fd: number, address: number, length: number): number;
  write(fd: number, address: number, length: number): number;
  readv(fd: number, iovecs: number, count: number): number;
  writev(fd: number, iovecs: number, count: number): number;
  sendmsg(fd: number, msghdr: number, flags: number): number;
  recvmsg(fd: number, msghdr: number, flags: number): number;
  sendmmsg(fd: number, mmsghdrs: number, count: number, flags: number): number;
  /** The fifth argument is the address of a timespec, 0 for none. */
  recvmmsg(fd: number, mmsghdrs: number, count: number, flags: number, timeout: number): number;
  /** Times are in milliseconds, -1 waits for ever. */
  epoll_wait(epoll: number, events: number, maxEvents: number, timeout: number): number;
  poll(pollfds: number, count: number, timeout: number): number;
  /** For what the C library has no function for. */
  syscall(number: number, a: number, b: number, c: number, d: number, e: number, f: number): number;
  // Set-up: buffers as Uint8Array.
  /** The address; all bits set when it failed. */
  mmap(address: null, length: number, protection: number, flags: number, fd: number, offset: number): bigint;
  munmap(address: bigint, length: number): number;
  open(path: string, flags: number, mode: number): number;
  close(fd: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  ioctl(fd: number, request: number, argument: Pointer): number;
  /** ioctl whose argument is a number rather than an address. */
  ioctlNumber(fd: number, request: number, argument: number): number;
  socket(family: number, type: number, protocol: number): number;
  socketpair(family: number, type: number, protocol: number, descriptors: Pointer): number;
  bind(fd: number, sockaddr: Pointer, length: number): number;
  connect(fd: number, sockaddr: Pointer, length: number): number;
  listen(fd: number, backlog: number): number;
  /** Address and length are null for who does not want to know the peer's. */
  accept4(fd: number, sockaddr: Pointer, length: Pointer, flags: number): number;
  /** `length` is a u32 both read and written. */
  getsockname(fd: number, sockaddr: Pointer, length: Pointer): number;
  setsockopt(fd: number, level: number, name: number, value: Pointer, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: Pointer, length: Pointer): number;
  send(fd: number, data: Pointer, length: number, flags: number): number;
  recv(fd: number, data: Pointer, length: number, flags: number): number;
  sendto(
    fd: number,
    data: Pointer,
    length: number,
    flags: number,
    sockaddr: Pointer,
    addressLength: number,
  ): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Pointer): number;
  eventfd(initial: number, flags: number): number;
  setns(fd: number, type: number): number;
  unshare(flags: number): number;
  if_nametoindex(name: string): number;
  /** `pid` 0 is the calling thread; `length` of the mask in bytes. */
  sched_setaffinity(pid: number, length: number, mask: Pointer): number;
  sched_yield(): number;
  /** Gives pages in which nothing is left back to the system, but for `left` bytes at the end; 1: there were some. */
  malloc_trim(left: number): number;
  /** `which` 0 and `who` 0: of this thread, as Linux has it. */
  setpriority(which: number, who: number, nice: number): number;
}

function load(): Libc {
  // ioctl numbers and structure layouts below and in the other modules hold for these two only.
  if ((process.arch !== 'x64' && process.arch !== 'arm64') || endianness() !== 'LE') {
    throw new Error(`weft runs on x86_64 and arm64, little-endian; this Node is built for ${process.arch}`);
  }
  let library: LibraryHandle;
  try {
    library = koffi.load('libc.so.6');
  } catch (cause) {
    throw new Error(
      'cannot load libc.so.6: weft needs the GNU C library (glibc). On Alpine and other musl systems, ' +
        'run it in an image based on glibc (Debian, Ubuntu, Fedora …)',
      { cause },
    );
  }
  const f = (definition: string) => library.func(definition);
  return {
    read: f('long read(int fd, uintptr_t address, size_t length)'),
    write: f('long write(int fd, uintptr_t address, size_t length)'),
    readv: f('long readv(int fd, uintptr_t iovecs, int count)'),
    writev: f('long writev(int fd, uintptr_t iovecs, int count)'),
    sendmsg: f('long sendmsg(int fd, uintptr_t msghdr, int flags)'),
    recvmsg: f('long recvmsg(int fd, uintptr_t msghdr, int flags)'),
    sendmmsg: f('int sendmmsg(int fd, uintptr_t mmsghdrs, unsigned int count, int flags)'),
    recvmmsg: f('int recvmmsg(int fd, uintptr_t mmsghdrs, unsigned int count, int flags, uintptr_t timeout)'),
    epoll_wait: f('int epoll_wait(int epoll, uintptr_t events, int maxEvents, int timeout)'),
    syscall: f('long syscall(long number, long a, long b, long c, long d, long e, long f)'),
    mmap: f('void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset)'),
    munmap: f('int munmap(void *address, size_t length)'),
    poll: f('int poll(uintptr_t pollfds, unsigned long count, int timeout)'),
    open: f('int open(const char *path, int flags, unsigned int mode)'),
    close: f('int close(int fd)'),
    fcntl: f('int fcntl(int fd, int command, long argument)'),
    ioctl: f('int ioctl(int fd, unsigned long request, void *argument)'),
    ioctlNumber: f('int ioctl(int fd, unsigned long request, unsigned long argument)'),
    socket: f('int socket(int family, int type, int protocol)'),
    socketpair: f('int socketpair(int family, int type, int protocol, void *descriptors)'),
    bind: f('int bind(int fd, void *sockaddr, unsigned int length)'),
    connect: f('int connect(int fd, void *sockaddr, unsigned int length)'),
    listen: f('int listen(int fd, int backlog)'),
    accept4: f('int accept4(int fd, void *sockaddr, void *length, int flags)'),
    getsockname: f('int getsockname(int fd, void *sockaddr, void *length)'),
    setsockopt: f('int setsockopt(int fd, int level, int name, void *value, unsigned int length)'),
    getsockopt: f('int getsockopt(int fd, int level, int name, void *value, void *length)'),
    send: f('long send(int fd, void *data, size_t length, int flags)'),
    recv: f('long recv(int fd, void *data, size_t length, int flags)'),
    sendto: f(
      'long sendto(int fd, void *data, size_t length, int flags, void *sockaddr, unsigned int addressLength)',
    ),
    epoll_create1: f('int epoll_create1(int flags)'),
    epoll_ctl: f('int epoll_ctl(int epoll, int operation, int fd, void *event)'),
    eventfd: f('int eventfd(unsigned int initial, int flags)'),
    setns: f('int setns(int fd, int type)'),
    unshare: f('int unshare(int flags)'),
    if_nametoindex: f('unsigned int if_nametoindex(const char *name)'),
    sched_setaffinity: f('int sched_setaffinity(int pid, size_t length, void *mask)'),
    malloc_trim: f('int malloc_trim(size_t left)'),
    sched_yield: f('int sched_yield()'),
    setpriority: f('int setpriority(int which, unsigned int who, int nice)'),
  };
}

export const libc: Libc = load();

/** The error number of this thread's last call; only meaningful directly after a call that returned -1. */
export function errno(): number {
  return koffi.errno();
}

/**
 * Address of the view's first byte. Keeps nothing alive: as long as the address is in use, the view must be reachable by
 * code that is still to run (`pin` sees to it for memory of the whole thread).
 */
export function addressOf(view: Uint8Array): number {
  return Number(koffi.address(view));
}

const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** A part of what a descriptor stands for, as memory. */
export interface Mapping {
  /** Not to be touched when it is unmapped. */
  readonly bytes: Uint8Array;
  unmap(): void;
}

/** Undefined when it failed: see errno. */
export function mapShared(fd: number, offset: number, length: number): Mapping | undefined {
  const address = libc.mmap(null, length, PROT_READ_WRITE, MAP_SHARED_POPULATE, fd, offset);
  if (address === MAP_FAILED) return undefined;
  return { bytes: new Uint8Array(koffi.view(address, length)), unmap: () => libc.munmap(address, length) };
}

const pinned: Uint8Array[] = [];

/**
 * Address of memory that stays for as long as the thread does. A variable of a module is no such hold: the compiler drops
 * it after its last use, and the kernel then writes into whatever took the place.
 */
export function pin(view: Uint8Array): number {
  pinned.push(view);
  return addressOf(view);
}

/** Flags of open(2), socket(2) and the like that have the same value on both architectures. */
export const O_RDONLY = 0;
export const O_RDWR = 0o2;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
