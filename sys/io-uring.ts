/**
 * io_uring, of which one thing is used: several reads by one system call. The reads go to buffers that stay where they are,
 * so that their submission entries are written once. Nothing waits in the ring: each read ends within the call, with its
 * packet or with EAGAIN (RWF_NOWAIT), in the order of the buffers.
 *
 * Source: io_uring_setup(2), io_uring_enter(2); layouts: include/uapi/linux/io_uring.h. Needs Linux 5.11 for TUN queues
 * (which until then do not know RWF_NOWAIT), and that neither a seccomp filter nor kernel.io_uring_disabled forbids it.
 */
import { check, lastError, type Remedies, SysError } from './errors.ts';
import { addressOf, Errno, errno, errnoName, libc, mapShared } from './libc.ts';

/** The same on x86_64 and arm64. */
const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;

const FEATURE_SINGLE_MMAP = 1;
const OFFSET_RINGS = 0;
const OFFSET_ENTRIES = 0x10000000;
const OP_READ = 22;
const RWF_NOWAIT = 8;
const SQE_SIZE = 64;
const CQE_SIZE = 16;
/** struct io_uring_params, and where the kernel says in it what lies where. */
const PARAMS_SIZE = 120;
const Param = {
  sqEntries: 0,
  cqEntries: 4,
  features: 20,
  sqHead: 40,
  sqTail: 44,
  sqMask: 48,
  sqArray: 64,
  cqHead: 80,
  cqTail: 84,
  cqMask: 88,
  cqes: 100,
} as const;

const REMEDIES: Remedies = {
  ENOSYS: 'the kernel has no io_uring, or a seccomp filter hides it',
  EPERM: 'kernel.io_uring_disabled or a seccomp filter forbids it',
  ENOMEM: 'raise the limit of locked memory (ulimit -l, LimitMEMLOCK=)',
};

export interface ReadRing {
  /**
   * Tries to read `count` times from `fd`, the n-th time into buffer `first` + n. What came of each is in `results`.
   * @returns 0, or minus errno of the call as a whole: nothing was read
   */
  read(fd: number, first: number, count: number): number;
  /** Of each buffer, what the last read into it came to: bytes, or minus errno. */
  readonly results: Int32Array;
  close(): void;
}

/**
 * @param addresses of the buffers, each with room for `length` bytes: memory that never moves and is kept alive by its owner
 * @throws SysError when there is no io_uring to be had
 */
export function createReadRing(addresses: readonly number[], length: number): ReadRing {
  const doing = 'making a ring of reads (io_uring)';
  const params = new Uint8Array(PARAMS_SIZE);
  const undo: (() => void)[] = [];
  const close = () => {
    for (const each of undo.splice(0)) each();
  };
  const setup = libc.syscall(SYS_IO_URING_SETUP, addresses.length, addressOf(params), 0, 0, 0, 0);
  const ring = check(setup, 'io_uring_setup', doing, REMEDIES);
  const view = new DataView(params.buffer);
  const param = (at: number) => view.getUint32(at, true);
  const ringBytes = Math.max(
    param(Param.sqArray) + param(Param.sqEntries) * 4,
    param(Param.cqes) + param(Param.cqEntries) * CQE_SIZE,
  );
  undo.push(() => libc.close(ring));
  const map = (offset: number, bytes: number): Uint8Array => {
    const mapping = mapShared(ring, offset, bytes);
    if (!mapping) throw lastError('mmap', doing, REMEDIES);
    undo.push(() => mapping.unmap());
    return mapping.bytes;
  };
  try {
    if ((param(Param.features) & FEATURE_SINGLE_MMAP) === 0) {
      throw new SysError('io_uring_setup', Errno.ENOSYS, doing, 'needs Linux 5.4');
    }
    const rings = map(OFFSET_RINGS, ringBytes);
    const entries = map(OFFSET_ENTRIES, param(Param.sqEntries) * SQE_SIZE);
    prepare(entries, addresses, length);
    return { ...reader(ring, rings, entries, param, addresses.length), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Why there can be no ring of reads from the TUN queue `fd`; undefined when there can. Takes nothing from it. */
export function readRingProblem(fd: number): string | undefined {
  let ring: ReadRing | undefined;
  try {
    ring = createReadRing([addressOf(new Uint8Array(8))], 0);
    const failed = ring.read(fd, 0, 1) || ring.results[0];
    if (failed < 0 && failed !== -Errno.EAGAIN)
      return `io_uring does not read TUN queues here: ${errnoName(-failed)}`;
    return undefined;
  } catch (error) {
    if (error instanceof SysError) return error.message;
    throw error;
  } finally {
    ring?.close();
  }
}

/** Writes all that is the same whenever an entry is submitted. */
function prepare(entries: Uint8Array, addresses: readonly number[], length: number): void {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  for (const [n, address] of addresses.entries()) {
    const at = n * SQE_SIZE;
    view.setUint8(at, OP_READ);
    view.setBigInt64(at + 8, -1n, true); // at no position
    view.setBigUint64(at + 16, BigInt(address), true);
    view.setUint32(at + 24, length, true);
    view.setUint32(at + 28, RWF_NOWAIT, true);
    view.setUint32(at + 32, n, true); // what its completion says of it
  }
}

function reader(
  ring: number,
  rings: Uint8Array,
  entries: Uint8Array,
  param: (at: number) => number,
  buffers: number,
): Omit<ReadRing, 'close'> {
  const words = new Int32Array(rings.buffer, rings.byteOffset, rings.byteLength >> 2);
  const entryWords = new Int32Array(entries.buffer, entries.byteOffset, entries.byteLength >> 2);
  const at = (name: keyof typeof Param): number => param(Param[name]) >> 2;
  const [sqHead, sqTail, sqArray, sqMask] = [at('sqHead'), at('sqTail'), at('sqArray'), words[at('sqMask')]];
  const [cqHead, cqTail, cqes, cqMask] = [at('cqHead'), at('cqTail'), at('cqes'), words[at('cqMask')]];
  const results = new Int32Array(buffers);
  let aimed = -1;
  const aim = (fd: number) => {
    for (let n = 0; n < buffers; n++) entryWords[n * (SQE_SIZE >> 2) + 1] = fd;
    aimed = fd;
  };
  aim(-1);
  return {
    results,
    // The kernel looks at the rings within the call only, in this thread: plain loads and stores are in order for it.
    read(fd, first, count) {
      if (fd !== aimed) aim(fd);
      const tail = words[sqTail];
      for (let n = 0; n < count; n++) words[sqArray + ((tail + n) & sqMask)] = first + n;
      words[sqTail] = tail + count;
      const submitted = libc.syscall(SYS_IO_URING_ENTER, ring, count, 0, 0, 0, 0);
      const failed = submitted < 0 ? -errno() : 0;
      if (submitted !== count) {
        // Out of memory: what was not taken must not be later.
        words[sqTail] = words[sqHead];
        for (let n = first + Math.max(0, submitted); n < first + count; n++) results[n] = -Errno.EAGAIN;
      }
      const end = words[cqTail];
      for (let head = words[cqHead]; head !== end; head = (head + 1) | 0) {
        const completion = cqes + (head & cqMask) * (CQE_SIZE >> 2);
        results[words[completion]] = words[completion + 2];
      }
      words[cqHead] = end;
      return failed;
    },
  };
}
