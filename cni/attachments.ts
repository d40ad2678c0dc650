/**
 * The pods of this node: attaches them, detaches them, takes them over from an earlier daemon and notices when they are
 * gone. Each attachment is in the store before its address is used and until nothing of it is left, so that whatever
 * ends the daemon, the next one knows what to finish or undo. What a step needs of Linux is in interface.ts.
 */
import { closeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { setPersistent } from '../sys/tun.ts';
import { type Address, formatAddress } from '../wire/address.ts';
import { formatPrefix, hostPrefix, prefixContains } from '../wire/prefix.ts';
import {
  AttachError,
  type Attachment,
  type AttachmentName,
  attachmentKey,
  attachmentMac,
  checkName,
} from './attachment.ts';
import type { Bandwidth } from './bandwidth.ts';
import { sinceBoot } from './clock.ts';
import type { GsoLimits, Log, PodForwards, PodPorts, PodRoutes } from './host.ts';
import {
  adoptInterface,
  createInterface,
  findInterface,
  hasInterface,
  type InterfaceSpec,
  type PodRoute,
  removeInterface,
  removeInterfaceInBackground,
} from './interface.ts';
import {
  type AddressRange,
  type Allocation,
  allocate,
  endRests,
  type IpamState,
  REST,
  release,
  rest,
  take,
} from './ipam/allocator.ts';
import { hostAddress, isAssigned } from './ipam/pool.ts';
import { enterable, holdNamespace, isUsed, openPodNamespace } from './namespace.ts';
import { PortForwards } from './port-forwards.ts';
import type { PortMapping } from './port-mappings.ts';
import type { AttachmentStore, StoredRest } from './store.ts';

export interface AttachRequest extends AttachmentName {
  /** Path of the pod's network namespace. */
  readonly netns: string;
  /** Addresses wanted, at most one a family; the others are chosen. */
  readonly ips?: readonly Address[];
  /** `ips` are all, given by somebody else: they may lie outside the node's ranges. */
  readonly given?: boolean;
  /** Of somebody else as well, where he has some: what the default routes go through, at most one a family, and other routes. */
  readonly gateways?: readonly Address[];
  readonly routes?: readonly PodRoute[];
  /** Addresses are chosen from these, and of their families only. */
  readonly within?: readonly AddressRange[];
  /** Bytes; the node's when left out. */
  readonly mtu?: number;
  /** To be reported in place of the usual one. */
  readonly mac?: string;
  /** Nothing is limited when left out. */
  readonly bandwidth?: Bandwidth | undefined;
  /** Ports of the node that are to lead to the pod. */
  readonly portMappings?: readonly PortMapping[];
  /** Name of the CNI network that asks. */
  readonly network?: string;
  /** Made up by the caller for this one request: asked again with the same, the answer is the same. */
  readonly token?: string;
}

export interface AttachmentsOptions {
  readonly store: AttachmentStore;
  readonly ipam: IpamState;
  readonly ports: PodPorts;
  readonly routes: PodRoutes;
  readonly forwards: PodForwards;
  readonly log: Log;
  readonly bootId: string;
  /** Queues of each pod's TUN: one a worker. */
  readonly queues: number;
  /** Offloads of each pod's TUN: TunOffload. */
  readonly offload: number;
  /** MTU of new pods, bytes. */
  mtu(): number;
  gsoLimits(mtu: number): GsoLimits;
}

/** An attachment and its port in the engine; without one when it could not be taken over yet. */
export interface LiveAttachment {
  readonly attachment: Attachment;
  readonly port: number | undefined;
}

interface Live {
  attachment: Attachment;
  port: number | undefined;
  /** Its path no longer leads to the namespace, but something used the namespace when that was noticed. */
  pathGone?: boolean;
}

/** What is dear or hardly ever needed is done every so many rounds. */
const SLOW_ROUNDS = 20;
/** Pods looked at in a round: a look is a system call of 5 µs, and thousands of them would hold up what comes meanwhile. */
const PODS_A_ROUND = 512;

export class Attachments {
  readonly #options: AttachmentsOptions;
  readonly #portForwards: PortForwards;
  readonly #live = new Map<string, Live>();
  /** The last of the operations on each name: they happen one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Addresses of pods outside the node's ranges. */
  readonly #foreign = new Set<string>();
  /** The ends of interfaces whose pods are gone already. */
  readonly #leaving = new Set<Promise<void>>();
  /** Detached pods whose interfaces are gone, until that is on disk. */
  readonly #ending = new Map<string, Attachment>();
  /** The last of the interfaces to be deleted. */
  #removal: Promise<void> = Promise.resolve();
  #round = 0;
  #closed = false;

  constructor(options: AttachmentsOptions) {
    this.#options = options;
    this.#portForwards = new PortForwards(options.forwards, options.log);
  }

  list(): LiveAttachment[] {
    return [...this.#live.values()];
  }

  find(name: AttachmentName): LiveAttachment | undefined {
    return this.#live.get(attachmentKey(name));
  }

  /** Whether an operation on that name is under way, or on any. */
  isBusy(name?: AttachmentName): boolean {
    return name ? this.#turns.has(attachmentKey(name)) : this.#turns.size > 0;
  }

  /** Whether the engine reads and writes the pod's interface. */
  forwards(name: AttachmentName): boolean {
    const port = this.find(name)?.port;
    return port !== undefined && !this.#options.ports.deadPorts().includes(port);
  }

  /** The ports of the node that should lead to the pod and do not, e.g. 'tcp port 80'. */
  missingPorts(name: AttachmentName): Promise<string[]> {
    return this.#portForwards.missing(name);
  }

  /** Why no pod could be given addresses now; undefined when one could. */
  refusal(within?: readonly AddressRange[]): string | undefined {
    endRests(this.#options.ipam, sinceBoot());
    const leased = allocate(this.#options.ipam, [], within);
    return leased.ok ? undefined : leased.reason;
  }

  /**
   * Resolves when the engine forwards for the pod and the attachment is on disk. Rejects with AttachError (the request
   * is wrong) or another error (a step failed), everything being as it was before.
   */
  async attach(request: AttachRequest): Promise<Attachment> {
    checkName(request);
    return this.#inTurn(request, () => this.#attach(request));
  }

  /** Resolves when nothing is left of the attachment; at once when there is none of that name. */
  async detach(name: AttachmentName): Promise<void> {
    checkName(name);
    return this.#inTurn(name, () => this.#detach(name));
  }

  /**
   * The same for callers that need not wait for the interface's end, which takes the kernel a while: resolves when nothing is
   * sent to the pod any more and no daemon will take it over. The addresses are free once the interface is gone; what is
   * asked for under that name waits until then.
   */
  dismiss(name: AttachmentName): Promise<void> {
    checkName(name);
    return new Promise((resolve, reject) => {
      this.#inTurn(name, () => this.#dismiss(name, resolve)).then(resolve, reject);
    });
  }

  /** Takes over what an earlier daemon left: interfaces that work are used again, the rest is freed. Call once, first. */
  async recover(): Promise<void> {
    // Those that stay first: what is undone must not free an address that one of them has.
    const stored = this.#options.store.all();
    for (const attachment of stored.filter(({ phase }) => phase === 'ready')) {
      this.#portForwards.adopt(attachment);
      this.#live.set(attachmentKey(attachment), { attachment, port: undefined });
      for (const ip of attachment.ips) {
        if (!take(this.#options.ipam, ip)) {
          this.#foreign.add(formatAddress(ip));
          if (attachment.gateways) continue;
          const { id, ifname } = attachment;
          this.#options.log.warn(
            { id, ifname, ip: formatAddress(ip) },
            'a pod has an address outside pods.cidrs',
          );
        }
      }
    }
    this.#recoverRests();
    for (const attachment of stored) await this.#inTurn(attachment, () => this.#recover(attachment));
    await this.#portForwards.restore();
  }

  /** One round of looking for pods that are gone, and of taking over what could not be before. Call every 250 ms or so. */
  async check(): Promise<void> {
    const dead = new Set(this.#options.ports.deadPorts());
    const slow = this.#round++ % SLOW_ROUNDS === 0;
    if (slow) {
      await this.#portForwards.repair();
      await this.#options.store.endRests(sinceBoot(), this.#options.bootId);
      for (const one of this.#ending.values()) await this.#inTurn(one, () => this.#endAgain(one));
    }
    for (const [key, live] of this.#toLookAt(dead, slow)) {
      if (this.#turns.has(key)) continue;
      const { attachment, port } = live;
      const free = (reason: string) => this.#inTurn(attachment, () => this.#free(attachment, reason));
      if (port === undefined) {
        if (slow) await this.#inTurn(attachment, () => this.#recover(attachment));
      } else if (dead.has(port)) {
        await free('its interface is gone');
      } else if (!enterable(attachment) && (slow || !live.pathGone)) {
        live.pathGone = true;
        if (!isUsed(attachment.namespace)) await free('its network namespace is gone');
      }
    }
  }

  /** Those whose turn it is, and all of whom something is known already. */
  #toLookAt(dead: ReadonlySet<number>, slow: boolean): Iterable<[string, Live]> {
    const all = [...this.#live];
    if (all.length <= PODS_A_ROUND) return all;
    const from = (this.#round * PODS_A_ROUND) % all.length;
    const known = all.filter(([, { port, pathGone = false }]) =>
      port === undefined ? slow : dead.has(port) || (slow && pathGone),
    );
    return new Map([...all.slice(from, from + PODS_A_ROUND), ...known]);
  }

  /** Waits for what is under way; what is asked for later is refused. Pods stay. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#turns.values());
  }

  async #attach(request: AttachRequest): Promise<Attachment> {
    const { store, ipam, log } = this.#options;
    const { id, ifname, netns } = request;
    const existing = this.#live.get(attachmentKey(request))?.attachment;
    if (existing?.token !== undefined && existing.token === request.token) return existing;
    const ending = this.#ending.get(attachmentKey(request));
    if (ending) await this.#end(ending);
    if (store.get(request)) {
      throw new AttachError('exists', `${id} has an attachment ${ifname} already; detach it first`);
    }
    const pod = openPodNamespace(netns);
    // How to undo what has been done so far, last first.
    const undo: (() => void | Promise<void>)[] = [() => closeSync(pod.fd)];
    try {
      // Looked at before anything is on disk: what is found later under a name that is on disk is ours.
      if (hasInterface(pod.fd, ifname)) {
        throw new AttachError(
          'interface',
          `${netns} has an interface ${ifname} already; choose another name (--ifname)`,
        );
      }
      endRests(ipam, sinceBoot());
      const lease = () =>
        request.given ? this.#accept(request.ips ?? []) : allocate(ipam, request.ips, request.within);
      let leased = lease();
      if (!leased.ok && this.#leaving.size > 0) {
        // What is lacking may be an address of a pod that is gone but for its interface.
        await Promise.all(this.#leaving);
        leased = lease();
      }
      if (!leased.ok) throw new AttachError('address', leased.reason);
      const ips = leased.addresses;
      this.#take(ips);
      undo.unshift(() => this.#release(ips));
      const attachment: Attachment = {
        id,
        ifname,
        netns,
        namespace: pod.id,
        bootId: this.#options.bootId,
        ips,
        mtu: request.mtu ?? this.#options.mtu(),
        mac: request.mac ?? attachmentMac(request),
        phase: 'creating',
        ...(request.gateways && { gateways: request.gateways }),
        ...(request.bandwidth && { bandwidth: request.bandwidth }),
        ...(request.portMappings && { portMappings: request.portMappings }),
        ...(request.network !== undefined && { network: request.network }),
        ...(request.token !== undefined && { token: request.token }),
      };
      undo.unshift(() => this.#portForwards.close(attachment));
      this.#portForwards.reserve(attachment);
      // While that goes to the disk the interface is made, which ends with this process; nothing goes through it before.
      const recorded = store.put(attachment, this.#positions(ips));
      undo.unshift(async () => {
        await recorded.catch(() => {});
        await store.remove(attachment);
      });
      const fds = createInterface(pod.fd, { ...this.#spec(attachment), routes: request.routes });
      undo.unshift(() => removeInterface(pod.fd, ifname));
      await orClose(fds, recorded);
      const port = this.#addPort(attachment, fds);
      undo.unshift(() => this.#withdraw(attachment, port));
      await this.#addRoutes(attachment, port);
      await this.#portForwards.open(attachment);
      setPersistent(fds[0], true);
      const ready: Attachment = { ...attachment, phase: 'ready' };
      await store.put(ready);
      this.#live.set(attachmentKey(ready), { attachment: ready, port });
      closeSync(pod.fd);
      log.info({ id, ifname, netns, ips: ips.map(formatAddress), port }, 'pod attached');
      return ready;
    } catch (error) {
      for (const step of undo) {
        await this.#attempt(step, { id, ifname }, 'undoing a failed attachment: a step failed');
      }
      throw error;
    }
  }

  async #detach(name: AttachmentName): Promise<void> {
    const key = attachmentKey(name);
    const live = this.#live.get(key);
    if (!live) return;
    const { attachment, port } = live;
    if (port !== undefined) await this.#withdraw(attachment, port);
    live.port = undefined;
    const pod = holdNamespace(attachment);
    if (pod !== undefined) whileOpen(pod, () => removeInterface(pod, name.ifname));
    await this.#forget(attachment);
    this.#options.log.info({ id: name.id, ifname: name.ifname }, 'pod detached');
  }

  /** @param settled called when the caller has to wait no longer */
  async #dismiss(name: AttachmentName, settled: () => void): Promise<void> {
    const live = this.#live.get(attachmentKey(name));
    if (!live) return;
    const { attachment, port } = live;
    const { id, ifname } = attachment;
    for (const ip of attachment.ips) this.#options.routes.remove(hostPrefix(ip));
    await this.#options.store.put({ ...attachment, phase: 'removing' });
    this.#live.delete(attachmentKey(name));
    await this.#portForwards.close(name);
    // Who is told so unmounts it next.
    const pod = holdNamespace(attachment);
    settled();
    const left = this.#attempt(
      async () => {
        await this.#remove(pod, ifname, port);
        this.#ending.set(attachmentKey(name), attachment);
      },
      { id, ifname },
      'the interface of a pod could not be removed; the next daemon tries again',
    ).then(() => this.#endAgain(attachment));
    this.#leaving.add(left);
    await left;
    this.#leaving.delete(left);
  }

  /**
   * Deletes port and interface in the background, one at a time: the kernel does no two at once, and those that wait for it
   * would hold up others in Node's threads, such as the journal.
   */
  #remove(pod: number | undefined, ifname: string, port: number | undefined): Promise<void> {
    const done = this.#removal.then(async () => {
      try {
        await setImmediate(); // Who waits is told first.
        if (port !== undefined) await this.#options.ports.removePort(port);
        if (pod !== undefined) await removeInterfaceInBackground(pod, ifname);
      } finally {
        if (pod !== undefined) closeSync(pod);
      }
    });
    this.#removal = done.catch(() => {});
    return done;
  }

  /** Of one whose interface is gone and that is not forgotten yet: on a full disk that has to wait. */
  async #endAgain(attachment: Attachment): Promise<void> {
    const { id, ifname } = attachment;
    if (!this.#ending.has(attachmentKey(attachment))) return;
    const failed = 'a detached pod could not be forgotten and keeps its addresses; it is tried again';
    await this.#attempt(() => this.#end(attachment), { id, ifname }, failed);
  }

  async #end(attachment: Attachment): Promise<void> {
    const { id, ifname, ips } = attachment;
    await this.#options.store.remove(attachment, this.#rests(ips));
    this.#ending.delete(attachmentKey(attachment));
    this.#release(ips);
    this.#options.log.info({ id, ifname }, 'pod detached');
  }

  /** The pod went away by itself: nothing of it is left but what is ours. */
  async #free(attachment: Attachment, reason: string): Promise<void> {
    const { id, ifname, netns } = attachment;
    const port = this.#live.get(attachmentKey(attachment))?.port;
    if (port !== undefined) await this.#withdraw(attachment, port);
    await this.#forget(attachment);
    this.#options.log.warn({ id, ifname, netns, reason }, 'pod is gone; its port and addresses are free');
  }

  async #recover(attachment: Attachment): Promise<void> {
    const { id, ifname, netns } = attachment;
    if (attachment.bootId !== this.#options.bootId)
      return this.#free(attachment, 'the machine was booted since');
    const pod = holdNamespace(attachment);
    if (pod === undefined) return this.#free(attachment, 'its network namespace is gone');
    let port: number | undefined;
    try {
      if (attachment.phase !== 'ready') {
        removeInterface(pod, ifname);
        const doing = attachment.phase === 'creating' ? 'attached' : 'detached';
        return await this.#free(attachment, `it was being ${doing} when the daemon ended`);
      }
      if (findInterface(pod, ifname)?.kind !== 'tun') {
        return await this.#free(attachment, 'its interface is gone');
      }
      port = this.#addPort(attachment, adoptInterface(pod, this.#spec(attachment)));
      await this.#addRoutes(attachment, port);
      this.#live.set(attachmentKey(attachment), { attachment, port });
      this.#options.log.info({ id, ifname, netns, port }, 'pod taken over');
    } catch (error) {
      // The pod is there, and so is its lease: the next round tries again.
      if (port !== undefined) await this.#withdraw(attachment, port);
      this.#options.log.error({ id, ifname, netns, err: error }, 'a pod could not be taken over');
    } finally {
      closeSync(pod);
    }
  }

  #addPort({ mtu, bandwidth }: Attachment, fds: readonly number[]): number {
    try {
      return this.#options.ports.addPort({ kind: 'pod', mtu, fds, ...(bandwidth && { limits: bandwidth }) });
    } catch (error) {
      for (const fd of fds) closeSync(fd);
      throw error;
    }
  }

  async #addRoutes({ ips }: Attachment, port: number): Promise<void> {
    for (const ip of ips) await this.#options.routes.add(hostPrefix(ip), port);
  }

  async #withdraw({ ips }: Attachment, port: number): Promise<void> {
    for (const ip of ips) this.#options.routes.remove(hostPrefix(ip));
    await this.#options.ports.removePort(port);
  }

  async #forget(attachment: Attachment): Promise<void> {
    await this.#portForwards.close(attachment);
    const isLive = this.#live.has(attachmentKey(attachment));
    await this.#options.store.remove(attachment, isLive ? this.#rests(attachment.ips) : []);
    // Of one that was never finished the addresses may be another's by now.
    if (this.#live.delete(attachmentKey(attachment))) {
      this.#release(attachment.ips);
    }
  }

  /** Addresses that somebody else has chosen, unless they are in use here. */
  #accept(ips: readonly Address[]): Allocation {
    if (new Set(ips.map(({ family }) => family)).size < ips.length) {
      const reason = `${ips.map(formatAddress).join(', ')}: a pod's interface has one address a family`;
      return { ok: false, reason };
    }
    for (const ip of ips) {
      if (this.#options.ipam.some(({ pool }) => isAssigned(pool, ip))) {
        const alone = allocate(this.#options.ipam, [ip], [{ first: ip, last: ip }]);
        if (!alone.ok) return alone;
      } else if (this.#foreign.has(formatAddress(ip))) {
        return { ok: false, reason: `${formatAddress(ip)} is in use by another pod` };
      }
    }
    return { ok: true, addresses: ips };
  }

  #take(ips: readonly Address[]): void {
    for (const ip of ips) if (!take(this.#options.ipam, ip)) this.#foreign.add(formatAddress(ip));
  }

  #release(ips: readonly Address[]): void {
    for (const ip of ips) {
      release(this.#options.ipam, ip, sinceBoot());
      this.#foreign.delete(formatAddress(ip));
    }
  }

  #spec(attachment: Attachment): InterfaceSpec {
    const { queues, offload, gsoLimits } = this.#options;
    const { ifname, ips, mtu } = attachment;
    const gateways = attachment.gateways ?? this.#nodeAddresses(ips);
    return { ifname, ips, gateways, mtu, queues, offload, gso: gsoLimits(mtu) };
  }

  /** Where the search for the next address goes on in the ranges that these are of. */
  #positions(ips: readonly Address[]): Map<string, number> {
    const ranges = this.#options.ipam.filter(({ pool }) => ips.some((ip) => isAssigned(pool, ip)));
    return new Map(ranges.map(({ pool, next }) => [formatPrefix(pool.prefix), next]));
  }

  /** What `#release` will do, for the next daemon. */
  #rests(ips: readonly Address[]): StoredRest[] {
    const { ipam, bootId } = this.#options;
    const until = sinceBoot() + REST;
    return ips
      .filter((ip) => ipam.some(({ pool }) => isAssigned(pool, ip)))
      .map((ip) => ({ ip, until, bootId }));
  }

  /** Addresses rest on, and the search for the next one goes on, where an earlier daemon was. */
  #recoverRests(): void {
    const { ipam, store, bootId } = this.#options;
    for (const entry of ipam) entry.next = store.next(formatPrefix(entry.pool.prefix)) ?? entry.next;
    const now = sinceBoot();
    const rests = store.rests().map((one) => (one.bootId === bootId ? one : { ...one, until: now + REST }));
    for (const { ip, until } of rests.sort((a, b) => a.until - b.until)) {
      if (until > now) rest(ipam, ip, until);
    }
  }

  /** Those of the ranges that the addresses are in. */
  #nodeAddresses(ips: readonly Address[]): Address[] {
    const ranges = this.#options.ipam.map(({ pool }) => pool.prefix);
    return ips.flatMap((ip) => {
      const range = ranges.find((prefix) => prefixContains(prefix, ip));
      return range ? [hostAddress(range)] : [];
    });
  }

  async #attempt(step: () => void | Promise<void>, fields: object, otherwise: string): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#options.log.error({ ...fields, err: error }, otherwise);
    }
  }

  #inTurn<T>(name: AttachmentName, operation: () => Promise<T>): Promise<T> {
    if (this.#closed)
      return Promise.reject(new AttachError('stopping', 'the node is stopping; try again when it runs'));
    const key = attachmentKey(name);
    const done = (this.#turns.get(key) ?? Promise.resolve()).then(operation);
    const settled = done.catch(() => {});
    this.#turns.set(key, settled);
    settled.then(() => {
      if (this.#turns.get(key) === settled) this.#turns.delete(key);
    });
    return done;
  }
}

function whileOpen(fd: number, fn: () => void): void {
  try {
    fn();
  } finally {
    closeSync(fd);
  }
}

/** Closes the descriptors when that fails. */
async function orClose(fds: readonly number[], done: Promise<void>): Promise<void> {
  try {
    await done;
  } catch (error) {
    for (const fd of fds) closeSync(fd);
    throw error;
  }
}
