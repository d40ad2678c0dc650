/**
 * What a network device does by itself, by the names that `ethtool -k` shows (ioctl SIOCETHTOOL). Source: Linux
 * include/uapi/linux/ethtool.h.
 */
import { check } from './errors.ts';
import { addressOf, libc, O_CLOEXEC } from './libc.ts';
import { AF_INET } from './sockaddr.ts';

const SIOCETHTOOL = 0x8946;
const ETHTOOL_GSTRINGS = 0x1b;
const ETHTOOL_GSSET_INFO = 0x37;
const ETHTOOL_GFEATURES = 0x3a;
const ETH_SS_FEATURES = 4;
const SOCK_DGRAM = 2;

const IFREQ_SIZE = 40;
const IFREQ_DATA = 16;
const STRING_LENGTH = 32;
/** Bytes of a block of 32 features: available, requested, active, never changed. */
const BLOCK = 16;
const ACTIVE = 8;

/** Names of the features that are active on a device of this thread's network namespace. @throws SysError */
export function activeFeatures(device: string): ReadonlySet<string> {
  const count = new Uint32Array(5);
  count.set([ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_FEATURES]);
  ask(device, new Uint8Array(count.buffer));
  const features = count[4];

  const strings = new Uint8Array(12 + features * STRING_LENGTH);
  new Uint32Array(strings.buffer, 0, 3).set([ETHTOOL_GSTRINGS, ETH_SS_FEATURES, features]);
  ask(device, strings);

  const blocks = Math.ceil(features / 32);
  const values = new Uint8Array(8 + blocks * BLOCK);
  new Uint32Array(values.buffer, 0, 2).set([ETHTOOL_GFEATURES, blocks]);
  ask(device, values);

  const view = new DataView(values.buffer);
  const active = new Set<string>();
  for (let n = 0; n < features; n++) {
    const bits = view.getUint32(8 + (n >> 5) * BLOCK + ACTIVE, true);
    if (((bits >>> (n & 31)) & 1) === 0) continue;
    const name = strings.subarray(12 + n * STRING_LENGTH, 12 + (n + 1) * STRING_LENGTH);
    active.add(new TextDecoder().decode(name.subarray(0, name.indexOf(0))));
  }
  return active;
}

/** The kernel answers into `request`. */
function ask(device: string, request: Uint8Array): void {
  const interfaceRequest = new Uint8Array(IFREQ_SIZE);
  interfaceRequest.set(new TextEncoder().encode(device).subarray(0, IFREQ_DATA - 1));
  new DataView(interfaceRequest.buffer).setBigUint64(IFREQ_DATA, BigInt(addressOf(request)), true);
  const doing = `asking for the features of ${device}`;
  const socket = check(libc.socket(AF_INET, SOCK_DGRAM | O_CLOEXEC, 0), 'socket', doing);
  try {
    check(libc.ioctl(socket, SIOCETHTOOL, interfaceRequest), 'SIOCETHTOOL', doing);
  } finally {
    libc.close(socket);
  }
}
