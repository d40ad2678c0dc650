/**
 * A peer that does nothing but keep a session: it connects, opens, sends keepalives and hands on what comes. No policy, no
 * tables: it is the load, not what is measured.
 */
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { decodeMessage, encodeMessage, INITIAL_CODING } from '../../routing/bgp/codec/message.ts';
import { Framing } from '../../routing/bgp/framing.ts';
import { parseAddress } from '../../wire/address.ts';
import { CODING } from './feed.ts';

export interface BarePeerOptions {
  /** Own address; also the router ID. */
  readonly local: string;
  readonly asn: number;
  readonly remote: string;
  readonly port: number;
  /** Seconds. */
  readonly holdTime: number;
  /** UPDATEs and whatever else is neither OPEN nor KEEPALIVE. */
  onMessage(message: Uint8Array): void;
}

const PATIENCE_MS = 60_000;
/** Between attempts, milliseconds. */
const RETRY = 250;
/** Of what is fed, so that keepalives come in between. */
const CHUNK = 256 << 10;
const MessageOffset = { type: 18 } as const;
const Type = { open: 1, notification: 3, keepalive: 4 } as const;
const KEEPALIVE = encodeMessage({ kind: 'keepalive' }, INITIAL_CODING);

export class BarePeer {
  /** Longest time between two messages of the other end since this was last set, milliseconds. */
  longestGap = 0;
  readonly #options: BarePeerOptions;
  readonly #socket: Socket;
  readonly #framing = new Framing(CODING.maxLength);
  #lastHeard = 0;
  #isUp = false;
  #onUp: () => void = () => {};
  #onEnd: (error: Error) => void = () => {};

  private constructor(options: BarePeerOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Uint8Array) => this.#read(bytes));
    socket.on('error', (error) => this.#onEnd(error));
    socket.on('close', () => this.#onEnd(new Error('the speaker closed the session')));
  }

  /** Resolves when the session is established. @param onEnd when it ends after that */
  static async open(options: BarePeerOptions, onEnd: (error: Error) => void): Promise<BarePeer> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        const peer = new BarePeer(options, await connected(options));
        await peer.#establish();
        peer.#onEnd = onEnd;
        return peer;
      } catch (error) {
        if (performance.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY));
      }
    }
  }

  /** Resolves when the kernel has taken it all. */
  async feed(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const end = wholeMessages(bytes, at, CHUNK);
      const more = this.#socket.write(bytes.subarray(at, end));
      if (!more) await new Promise((resolve) => this.#socket.once('drain', resolve));
      at = end;
    }
  }

  /** What was not heard until now counts as well. */
  gap(): number {
    return Math.max(this.longestGap, performance.now() - this.#lastHeard);
  }

  #establish(): Promise<void> {
    const { asn, holdTime, local } = this.#options;
    const open = {
      asn,
      holdTime,
      routerId: parseAddress(local),
      capabilities: [
        { kind: 'multiprotocol', afi: 1, safi: 1 },
        { kind: 'routeRefresh' },
        { kind: 'fourOctetAs', asn },
      ],
    } as const;
    this.#socket.write(encodeMessage({ kind: 'open', open }, INITIAL_CODING));
    return new Promise((resolve, reject) => {
      this.#onUp = resolve;
      this.#onEnd = (error) => {
        this.#socket.destroy();
        reject(error);
      };
    });
  }

  #read(bytes: Uint8Array): void {
    const result = this.#framing.push(bytes, (within, from, to) => {
      this.#take(within.subarray(from, to));
      return true;
    });
    if (!result.ok) this.#onEnd(new Error(`the speaker sends what is not BGP: ${result.error.why}`));
  }

  #take(message: Uint8Array): void {
    const now = performance.now();
    if (this.#lastHeard !== 0) this.longestGap = Math.max(this.longestGap, now - this.#lastHeard);
    this.#lastHeard = now;
    switch (message[MessageOffset.type]) {
      case Type.open:
        this.#socket.write(KEEPALIVE);
        break;
      case Type.keepalive:
        this.#keepAlive();
        break;
      case Type.notification: {
        const decoded = decodeMessage(message, CODING);
        const text = decoded.ok ? JSON.stringify(decoded.value) : 'malformed';
        this.#onEnd(new Error(`the speaker sent a NOTIFICATION: ${text}`));
        break;
      }
      default:
        this.#options.onMessage(message);
    }
  }

  /** The first of the other end says that it has taken our OPEN. */
  #keepAlive(): void {
    if (this.#isUp) return;
    this.#isUp = true;
    const timer = setInterval(() => this.#socket.write(KEEPALIVE), (this.#options.holdTime * 1000) / 3);
    this.#socket.once('close', () => clearInterval(timer));
    this.#onUp();
  }
}

const connected = ({ local, remote, port }: BarePeerOptions): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: remote, port, localAddress: local }, () => resolve(socket));
    socket.once('error', reject);
  });

/** Where a message ends, about `most` bytes on. */
const wholeMessages = (bytes: Uint8Array, from: number, most: number): number => {
  let at = from;
  while (at < bytes.length && at - from < most) at += (bytes[at + 16] << 8) | bytes[at + 17];
  return at;
};
