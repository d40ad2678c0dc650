/**
 * The ports of the node that lead to pods, as the kernel is told: who has which, refused to others for as long, and what
 * connections the kernel has to forget for a change to be true for everyone.
 */
import { connections, openConntrack } from '../sys/conntrack.ts';
import { Errno } from '../sys/errno.ts';
import { addressToBytes } from '../wire/address.ts';
import { AttachError, type Attachment, type AttachmentName, attachmentKey } from './attachment.ts';
import type { Log, PodForwards, PortForward } from './host.ts';
import { formatPort, forwardsOf, isSame, overlap } from './port-mappings.ts';

const IPPROTO = { tcp: 6, udp: 17, sctp: 132 } as const;

export class PortForwards {
  readonly #kernel: PodForwards;
  readonly #log: Log;
  readonly #owned = new Map<string, readonly PortForward[]>();
  /** The kernel has more than it should. */
  #stale = false;

  constructor(kernel: PodForwards, log: Log) {
    this.#kernel = kernel;
    this.#log = log;
  }

  /** Keeps the ports of the attachment from others, before the kernel knows of them. @throws AttachError naming who has one */
  reserve(attachment: Attachment): void {
    const wanted = forwardsOf(attachment);
    if (typeof wanted === 'string') throw new AttachError('port', `portMappings: ${wanted}`);
    const own: PortForward[] = [];
    for (const forward of wanted) {
      if (own.some((other) => isSame(forward, other))) continue;
      if (own.some((other) => overlap(forward, other))) {
        throw new AttachError('port', `portMappings: ${formatPort(forward)} is asked for twice`);
      }
      for (const [key, others] of this.#owned) {
        if (key === attachmentKey(attachment) || !others.some((other) => overlap(forward, other))) continue;
        throw new AttachError('port', `portMappings: ${formatPort(forward)} leads to ${key} already`);
      }
      own.push(forward);
    }
    if (own.length > 0) this.#owned.set(attachmentKey(attachment), own);
  }

  /** The same for a pod of an earlier daemon, which has its ports already. */
  adopt(attachment: Attachment): void {
    try {
      this.reserve(attachment);
    } catch (error) {
      const { id, ifname } = attachment;
      this.#log.error({ id, ifname, err: error }, 'ports of the node no longer lead to a pod');
    }
  }

  /** Resolves when the reserved ports lead to the pod, for those as well who have sent to them before. */
  async open(attachment: Attachment): Promise<void> {
    const own = this.#owned.get(attachmentKey(attachment));
    if (!own) return;
    await this.#apply();
    // A UDP flow has no beginning: what was sent before would go on to where it went.
    this.#forget(own.filter(({ protocol }) => protocol === 'udp'));
  }

  /** Resolves when the ports are anybody's. What the kernel does not do is done later (`repair`). */
  async close(name: AttachmentName): Promise<void> {
    const key = attachmentKey(name);
    const own = this.#owned.get(key);
    if (!own) return;
    this.#owned.delete(key);
    try {
      await this.#apply();
    } catch (error) {
      this.#stale = true;
      this.#log.error({ ...name, err: error }, 'ports of the node still lead to a pod that is gone');
    }
    this.#forget(own, ({ to }) => addressToBytes(to));
  }

  /** Tells the kernel everything, in case it knows otherwise. */
  async restore(): Promise<void> {
    this.#stale = false;
    try {
      await this.#apply();
    } catch (error) {
      this.#stale = true;
      this.#log.error({ err: error }, 'ports of the node may not lead to pods; it is tried again');
    }
  }

  /** Once more what failed, if something did. */
  async repair(): Promise<void> {
    if (this.#stale) await this.restore();
  }

  /** The ports of the attachment that do not lead to it. */
  async missing(name: AttachmentName): Promise<string[]> {
    const own = this.#owned.get(attachmentKey(name)) ?? [];
    return (await this.#kernel.missing(own)).map(formatPort);
  }

  #apply(): Promise<void> {
    return this.#kernel.forward([...this.#owned.values()].flat());
  }

  /** @param answeredBy only connections that the pod with this address answers */
  #forget(forwards: readonly PortForward[], answeredBy?: (forward: PortForward) => Uint8Array): void {
    if (forwards.length === 0) return;
    const conntrack = openConntrack();
    try {
      for (const forward of forwards) {
        const { protocol, hostPort, host, to } = forward;
        const filter = { family: to.family, protocol: IPPROTO[protocol], port: hostPort } as const;
        const [at, by] = [host && addressToBytes(host), answeredBy?.(forward)];
        const found = conntrack
          .list(connections.to(filter))
          .filter(({ destination, answeredBy: other }) => same(at, destination) && same(by, other));
        for (const error of conntrack.settle(found.map(connections.remove))) {
          if (error && error.errno !== Errno.ENOENT) throw error;
        }
      }
    } catch (error) {
      this.#log.warn({ err: error }, 'connections to ports of the node may go on where they went before');
    } finally {
      conntrack.close();
    }
  }
}

const same = (wanted: Uint8Array | undefined, found: Uint8Array): boolean =>
  wanted === undefined || Buffer.compare(wanted, found) === 0;
