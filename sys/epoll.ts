/**
 * epoll(7): which descriptors a thread waits for. Waiting itself is `libc.epoll_wait` into memory of the caller,
 * whose events are read with `eventMask` and `eventData`. Never owns the descriptors that it watches.
 *
 *   struct epoll_event { u32 events; u64 data }, packed on x86_64 (12 bytes) and nowhere else (16 bytes)
 */
import { check, type Remedies } from './errors.ts';
import { libc, O_CLOEXEC } from './libc.ts';

const PACKED = process.arch === 'x64';
/** Bytes from one event to the next in the array that epoll_wait fills. */
export const EPOLL_EVENT_SIZE = PACKED ? 12 : 16;
/** Where `data` is inside an event. */
export const EPOLL_DATA_OFFSET = PACKED ? 4 : 8;

export const Epoll = {
  in: 0x001,
  out: 0x004,
  error: 0x008,
  hangUp: 0x010,
  readHangUp: 0x2000,
  exclusive: 0x10000000,
  oneShot: 0x40000000,
  edgeTriggered: 0x80000000,
} as const;

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

const REMEDIES: Remedies = {
  ENOSPC: 'raise /proc/sys/fs/epoll/max_user_watches',
  EPERM: 'this kind of file cannot be waited for',
  EMFILE: 'raise the limit of open files (ulimit -n, LimitNOFILE=)',
};

const event = new Uint8Array(EPOLL_EVENT_SIZE);
const eventView = new DataView(event.buffer);

export function epollCreate(): number {
  return check(libc.epoll_create1(O_CLOEXEC), 'epoll_create1', 'creating an epoll instance', REMEDIES);
}

/** Watches `fd` for `events` (Epoll.*); `data` (unsigned 32 bits) comes back with each event. */
export function epollAdd(epoll: number, fd: number, events: number, data: number): void {
  control(epoll, EPOLL_CTL_ADD, fd, events, data, 'adding');
}

export function epollModify(epoll: number, fd: number, events: number, data: number): void {
  control(epoll, EPOLL_CTL_MOD, fd, events, data, 'changing');
}

/** Stops watching `fd`; to be called before it is closed, for a duplicate elsewhere would keep it watched. */
export function epollDelete(epoll: number, fd: number): void {
  control(epoll, EPOLL_CTL_DEL, fd, 0, 0, 'removing');
}

/** What happened (Epoll.*), of the event at `offset`. */
export function eventMask(view: DataView, offset: number): number {
  return view.getUint32(offset, true);
}

/** What was given to `epollAdd`. */
export function eventData(view: DataView, offset: number): number {
  return view.getUint32(offset + EPOLL_DATA_OFFSET, true);
}

function control(epoll: number, operation: number, fd: number, events: number, data: number, verb: string) {
  event.fill(0);
  eventView.setUint32(0, events, true);
  eventView.setUint32(EPOLL_DATA_OFFSET, data, true);
  check(
    libc.epoll_ctl(epoll, operation, fd, event),
    'epoll_ctl',
    `${verb} descriptor ${fd} to epoll ${epoll}`,
    REMEDIES,
  );
}
