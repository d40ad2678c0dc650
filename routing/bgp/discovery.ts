/**
 * Who is the other speaker on a link without addresses of our giving: each shows itself by router advertisements
 * (RFC 4861 section 4.2), we as well. A lifetime of 0 makes nobody take us for a default router.
 *
 *    | type 134 | code | checksum (2) | hop limit | flags | lifetime (2) | reachable (4) | retransmit (4) | options …
 */

import { icmp6Socket, receiveIcmp6, sendToAllNodes } from '../../sys/icmp6.ts';
import { libc } from '../../sys/libc.ts';
import { type Watch, watchReadable } from '../../sys/watch.ts';
import { type Address, addressFromBytes } from '../../wire/address.ts';
import { isLinkLocal } from '../rib/hops.ts';
import { linkLocalOf } from './links.ts';

const ADVERTISEMENT = 134;
const SIZE = 16;
const ON_LINK = 255;
/** Between advertisements: the least that RFC 4861 section 6.2.1 allows is 3 s; on a link of two it may be sooner first. */
const INTERVAL_MS = 3000;
const FIRST_MS = 250;
/** So many of the first kind. */
const FIRST = 8;

interface Link {
  readonly fd: number;
  readonly watch: Watch;
  timer: NodeJS.Timeout;
  sent: number;
  users: number;
}

export class Discovery {
  readonly #links = new Map<string, Link>();
  readonly #onSpeaker: (name: string, address: Address) => void;
  readonly #onTrouble: (text: string) => void;

  /** @param onSpeaker an advertisement of somebody else on the interface */
  constructor(onSpeaker: (name: string, address: Address) => void, onTrouble: (text: string) => void) {
    this.#onSpeaker = onSpeaker;
    this.#onTrouble = onTrouble;
  }

  watch(name: string): void {
    const there = this.#links.get(name);
    if (there !== undefined) {
      there.users++;
      return;
    }
    try {
      const fd = icmp6Socket(name);
      const watch = watchReadable(fd, () => this.#read(name, fd));
      const timer = setTimeout(() => this.#advertise(name), 0);
      this.#links.set(name, { fd, watch, timer, sent: 0, users: 1 });
    } catch (error) {
      this.#onTrouble((error as Error).message);
      // The interface may come yet.
      const timer = setTimeout(() => {
        if (this.#links.has(name)) return;
        this.watch(name);
      }, INTERVAL_MS);
      timer.unref();
    }
  }

  unwatch(name: string): void {
    const link = this.#links.get(name);
    if (link === undefined || --link.users > 0) return;
    this.#close(name, link);
  }

  close(): void {
    for (const [name, link] of this.#links) this.#close(name, link);
  }

  #close(name: string, { fd, watch, timer }: Link): void {
    clearTimeout(timer);
    watch.close();
    libc.close(fd);
    this.#links.delete(name);
  }

  #read(name: string, fd: number): void {
    for (let one = receiveIcmp6(fd); one !== undefined; one = receiveIcmp6(fd)) {
      const { source, hopLimit, bytes } = one;
      if (hopLimit !== ON_LINK || bytes.length < SIZE || bytes[0] !== ADVERTISEMENT) continue;
      const address = addressFromBytes(source);
      if (isLinkLocal(address)) this.#onSpeaker(name, address);
    }
  }

  #advertise(name: string): void {
    const link = this.#links.get(name);
    if (link === undefined) return;
    const own = linkLocalOf(name);
    if (own !== undefined) {
      const bytes = new Uint8Array(SIZE);
      bytes[0] = ADVERTISEMENT;
      try {
        sendToAllNodes(link.fd, own.scope, bytes);
      } catch (error) {
        this.#onTrouble((error as Error).message);
      }
      link.sent++;
    }
    const wait = link.sent < FIRST ? FIRST_MS : INTERVAL_MS;
    link.timer = setTimeout(() => this.#advertise(name), wait);
  }
}
