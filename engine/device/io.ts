// The system calls of the data path, as one narrow port: the engine lays out iovecs and messages in its own
// memory and hands over addresses. The real one calls the kernel; memory devices (tests, replay) read the same layout.

export interface PacketIo {
  /** Bytes read into `address`, or minus errno. */
  read(fd: number, address: number, length: number): number;
  /** Reads of several packets, into buffers of `length` bytes at `addresses`. */
  reads(addresses: readonly number[], length: number): PacketReads;
  /** Bytes written from `count` iovecs at `address`, or minus errno. */
  writev(fd: number, address: number, count: number): number;
  /** Messages sent of `count` mmsghdrs at `address`, or minus errno of the first. Never blocks. */
  sendmmsg(fd: number, address: number, count: number): number;
  /** Messages received into `count` mmsghdrs at `address`, or minus errno. Never blocks. */
  recvmmsg(fd: number, address: number, count: number): number;
  /** Waits until `fd` takes data again, at most `milliseconds`. */
  waitWritable(fd: number, milliseconds: number): void;
}

/** Several reads by one system call, each into its own buffer; see sys/io-uring.ts. */
export interface PacketReads {
  /**
   * Tries to read `count` times from `fd`, the n-th time into buffer `first` + n.
   * @returns 0, or minus errno of the call as a whole
   */
  read(fd: number, first: number, count: number): number;
  /** Of each buffer, what the last read into it came to: bytes, or minus errno. */
  readonly results: Int32Array;
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
