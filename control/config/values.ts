/**
 * The single values that a configuration holds: for each what would be right, in words, and how it is read. Knows
 * nothing of where a value stands or of the values beside it (checks.ts).
 */
import { isAbsolute, normalize } from 'node:path';
import { type Community, type LargeCommunity, WellKnown } from '../../routing/bgp/codec/community.ts';
import { type Address, parseAddress } from '../../wire/address.ts';
import { type Mac, parseMac } from '../../wire/mac.ts';
import { type Prefix, parsePrefix } from '../../wire/prefix.ts';
import type { ListenAddress } from './node-config.ts';

export interface Kind<T> {
  /** What would be right, as it continues "expected …". */
  readonly right: string;
  /** Undefined when the value is not right. May throw an error that says more than `right` does. */
  read(raw: unknown): T | undefined;
}

export function integer(min: number, max: number): Kind<number> {
  return {
    right: `a whole number from ${min} to ${max}`,
    read: (raw) =>
      typeof raw === 'number' && Number.isInteger(raw) && raw >= min && raw <= max ? raw : undefined,
  };
}

export function oneOf<const T extends string>(...values: readonly T[]): Kind<T> {
  return {
    right: values.map((value) => `'${value}'`).join(' or '),
    read: (raw) => values.find((value) => value === raw),
  };
}

export function either<A, B>(a: Kind<A>, b: Kind<B>): Kind<A | B> {
  return { right: `${a.right} or ${b.right}`, read: (raw) => a.read(raw) ?? b.read(raw) };
}

export const orAuto = <T>(other: Kind<T>): Kind<T | 'auto'> => either<'auto', T>(oneOf('auto'), other);

export const bool: Kind<boolean> = {
  right: 'true or false',
  read: (raw) => (typeof raw === 'boolean' ? raw : undefined),
};

export const port = integer(1, 65535);

export const address: Kind<Address> = {
  right: 'an IP address, such as 192.168.77.1 or "fd00::1"',
  read: (raw) => (typeof raw === 'string' ? parseAddress(raw) : undefined),
};

export const prefix: Kind<Prefix> = {
  right: 'a prefix, such as 10.244.1.0/24 or "fd00:244:1::/64"',
  read: (raw) => (typeof raw === 'string' ? parsePrefix(raw) : undefined),
};

const GROUP_BIT = 0x0100_0000_0000;

export const mac: Kind<Mac> = {
  right: 'the MAC address of one interface, such as "02:00:00:00:00:02"',
  read(raw) {
    if (typeof raw !== 'string') return undefined;
    const value = parseMac(raw);
    // IEEE 802: the lowest bit of the first byte makes it a group's. A number of 48 bits is beyond bitwise operators.
    const isGroup = Math.floor(value / GROUP_BIT) % 2 === 1;
    return value === 0 || isGroup ? undefined : value;
  },
};

export const powerOfTwo = (max: number): Kind<number> => ({
  right: `a power of two from 1 to ${max}`,
  read: (raw) =>
    typeof raw === 'number' && raw >= 1 && raw <= max && Number.isInteger(Math.log2(raw)) ? raw : undefined,
});

/** Text of which `fits` approves. */
function text(right: string, fits: (raw: string) => boolean): Kind<string> {
  return { right, read: (raw) => (typeof raw === 'string' && fits(raw) ? raw : undefined) };
}

export const name = text("1 to 253 letters, digits, '-', '_' and '.', the first a letter or digit", (raw) =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(raw),
);

/** dev_valid_name() of the kernel, less what needs quoting elsewhere. */
export const interfaceName = text(
  "an interface name: 1 to 15 letters, digits, '-', '_' and '.'",
  (raw) => /^[A-Za-z0-9._-]{1,15}$/.test(raw) && raw !== '.' && raw !== '..',
);

export const absolutePath: Kind<string> = {
  right: 'an absolute path, such as /var/lib/weft',
  read: (raw) => (typeof raw === 'string' && isAbsolute(raw) ? normalize(raw) : undefined),
};

/** sun_path of sockaddr_un (man 7 unix) less its final zero. */
const SOCKET_PATH_MAX = 107;

export const socketPath: Kind<string> = {
  right: `an absolute path of at most ${SOCKET_PATH_MAX} bytes, such as /run/weft/weft.sock`,
  read(raw) {
    const path = absolutePath.read(raw);
    return path !== undefined && Buffer.byteLength(path) <= SOCKET_PATH_MAX ? path : undefined;
  },
};

export const group: Kind<string | number> = either(
  text('the name of a group', (raw) => /^[A-Za-z_][A-Za-z0-9_.-]*\$?$/.test(raw)),
  { ...integer(0, 4294967294), right: 'its number' },
);

/** The well-known ones by the names of their registry. */
const COMMUNITY_NAMES: Readonly<Record<string, Community>> = {
  'graceful-shutdown': WellKnown.gracefulShutdown,
  'llgr-stale': WellKnown.llgrStale,
  'no-llgr': WellKnown.noLlgr,
  blackhole: WellKnown.blackhole,
  'no-export': WellKnown.noExport,
  'no-advertise': WellKnown.noAdvertise,
  'no-export-subconfed': WellKnown.noExportSubconfed,
};

/** Numbers with colons, each below its limit. */
function parts(raw: unknown, limits: readonly number[]): readonly number[] | undefined {
  if (typeof raw !== 'string' || !/^\d{1,10}(:\d{1,10})*$/.test(raw)) return undefined;
  const numbers = raw.split(':').map(Number);
  const fit = numbers.length === limits.length && numbers.every((number, i) => number <= limits[i]);
  return fit ? numbers : undefined;
}

export const community: Kind<Community> = {
  right: `a community in quotes, such as "64512:100", or one of ${Object.keys(COMMUNITY_NAMES).join(', ')}`,
  read(raw) {
    if (typeof raw === 'string' && Object.hasOwn(COMMUNITY_NAMES, raw)) return COMMUNITY_NAMES[raw];
    const [high, low] = parts(raw, [0xffff, 0xffff]) ?? [];
    return high === undefined ? undefined : high * 0x10000 + low;
  },
};

export const largeCommunity: Kind<LargeCommunity> = {
  right: 'a large community in quotes, such as "64512:1:2"',
  read(raw) {
    const [global, local1, local2] = parts(raw, [0xffffffff, 0xffffffff, 0xffffffff]) ?? [];
    return global === undefined ? undefined : { global, local1, local2 };
  },
};

/** Words for a peer (RFC 9003): UTF-8 of at most 255 bytes. */
export const shutdownText = text('text of 1 to 255 bytes', (raw) => {
  const length = Buffer.byteLength(raw);
  return length >= 1 && length <= 255;
});

/** TCP MD5 key (RFC 2385): TCP_MD5SIG_MAXKEYLEN of Linux. */
export const password = text('text of 1 to 80 bytes, in quotes', (raw) => {
  const length = Buffer.byteLength(raw);
  return length >= 1 && length <= 80;
});

/** 0: no keepalives (RFC 4271 section 4.2). */
export const holdTime: Kind<number> = {
  right: '0 or a whole number of seconds from 3 to 65535',
  read: (raw) => (raw === 0 ? 0 : integer(3, 65535).read(raw)),
};

export const listen: Kind<ListenAddress> = {
  right: 'IP address:port in quotes, such as "127.0.0.1:9477" or "[::1]:9477"',
  read(raw) {
    const match = typeof raw === 'string' ? /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(raw) : null;
    if (!match) return undefined;
    const [, v6, v4OrName, digits] = match;
    const number = port.read(Number(digits));
    if (number === undefined) return undefined;
    const host = v6 ?? v4OrName;
    if (host === 'localhost') return { host, port: number };
    const parsed = parseAddress(host);
    return parsed.family === (v6 === undefined ? 4 : 6) ? { host, port: number } : undefined;
  },
};
