// PacketIo on the kernel: the data path's system calls through koffi, by address. No policy, no memory of packets.

import { createReadRing, type ReadRing } from '../../sys/io-uring.ts';
import { addressOf, errno, libc } from '../../sys/libc.ts';
import { MessageFlag } from '../../sys/mmsg.ts';
import type { PacketIo } from './io.ts';

const POLL_OUT = 0x4;

/** The system calls of the calling thread; one object a worker keeps its call sites monomorphic. */
export const createKernelIo = (): PacketIo & { close(): void } => {
  const rings: ReadRing[] = [];
  const pollfd = new Int32Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer, 0, 2);
  const pollAddress = addressOf(new Uint8Array(pollfd.buffer));
  const result = (value: number): number => (value < 0 ? -errno() : value);
  return {
    read: (fd, address, length) => result(libc.read(fd, address, length)),
    reads: (addresses, length) => {
      const ring = createReadRing(addresses, length);
      rings.push(ring);
      return ring;
    },
    writev: (fd, address, count) => result(libc.writev(fd, address, count)),
    sendmmsg: (fd, address, count) => result(libc.sendmmsg(fd, address, count, MessageFlag.dontWait)),
    recvmmsg: (fd, address, count) => result(libc.recvmmsg(fd, address, count, MessageFlag.dontWait, 0)),
    waitWritable: (fd, milliseconds) => {
      pollfd[0] = fd;
      pollfd[1] = POLL_OUT;
      libc.poll(pollAddress, 1, milliseconds);
    },
    close: () => {
      for (const ring of rings) ring.close();
    },
  };
};

export { addressOf };
