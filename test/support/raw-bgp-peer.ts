/** A BGP peer that does what a test has it do, over a real connection: its messages are bytes, good or bad. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Capability } from '../../routing/bgp/codec/capability.ts';
import {
  decodeMessage,
  encodeMessage,
  INITIAL_CODING,
  type Received,
} from '../../routing/bgp/codec/message.ts';
import { Framing } from '../../routing/bgp/framing.ts';
import { parseAddress } from '../../wire/address.ts';

const CODING = { ...INITIAL_CODING, asBytes: 4, maxLength: 65535 } as const;
const KEEPALIVE = encodeMessage({ kind: 'keepalive' }, CODING);

export interface RawPeerOptions {
  /** Own end. */
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly asn: number;
  /** Seconds. */
  readonly holdTime: number;
  readonly extendedMessages?: boolean;
}

export class RawPeer {
  readonly socket: Socket;
  readonly received: Received[] = [];
  /** Milliseconds of this process's clock at which KEEPALIVEs came. */
  readonly keepalives: number[] = [];
  isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    const framing = new Framing(CODING.maxLength);
    socket.on('data', (bytes) => {
      framing.push(bytes, (within, from, to) => {
        const decoded = decodeMessage(within.slice(from, to), CODING);
        if (!decoded.ok) throw new Error(decoded.error.why);
        if (decoded.value.kind === 'keepalive') this.keepalives.push(performance.now());
        else this.received.push(decoded.value);
        return true;
      });
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      clearInterval(this.#timer);
    });
  }

  static async connect({ from, to, port }: Pick<RawPeerOptions, 'from' | 'to' | 'port'>): Promise<RawPeer> {
    const socket = connect({ host: to, port, localAddress: from });
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return new RawPeer(socket);
  }

  /** Established, and kept so until it closes. */
  static async establish(options: RawPeerOptions): Promise<RawPeer> {
    const peer = await RawPeer.connect(options);
    const { asn, holdTime, from, extendedMessages = false } = options;
    const capabilities: Capability[] = [
      { kind: 'multiprotocol', afi: 1, safi: 1 },
      { kind: 'fourOctetAs', asn },
      ...(extendedMessages ? [{ kind: 'extendedMessage' } as const] : []),
    ];
    const open = { asn, holdTime, routerId: parseAddress(from), capabilities };
    peer.socket.write(encodeMessage({ kind: 'open', open }, INITIAL_CODING));
    peer.socket.write(KEEPALIVE);
    while (peer.keepalives.length === 0) {
      if (peer.isClosed) throw new Error('the connection was closed before the session was there');
      await peer.#next('data');
    }
    peer.#timer = setInterval(() => peer.socket.write(KEEPALIVE), (1000 * holdTime) / 3);
    return peer;
  }

  /** Nothing is said any more unless it is sent by hand. */
  fallSilent(): void {
    clearInterval(this.#timer);
  }

  /** As fast as they are taken, until they are all sent or the connection ends. @returns how many were */
  async pour(messages: Iterable<Uint8Array>): Promise<number> {
    let sent = 0;
    for (const bytes of messages) {
      if (this.isClosed || this.socket.destroyed) break;
      sent++;
      if (this.socket.write(bytes)) {
        // So that what comes is read, and others have their turn.
        if (sent % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      await this.#next('drain');
    }
    return sent;
  }

  /** Of the NOTIFICATION that ended it. */
  async notification(): Promise<{ code: number; subcode: number; data: Uint8Array }> {
    for (;;) {
      const found = this.received.find((one) => one.kind === 'notification');
      if (found?.kind === 'notification') return found.notification;
      if (this.isClosed) throw new Error('the connection was closed without a NOTIFICATION');
      await this.#next('data');
    }
  }

  /** Or the end, whatever is wrong with it: who misbehaves is cut off. */
  #next(event: 'data' | 'drain'): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.socket.off(event, done).off('close', done);
        resolve();
      };
      if (this.socket.destroyed) resolve();
      else this.socket.on(event, done).on('close', done);
    });
  }

  close(): void {
    clearInterval(this.#timer);
    this.socket.destroy();
  }
}
