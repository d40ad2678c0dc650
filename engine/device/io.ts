// The four system calls of the data path, as one narrow port: the engine lays out iovecs and messages in its own
// memory and hands over addresses. The real one calls the kernel; memory devices (tests, replay) read the same layout.

export interface PacketIo {
  /** Bytes read into `address`, or minus errno. */
  read(fd: number, address: number, length: number): number;
  /** Bytes written from `count` iovecs at `address`, or minus errno. */
  writev(fd: number, address: number, count: number): number;
  /** Messages sent of `count` mmsghdrs at `address`, or minus errno of the first. Never blocks. */
  sendmmsg(fd: number, address: number, count: number): number;
  /** Messages received into `count` mmsghdrs at `address`, or minus errno. Never blocks. */
  recvmmsg(fd: number, address: number, count: number): number;
  /** Waits until `fd` takes data again, at most `milliseconds`. */
  waitWritable(fd: number, milliseconds: number): void;
}

/** Error numbers that the data path tells apart (Linux, asm-generic). */
export const Errno = {
  EIO: 5,
  EAGAIN: 11,
  EINVAL: 22,
  EBADF: 9,
  EFAULT: 14,
  EBADFD: 77,
  EMSGSIZE: 90,
  ENOBUFS: 105,
} as const;
