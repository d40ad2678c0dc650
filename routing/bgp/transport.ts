/**
 * The sockets of a speaker: those of each peer's session, and the listener. Options that have to be there before the first
 * packet (MD5 keys, TTLs, interface) are set on descriptors of our own making, which Node then takes over. Knows no BGP.
 */
import { Socket, type SocketConstructorOpts } from 'node:net';
import { libc } from '../../sys/libc.ts';
import {
  type AcceptedSocket,
  acceptTcp,
  setMd5Key,
  setTcpOptions,
  tcpListener,
  tcpSocket,
} from '../../sys/tcp.ts';
import { type Watch, watchReadable } from '../../sys/watch.ts';
import { type Address, addressFromBytes, addressToBytes, formatAddress } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import { isLinkLocal } from '../rib/hops.ts';
import { endsOf, interfaceOfScope, linkLocalOf, parseZoned } from './links.ts';
import type { Ends, Input } from './session.ts';

/** RFC 4271 section 4 of its predecessors, and everybody since: internetwork control. */
const CS6 = 0xc0;
export const TTL_MAX = 255;
/** Bytes that are read in one turn: some thousand routes, some ten milliseconds. */
const TURN_BYTES = 1 << 16;
/** How long what was written last may take to go out. */
const LINGER_MS = 1000;

/** How to reach a peer, and what its packets have to be like. */
export interface Target {
  /** Undefined: not known yet. */
  readonly address: Address | undefined;
  readonly interface?: string;
  readonly port: number;
  readonly localAddress?: Address;
  readonly ttl: number;
  readonly minimumTtl?: number;
  readonly password?: string;
}

const encoder = new TextEncoder();

/** The connections of one peer's session, by the numbers that it gives them (even) and that they get here (odd). */
export class PeerSockets {
  readonly #target: () => Target;
  readonly #onInput: (input: Input) => void;
  readonly #sockets = new Map<number, Socket>();
  #lastAccepted = -1;

  /** @param onInput is never called from inside of a call here */
  constructor(target: () => Target, onInput: (input: Input) => void) {
    this.#target = target;
    this.#onInput = onInput;
  }

  connect(connection: number): void {
    const target = this.#target();
    const { address, port } = target;
    try {
      if (address === undefined) {
        throw new Error(`no speaker has shown itself on ${target.interface} by router advertisements yet`);
      }
      const socket = take(open(target, address));
      this.#follow(connection, socket);
      const zone = isLinkLocal(address) && target.interface !== undefined ? `%${target.interface}` : '';
      socket.connect({ host: formatAddress(address) + zone, port }, () => {
        const ends = withPorts(
          endsOf(parseZoned(socket.localAddress ?? ''), address, target.interface),
          socket,
        );
        this.#tell(connection, socket, { kind: 'connected', connection, ends });
        socket.resume();
      });
    } catch (error) {
      const { message } = error as Error;
      setImmediate(() => this.#onInput({ kind: 'disconnected', connection, why: message }));
    }
  }

  /** One that the peer has opened. */
  adopt({ fd, local, remote, scope }: AcceptedSocket): void {
    const { ttl, minimumTtl } = this.#target();
    setTcpOptions(fd, {
      family: remote.length === 4 ? 4 : 6,
      ttl,
      tos: CS6,
      ...(minimumTtl !== undefined && { minimumTtl }),
    });
    const socket = take(fd);
    this.#lastAccepted += 2;
    const connection = this.#lastAccepted;
    this.#follow(connection, socket);
    const on = scope === 0 ? undefined : interfaceOfScope(scope);
    const ends = withPorts(endsOf(addressFromBytes(local), addressFromBytes(remote), on), socket);
    this.#tell(connection, socket, { kind: 'accepted', connection, ends });
    socket.resume();
  }

  write(connection: number, bytes: Uint8Array): void {
    const socket = this.#sockets.get(connection);
    socket?.write(bytes, (error) => {
      if (!error) this.#tell(connection, socket, { kind: 'written', connection, count: bytes.length });
    });
  }

  close(connection: number): void {
    const socket = this.#sockets.get(connection);
    this.#sockets.delete(connection);
    if (socket === undefined) return;
    socket.end();
    // A peer that takes nothing any more does not hold us up.
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  }

  #follow(connection: number, socket: Socket): void {
    this.#sockets.set(connection, socket);
    const end = (why: string): void => {
      socket.destroy();
      this.#tell(connection, socket, { kind: 'disconnected', connection, why });
      if (this.#sockets.get(connection) === socket) this.#sockets.delete(connection);
    };
    socket.setNoDelay(true);
    socket.on('data', ({ buffer, byteOffset, length }) => {
      // As what it is: a part of a Buffer that is kept, an attribute that nobody knows, would keep all of it.
      const bytes = new Uint8Array(buffer, byteOffset, length);
      // Else two megabytes could follow before timers, other sessions and the node have their turn.
      socket.pause();
      const tell = (from: number): void => {
        const to = Math.min(from + TURN_BYTES, bytes.length);
        this.#tell(connection, socket, { kind: 'data', connection, bytes: bytes.subarray(from, to) });
        setImmediate(() => (to < bytes.length ? tell(to) : socket.resume()));
      };
      tell(0);
    });
    socket.on('error', ({ message }) => end(message));
    socket.on('end', () => end('the peer closed the connection'));
  }

  /** Of a socket that the session knows. */
  #tell(connection: number, socket: Socket, input: Input): void {
    if (this.#sockets.get(connection) === socket) this.#onInput(input);
  }
}

const withPorts = (ends: Ends, { localPort = 0, remotePort = 0 }: Socket): Ends => ({
  ...ends,
  ports: { local: localPort, remote: remotePort },
});

/** Node, from here on, with a descriptor that may not be connected yet: nothing is read before `resume`. */
const take = (fd: number): Socket => {
  const options: SocketConstructorOpts & { pauseOnCreate: boolean } = { fd, pauseOnCreate: true };
  return new Socket(options);
};

const open = (target: Target, address: Address): number => {
  const { localAddress, ttl, minimumTtl, password } = target;
  const zone =
    isLinkLocal(address) && target.interface !== undefined ? linkLocalOf(target.interface) : undefined;
  const fd = tcpSocket({
    family: address.family,
    ttl,
    tos: CS6,
    ...(minimumTtl !== undefined && { minimumTtl }),
    ...(localAddress !== undefined && { address: addressToBytes(localAddress) }),
    ...(target.interface !== undefined && { device: target.interface }),
  });
  if (password !== undefined) {
    const key = encoder.encode(password);
    setMd5Key(fd, addressToBytes(address), key, { scope: zone?.scope ?? 0 });
  }
  return fd;
};

/** Whose connections are signed, and with what. */
export interface ListenKey {
  readonly prefix: Prefix;
  readonly password: string;
}

/** Takes connections from whomever, on one address. */
export class Listener {
  readonly #fd: number;
  readonly #watch: Watch;
  readonly #family: 4 | 6;
  #keys = new Map<string, ListenKey>();

  /** @throws SysError when the address cannot be had */
  constructor(address: Address, port: number, onAccepted: (accepted: AcceptedSocket) => void) {
    this.#family = address.family;
    this.#fd = tcpListener({
      family: address.family,
      address: addressToBytes(address),
      port,
      // Whose packets have to come from nearby wants this of the first one too (RFC 5082).
      ttl: TTL_MAX,
      tos: CS6,
    });
    this.#watch = watchReadable(this.#fd, () => {
      for (let one = acceptTcp(this.#fd); one !== undefined; one = acceptTcp(this.#fd)) onAccepted(one);
    });
  }

  /** In the place of those before: of keys that stay no segment is lost. */
  setKeys(keys: readonly ListenKey[]): void {
    const wanted = new Map(
      keys
        .filter(({ prefix }) => prefix.address.family === this.#family)
        .map((key) => [`${formatAddress(key.prefix.address)}/${key.prefix.length}`, key]),
    );
    for (const [name, { prefix }] of this.#keys) if (!wanted.has(name)) this.#set(prefix, '');
    for (const [name, { prefix, password }] of wanted) {
      if (this.#keys.get(name)?.password !== password) this.#set(prefix, password);
    }
    this.#keys = wanted;
  }

  close(): void {
    this.#watch.close();
    libc.close(this.#fd);
  }

  #set({ address, length }: Prefix, password: string): void {
    const options = { prefixLength: length };
    setMd5Key(this.#fd, addressToBytes(address), encoder.encode(password), options);
  }
}
