/**
 * Layout of what sendmmsg(2) and recvmmsg(2) read and write, for callers that build it in memory of their own.
 * 64-bit little-endian Linux (x86_64 and arm64 alike). Functions are over (view, offset) as for packet headers, and
 * allocate nothing.
 *
 *   struct iovec     0 u64 base   8 u64 length
 *   struct msghdr    0 u64 name   8 u32 name length   16 u64 iovecs   24 u64 number of iovecs
 *                   32 u64 control   40 u64 control length   48 i32 flags
 *   struct mmsghdr   0 msghdr    56 u32 length sent or received
 *   struct cmsghdr   0 u64 length with this header   8 i32 level   12 i32 type   16 data, next one aligned to 8
 */

export const IOVEC_SIZE = 16;
export const MMSGHDR_SIZE = 64;
export const CMSGHDR_SIZE = 16;

const HIGH = 4294967296;

/** Flags of send and receive calls, and those that come back in a msghdr. */
export const MessageFlag = {
  peek: 0x02,
  /** Received: the control messages did not fit. */
  controlTruncated: 0x08,
  /** Received: the datagram was longer than the buffers. As argument: return its real length. */
  truncated: 0x20,
  dontWait: 0x40,
  noSignal: 0x4000,
  /** recvmmsg: block for the first message only. */
  waitForOne: 0x10000,
  closeOnExec: 0x40000000,
} as const;

/** Writes a non-negative safe integer (an address, a size_t) as u64. */
export function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % HIGH, true);
  view.setUint32(offset + 4, value / HIGH, true);
}

/** Reads a u64 below 2^53. */
export function getU64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * HIGH;
}

export function setIovec(view: DataView, offset: number, base: number, length: number): void {
  setU64(view, offset, base);
  setU64(view, offset + 8, length);
}

/** All addresses are absolute (0 for none), lengths in bytes, of an msghdr or the one that begins an mmsghdr. */
export function setMsghdr(
  view: DataView,
  offset: number,
  name: number,
  nameLength: number,
  iovecs: number,
  iovecCount: number,
  control: number,
  controlLength: number,
): void {
  setU64(view, offset, name);
  setU64(view, offset + 8, nameLength);
  setU64(view, offset + 16, iovecs);
  setU64(view, offset + 24, iovecCount);
  setU64(view, offset + 32, control);
  setU64(view, offset + 40, controlLength);
  setU64(view, offset + 48, 0);
}

/** recvmsg overwrites the name's and control's length with what it used: reset them before each call. */
export function setNameLength(view: DataView, offset: number, length: number): void {
  view.setUint32(offset + 8, length, true);
}

export function nameLength(view: DataView, offset: number): number {
  return view.getUint32(offset + 8, true);
}

export function setControlLength(view: DataView, offset: number, length: number): void {
  view.setUint32(offset + 40, length, true);
}

export function controlLength(view: DataView, offset: number): number {
  return view.getUint32(offset + 40, true);
}

/** MessageFlag bits of a received message. */
export function messageFlags(view: DataView, offset: number): number {
  return view.getInt32(offset + 48, true);
}

/** Bytes sent or received, of an mmsghdr. */
export function messageLength(view: DataView, offset: number): number {
  return view.getUint32(offset + 56, true);
}

/** Room that a control message with `length` bytes of data takes (CMSG_SPACE). */
export function controlSpace(length: number): number {
  return CMSGHDR_SIZE + ((length + 7) & ~7);
}

/** Writes the header of a control message and returns where its data goes. */
export function setControlHeader(
  view: DataView,
  offset: number,
  level: number,
  type: number,
  length: number,
): number {
  setU64(view, offset, CMSGHDR_SIZE + length);
  view.setInt32(offset + 8, level, true);
  view.setInt32(offset + 12, type, true);
  return offset + CMSGHDR_SIZE;
}

/**
 * Where the data of the control message of `level` and `type` begins, -1 when it is not among those from `offset`
 * on. `length` is the msghdr's control length.
 */
export function findControl(
  view: DataView,
  offset: number,
  length: number,
  level: number,
  type: number,
): number {
  const end = offset + length;
  for (let at = offset; at + CMSGHDR_SIZE <= end; ) {
    const size = view.getUint32(at, true);
    if (size < CMSGHDR_SIZE) return -1;
    if (view.getInt32(at + 8, true) === level && view.getInt32(at + 12, true) === type)
      return at + CMSGHDR_SIZE;
    at += (size + 7) & ~7;
  }
  return -1;
}
