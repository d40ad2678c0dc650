/**
 * Sockets of BFD (RFC 5881 section 4 and 5, RFC 5883 section 5): a receiving one a family and port, which takes from a
 * link's neighbours only what has crossed no router, and a sending one a session, with a port of its own.
 */
import { createSocket, type Socket } from 'node:dgram';
import { SysError } from '../../sys/errors.ts';
import { attachFilter, type BpfInstruction } from '../../sys/filter.ts';
import { libc } from '../../sys/libc.ts';
import { encodeSockaddr, SOCKADDR_SIZE } from '../../sys/sockaddr.ts';
import { udpSocket } from '../../sys/socket.ts';
import { type Address, addressToBytes, parseAddress } from '../../wire/address.ts';
import type { BfdTarget } from './bfd.ts';

export const SINGLE_HOP_PORT = 3784;
export const MULTIHOP_PORT = 4784;
const TTL = 255;

export interface Arrival {
  readonly from: Address;
  /** Name, of a link-local address. */
  readonly interface: string | undefined;
  readonly multihop: boolean;
}

export interface Receiver {
  close(): void;
}

/** @throws SysError when it cannot be had */
export function openReceiver(
  family: 4 | 6,
  multihop: boolean,
  onPacket: (bytes: Uint8Array, arrival: Arrival) => void,
): Receiver {
  const fd = udpSocket({ family, port: multihop ? MULTIHOP_PORT : SINGLE_HOP_PORT });
  let socket: Socket;
  try {
    if (!multihop) attachFilter(fd, onlyNeighbours(family));
    socket = createSocket(`udp${family}`);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  socket.on('message', (bytes, { address }) => {
    const [text, link] = address.split('%');
    onPacket(bytes, { from: parseAddress(text), interface: link, multihop });
  });
  // A lost packet by another name.
  socket.on('error', () => {});
  socket.bind({ fd });
  return { close: () => socket.close() };
}

/** Section 5 of RFC 5881. The kernel's least TTL does not hold for UDP; this does. */
function onlyNeighbours(family: 4 | 6): readonly BpfInstruction[] {
  const [LOAD_BYTE, EQUAL, RETURN] = [0x30, 0x15, 0x06];
  // Of the network header, wherever the program begins to look: SKF_NET_OFF.
  const at = (offset: number): number => 0xfff00000 + offset;
  return [
    { code: LOAD_BYTE, jt: 0, jf: 0, k: at(family === 4 ? 8 : 7) },
    { code: EQUAL, jt: 0, jf: 1, k: TTL },
    { code: RETURN, jt: 0, jf: 0, k: 0xffff },
    { code: RETURN, jt: 0, jf: 0, k: 0 },
  ];
}

const FIRST_PORT = 49152;
const PORTS = 65536 - FIRST_PORT;
const ATTEMPTS = 20;
/** Class selector 6, as other routing protocols. */
const NETWORK_CONTROL = 0xc0;

export interface Sender {
  /** Whether it left; what does not is a packet lost. */
  send(bytes: Uint8Array): boolean;
  close(): void;
}

/** @throws SysError when the local address is none, say */
export function openSender({ remote, local, interface: link, multihop }: BfdTarget): Sender {
  const { family } = remote;
  const scope = link === undefined ? 0 : libc.if_nametoindex(link);
  const fd = inRange((port) =>
    udpSocket({
      family,
      port,
      ttl: TTL,
      tos: NETWORK_CONTROL,
      ...(local && { address: addressToBytes(local) }),
      ...(link !== undefined && { device: link, scope }),
    }),
  );
  const to = new Uint8Array(SOCKADDR_SIZE);
  const port = multihop ? MULTIHOP_PORT : SINGLE_HOP_PORT;
  const length = encodeSockaddr(to, 0, addressToBytes(remote), port, scope);
  return {
    send: (bytes) => libc.sendto(fd, bytes, bytes.length, 0, to, length) === bytes.length,
    close: () => void libc.close(fd),
  };
}

/** RFC 5881 section 4: a source port from 49152 on that no other session has. */
function inRange(open: (port: number) => number): number {
  for (let attempt = 1; ; attempt++) {
    try {
      return open(FIRST_PORT + Math.floor(Math.random() * PORTS));
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof SysError) || error.code !== 'EADDRINUSE') throw error;
    }
  }
}
