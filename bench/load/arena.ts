/**
 * Memory of a load process with a fixed address for the kernel: messages, their iovecs and their payloads, laid out once.
 */
import { addressOf } from '../../sys/libc.ts';
import { IOVEC_SIZE, MMSGHDR_SIZE, setIovec, setMsghdr } from '../../sys/mmsg.ts';

export interface Arena {
  readonly u8: Uint8Array;
  readonly view: DataView;
  /** Address of message 0 of the mmsghdr array. */
  readonly messages: number;
  /** Offset of the payload of message `m` in `view`. */
  payload(m: number): number;
}

const PAGE = 65536;

/** `count` messages of one buffer of `bytes` each, without name and control messages: for connected or bound sockets. */
export function messageArena(count: number, bytes: number): Arena {
  const stride = (bytes + 63) & ~63;
  const iovecs = count * MMSGHDR_SIZE;
  const payloads = iovecs + count * IOVEC_SIZE;
  const pages = Math.ceil((payloads + count * stride) / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const u8 = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  const base = addressOf(u8);
  const payload = (m: number) => payloads + m * stride;
  for (let m = 0; m < count; m++) {
    const iovec = iovecs + m * IOVEC_SIZE;
    setIovec(view, iovec, base + payload(m), bytes);
    setMsghdr(view, m * MMSGHDR_SIZE, 0, 0, base + iovec, 1, 0, 0);
  }
  return { u8, view, messages: base, payload };
}
