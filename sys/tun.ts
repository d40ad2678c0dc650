/**
 * TUN devices: opening queues, offloads, persistence. Knows no packets; reading and writing is done by whoever holds
 * the descriptor. Source: Linux Documentation/networking/tuntap.rst, include/uapi/linux/if_tun.h.
 *
 * A TUN device belongs to the network namespace in which its queue was opened (`inNamespace`), and keeps its
 * descriptors when it is moved to another one. When its namespace dies, the descriptor polls readable and reads EBADFD.
 */
import { check, lastError, type Remedies, SysError } from './errors.ts';
import { Errno, errno, libc, O_CLOEXEC, O_NONBLOCK, O_RDWR } from './libc.ts';

const DEVICE = '/dev/net/tun';
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNGETFEATURES = 0x800454cf;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;

const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;

/** sizeof(struct virtio_net_hdr): what precedes each packet of a queue with `vnetHeader`. */
export const VNET_HEADER_SIZE = 10;
/** sizeof(struct virtio_net_hdr_v1_hash_tunnel): says where the headers inside a tunnel are. */
export const VNET_TUNNEL_HEADER_SIZE = 24;
/** Longest interface name in bytes (IFNAMSIZ less the terminator). */
export const INTERFACE_NAME_MAX = 15;

const STRUCT_IFREQ_SIZE = 40;
const IFREQ_FLAGS_OFFSET = 16;

/** What the engine is able to take over from the kernel: arguments of TUNSETOFFLOAD. */
export const TunOffload = {
  /** Checksums left to complete (VIRTIO_NET_HDR_F_NEEDS_CSUM); everything else requires it. */
  checksum: 0x01,
  tso4: 0x02,
  tso6: 0x04,
  /** Segments of which the first may carry CWR. */
  tsoEcn: 0x08,
  /** UDP segmentation (kernel 6.2); the kernel takes uso4 and uso6 only together. */
  uso4: 0x20,
  uso6: 0x40,
  /** TCP inside a UDP tunnel (kernel 6.17), with a header of VNET_TUNNEL_HEADER_SIZE; outer UDP checksums too. */
  udpTunnel: 0x80,
  udpTunnelChecksum: 0x100,
} as const;

export interface TunQueueOptions {
  /** 1 to 15 bytes. A pattern such as 'wt%d' lets the kernel number the device, unless `device` is 'existing'. */
  readonly name: string;
  /** 'existing': fail with ENODEV rather than make a new device; 'new': fail with EBUSY when there is one. Default 'any'. */
  readonly device?: 'any' | 'new' | 'existing';
  /** Several descriptors, one queue each (up to 256). Has to be the same for every opening of the device. Default true. */
  readonly multiQueue?: boolean;
  /** Packets preceded by a virtio_net_hdr of 10 bytes, little-endian. Default true. */
  readonly vnetHeader?: boolean;
  /** Default true. */
  readonly nonBlocking?: boolean;
  /** 'tun' carries IP packets, 'tap' Ethernet frames. Default 'tun'. */
  readonly layer?: 'tun' | 'tap';
}

export interface TunQueue {
  readonly fd: number;
  readonly name: string;
}

const OPEN_REMEDIES: Remedies = {
  ENOENT: `load the driver (modprobe tun); in a container, give it the device (--device ${DEVICE})`,
  ENODEV: 'the kernel has no TUN driver: modprobe tun',
  ENXIO: 'the kernel has no TUN driver: modprobe tun',
  EACCES: `give this user access to ${DEVICE}; in a container, run it with --device ${DEVICE}`,
  EPERM: `the device cgroup forbids it: run the container with --device ${DEVICE}`,
  EMFILE: 'raise the limit of open files (ulimit -n, LimitNOFILE=)',
};

const ATTACH_REMEDIES: Remedies = {
  EPERM: 'needs CAP_NET_ADMIN in the user namespace that owns the network namespace; run as root',
  EBUSY:
    'another descriptor holds the device (is another daemon running?), or one of that name exists already',
  EINVAL:
    'an interface of that name is no TUN, or was made with other flags (queues, header); delete it first',
  E2BIG: 'the device has as many queues as the kernel allows',
};

/** Opens one queue in this thread's network namespace, making the device unless it exists. */
export function openTunQueue(options: TunQueueOptions): TunQueue {
  const { name, device = 'any', multiQueue = true, vnetHeader = true, nonBlocking = true } = options;
  const layer = options.layer ?? 'tun';
  const doing = `opening a queue of the ${layer.toUpperCase()} device '${name}'`;
  const request = interfaceRequest(name, doing);
  let flags = (layer === 'tun' ? IFF_TUN : IFF_TAP) | IFF_NO_PI;
  if (multiQueue) flags |= IFF_MULTI_QUEUE;
  if (vnetHeader) flags |= IFF_VNET_HDR;
  if (device === 'new') flags |= IFF_TUN_EXCL;
  new DataView(request.buffer).setUint16(IFREQ_FLAGS_OFFSET, flags, true);
  if (device === 'existing' && libc.if_nametoindex(name) === 0) {
    throw new SysError('if_nametoindex', Errno.ENODEV, doing, 'it does not exist in this network namespace');
  }
  const mode = O_RDWR | O_CLOEXEC | (nonBlocking ? O_NONBLOCK : 0);
  const fd = check(libc.open(DEVICE, mode, 0), `open ${DEVICE}`, doing, OPEN_REMEDIES);
  try {
    check(libc.ioctl(fd, TUNSETIFF, request), 'TUNSETIFF', doing, ATTACH_REMEDIES);
    if (vnetHeader) setVnetHeaderSize(fd, VNET_HEADER_SIZE);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return { fd, name: requestName(request) };
}

/** Bytes of the virtio_net_hdr before each packet: 10, or 12 and more with later fields. Holds for the whole device. */
export function setVnetHeaderSize(fd: number, size: number): void {
  const value = new Uint8Array(4);
  new DataView(value.buffer).setInt32(0, size, true);
  check(
    libc.ioctl(fd, TUNSETVNETHDRSZ, value),
    'TUNSETVNETHDRSZ',
    `setting a vnet header of ${size} bytes on TUN descriptor ${fd}`,
  );
}

/** Sets what may arrive unsegmented or without checksum: an OR of TunOffload. Holds for the whole device, all queues. */
export function setOffload(fd: number, flags: number): void {
  check(
    libc.ioctlNumber(fd, TUNSETOFFLOAD, flags),
    'TUNSETOFFLOAD',
    `setting the offloads 0x${flags.toString(16)} on TUN descriptor ${fd}`,
    { EINVAL: 'this kernel does not know one of them; `probeOffloads` tells which it takes' },
  );
}

/** Persistent: the device outlives its last descriptor, until it is set back or the link or namespace is deleted. */
export function setPersistent(fd: number, persistent: boolean): void {
  check(
    libc.ioctlNumber(fd, TUNSETPERSIST, persistent ? 1 : 0),
    'TUNSETPERSIST',
    `making TUN descriptor ${fd} ${persistent ? '' : 'not '}persistent`,
  );
}

/**
 * The greatest set of offloads (an OR of TunOffload, 0 for none) that this kernel takes on the queue. It stays set;
 * TSO and USO are tried apart from each other, because kernels before 6.2 know only the first.
 */
export function probeOffloads(fd: number): number {
  const tso = TunOffload.tso4 | TunOffload.tso6;
  const uso = TunOffload.uso4 | TunOffload.uso6;
  for (const extra of [
    tso | TunOffload.tsoEcn | uso,
    tso | TunOffload.tsoEcn,
    tso,
    uso,
    TunOffload.tso4,
    0,
  ]) {
    const flags = TunOffload.checksum | extra;
    if (libc.ioctlNumber(fd, TUNSETOFFLOAD, flags) === 0) return flags;
    if (errno() !== Errno.EINVAL)
      throw lastError('TUNSETOFFLOAD', `probing the offloads of TUN descriptor ${fd}`);
  }
  setOffload(fd, 0);
  return 0;
}

/** What the driver is able to do. Needs no privilege beyond access to /dev/net/tun. */
export function tunFeatures(): { readonly multiQueue: boolean; readonly vnetHeader: boolean } {
  const doing = 'asking for the features of the TUN driver';
  const fd = check(libc.open(DEVICE, O_RDWR | O_CLOEXEC, 0), `open ${DEVICE}`, doing, OPEN_REMEDIES);
  try {
    const value = new Uint8Array(4);
    check(libc.ioctl(fd, TUNGETFEATURES, value), 'TUNGETFEATURES', doing);
    const features = new DataView(value.buffer).getUint32(0, true);
    return { multiQueue: (features & IFF_MULTI_QUEUE) !== 0, vnetHeader: (features & IFF_VNET_HDR) !== 0 };
  } finally {
    libc.close(fd);
  }
}

function interfaceRequest(name: string, doing: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(name);
  if (
    bytes.length === 0 ||
    bytes.length > INTERFACE_NAME_MAX ||
    /[\s/:\0]/.test(name) ||
    name === '.' ||
    name === '..'
  ) {
    throw new SysError(
      'TUNSETIFF',
      Errno.EINVAL,
      doing,
      `an interface name has 1 to ${INTERFACE_NAME_MAX} bytes without '/', ':' and spaces, and is not '.' or '..'`,
    );
  }
  const request = new Uint8Array(STRUCT_IFREQ_SIZE);
  request.set(bytes);
  return request;
}

function requestName(request: Uint8Array): string {
  const end = request.indexOf(0);
  return new TextDecoder().decode(request.subarray(0, end));
}
