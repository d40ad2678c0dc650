/**
 * struct sockaddr_in and sockaddr_in6 in bytes. Addresses are 4 or 16 bytes in network order, as everywhere in sys.
 *
 *   sockaddr_in    u16 family | u16 port, big-endian | 4 address | 8 zero
 *   sockaddr_in6   u16 family | u16 port, big-endian | u32 flow information | 16 address | u32 scope
 */

export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCKADDR_IN_SIZE = 16;
const SOCKADDR_IN6_SIZE = 28;
/** Room for either. */
export const SOCKADDR_SIZE = 28;

export interface SocketAddress {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
  /** Interface index that a link-local IPv6 address belongs to, else 0. */
  readonly scope: number;
}

/** Writes the structure at `offset` and returns its length, 16 or 28. */
export function encodeSockaddr(
  target: Uint8Array,
  offset: number,
  address: Uint8Array,
  port: number,
  scope = 0,
): number {
  const view = new DataView(target.buffer, target.byteOffset + offset);
  if (address.length === 4) {
    target.fill(0, offset, offset + SOCKADDR_IN_SIZE);
    view.setUint16(0, AF_INET, true);
    view.setUint16(2, port);
    target.set(address, offset + 4);
    return SOCKADDR_IN_SIZE;
  }
  if (address.length !== 16) throw new RangeError(`an address has 4 or 16 bytes, not ${address.length}`);
  target.fill(0, offset, offset + SOCKADDR_IN6_SIZE);
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, port);
  target.set(address, offset + 8);
  view.setUint32(24, scope, true);
  return SOCKADDR_IN6_SIZE;
}

/** Undefined when the structure at `offset` is of another family. The address is a copy. */
export function decodeSockaddr(source: Uint8Array, offset: number): SocketAddress | undefined {
  const view = new DataView(source.buffer, source.byteOffset + offset);
  const family = view.getUint16(0, true);
  if (family === AF_INET) {
    return { address: source.slice(offset + 4, offset + 8), port: view.getUint16(2), scope: 0 };
  }
  if (family !== AF_INET6) return undefined;
  return {
    address: source.slice(offset + 8, offset + 24),
    port: view.getUint16(2),
    scope: view.getUint32(24, true),
  };
}

/** For messages to people: '10.0.0.1', 'fd00::1', RFC 5952. */
export function addressText(address: Uint8Array): string {
  if (address.length === 4) return address.join('.');
  const groups: string[] = [];
  for (let i = 0; i + 1 < address.length; i += 2)
    groups.push(((address[i] << 8) | address[i + 1]).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
