/**
 * Two machines on one cable: Weft's speakers in one namespace, a daemon in the other. All that Weft sends is captured.
 *
 *   weft  eth0  10.77.0.1 … .4  fd77::1 … ::4  ════  eth0  10.77.0.11, .12  fd77::11, ::12  peer
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { link } from '../../lab/link.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { Run } from '../../lab/run.ts';
import { type Capture, capture } from '../support/capture.ts';
import { enterNamespace } from '../support/pod-namespace.ts';
import { eventually, type Place } from './daemon.ts';

const WEFT = [1, 2, 3, 4];
const PEER = [11, 12];

export const address = (host: number, family: 4 | 6 = 4): string =>
  family === 4 ? `10.77.0.${host}` : `fd77::${host}`;

/** Of the namespace's end of the cable. */
const linkLocalOf = (namespace: Namespace): string => {
  const found = / inet6 (fe80:\S+)\//.exec(namespace.ip('-6 -o addr show dev eth0 scope link'));
  if (found === null) throw new Error('the cable has no link-local address');
  return found[1];
};

export class Network {
  readonly run = new Run();
  readonly weft: Namespace;
  readonly peer: Namespace;
  #places = 0;
  #leave: (() => void) | undefined;
  #endCapture: (() => void) | undefined;
  #captured: Promise<Capture> | undefined;

  constructor() {
    [this.weft, this.peer] = [this.run.namespace('weft'), this.run.namespace('peer')];
    const addresses = (hosts: readonly number[]): string[] =>
      hosts.flatMap((host) => [`${address(host)}/24`, `${address(host, 6)}/64`]);
    for (const namespace of [this.weft, this.peer]) {
      // Nobody else is on the cable: nothing waits for duplicates of link-local addresses.
      namespace.sysctl('net.ipv6.conf.default.dad_transmits', 0);
      namespace.sysctl('net.ipv6.conf.default.accept_dad', 0);
      namespace.sysctl('net.ipv4.ip_forward', 1);
      namespace.sysctl('net.ipv6.conf.all.forwarding', 1);
    }
    link(
      { namespace: this.weft, name: 'eth0', addresses: addresses(WEFT) },
      { namespace: this.peer, name: 'eth0', addresses: addresses(PEER) },
    );
  }

  /** Captures, and moves this thread to where Weft is. */
  async open(): Promise<void> {
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const options = { interface: 'eth0', filter: 'tcp port 179', snapLength: 0 };
    this.#captured = capture(this.run, this.weft, options, () => {
      begin();
      return new Promise<void>((resolve) => {
        this.#endCapture = resolve;
      });
    });
    await Promise.race([begun, this.#captured]);
    // The first packet between two IPv6 addresses may wait a second for whatever comes first on a new link.
    await eventually(() => this.weft.runLater('ping', ['-c', '1', '-W', '1', address(PEER[0], 6)]));
    this.#leave = enterNamespace(this.weft.path);
  }

  /** Ends the capture. */
  async captured(): Promise<Capture> {
    this.#endCapture?.();
    return this.#captured as Promise<Capture>;
  }

  /** From which Weft sends. */
  macOfWeft(): string {
    const [link] = JSON.parse(this.weft.ip('-j link show eth0')) as { address: string }[];
    return link.address;
  }

  /** The daemon's end and ours. */
  linkLocals(): { readonly local: string; readonly remote: string } {
    return { local: linkLocalOf(this.peer), remote: linkLocalOf(this.weft) };
  }

  /** Nothing gets out of where the daemon is while that lasts; it goes on, and notices nothing. */
  async silencePeer(meanwhile: () => Promise<void>): Promise<void> {
    const nft = (...command: string[]) => this.peer.run('nft', command.join(' '));
    nft('add table inet cut; add chain inet cut out { type filter hook output priority 0; policy drop; }');
    try {
      await meanwhile();
    } finally {
      nft('delete table inet cut');
    }
  }

  place(): Place {
    const folder = join(this.run.folder, `daemon${this.#places++}`);
    mkdirSync(folder);
    return { namespace: this.peer, folder };
  }

  async close(): Promise<void> {
    this.#endCapture?.();
    await this.#captured?.catch(() => {});
    this.#leave?.();
    await this.run.close();
  }
}
