/**
 * Leases beside what they are for: who has which address, whether the pod still is there, and what to do where it is not.
 * The daemon frees by itself what it sees end; this is for whoever wants to be sure, or to know better.
 */
import { type Address, addressEquals, formatAddress } from '../wire/address.ts';
import { formatPrefix } from '../wire/prefix.ts';
import { type Attachment, type AttachmentName, attachmentKey } from './attachment.ts';
import type { Attachments, LiveAttachment } from './attachments.ts';
import { sinceBoot } from './clock.ts';
import { inspectInterface } from './inspect.ts';
import { endRests, type IpamState, release } from './ipam/allocator.ts';
import { addressAt, offsetOf } from './ipam/pool.ts';
import { enterable, isUsed } from './namespace.ts';
import type { AttachmentStore } from './store.ts';

export interface LeasesOptions {
  readonly attachments: Pick<Attachments, 'list' | 'find' | 'detach' | 'forwards' | 'isBusy'>;
  readonly ipam: IpamState;
  readonly store: Pick<AttachmentStore, 'all' | 'remove'>;
}

export interface RangeUse {
  readonly range: string;
  /** Addresses that pods can have; of these, with pods, and resting before they are given again. */
  readonly size: number;
  readonly used: number;
  readonly resting: number;
}

export interface Finding extends Partial<AttachmentName> {
  readonly ip?: string;
  readonly problem: string;
  /** What to do about it. */
  readonly remedy: string;
  readonly fixed: boolean;
}

interface Found extends Omit<Finding, 'fixed'> {
  /** Absent: nobody but the owner of the pod can. */
  readonly fix?: () => Promise<void> | void;
}

export type Release = 'released' | 'unknown' | 'alive';

export class Leases {
  readonly #options: LeasesOptions;

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  ranges(): RangeUse[] {
    endRests(this.#options.ipam, sinceBoot());
    return this.#options.ipam.map(({ pool, taken, resting }) => ({
      range: formatPrefix(pool.prefix),
      size: Math.max(0, pool.last - pool.first + 1),
      used: taken.size,
      resting: resting.size,
    }));
  }

  /** @param fix also does what can be done */
  async check(fix: boolean): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (const { fix: how, ...found } of this.#find()) {
      if (fix && how) await how();
      findings.push({ ...found, fixed: fix && how !== undefined });
    }
    return findings;
  }

  /** Frees an address at once. @param force also when its pod is there: that loses its interface */
  async release(ip: Address, force: boolean): Promise<Release> {
    const { attachments, ipam } = this.#options;
    const owner = attachments
      .list()
      .find(({ attachment }) => attachment.ips.some((one) => addressEquals(one, ip)));
    if (owner) {
      if (!force && whyDead(owner.attachment) === undefined) return 'alive';
      await attachments.detach(owner.attachment);
    }
    let known = owner !== undefined;
    for (const { pool, busy, resting } of ipam) {
      const offset = offsetOf(pool, ip);
      if (typeof offset === 'string' || !resting.delete(offset)) continue;
      busy.delete(offset);
      known = true;
    }
    return known ? 'released' : 'unknown';
  }

  /** What is found is found at one moment, before anything is done about it. */
  #find(): Found[] {
    const { attachments } = this.#options;
    const idle = attachments.list().filter(({ attachment }) => !attachments.isBusy(attachment));
    return [...idle.flatMap((one) => this.#ofPod(one)), ...this.#twice(), ...this.#ofNobody()];
  }

  #ofPod(live: LiveAttachment): Found[] {
    const { attachments, ipam } = this.#options;
    const { attachment } = live;
    const { id, ifname, ips } = attachment;
    const found = (problem: string, remedy: string, fix?: () => Promise<void>): Found => {
      const ip = ips.map(formatAddress).join(' ');
      return { id, ifname, ip, problem, remedy, ...(fix && { fix }) };
    };
    const reason = whyDead(attachment);
    if (reason) {
      return [found(reason, 'free it: weft ipam check --fix', () => attachments.detach(attachment))];
    }
    // Where others give the addresses, they know why.
    const outside = attachment.gateways
      ? []
      : ips.filter((ip) => ipam.every(({ pool }) => typeof offsetOf(pool, ip) === 'string'));
    return [
      ...outside.map((ip) =>
        found(
          `${formatAddress(ip)} is in no range of pods.cidrs`,
          'make the pod anew, or put the range back',
        ),
      ),
      ...(attachments.forwards(attachment)
        ? []
        : [
            found(
              'the engine does not forward for it',
              "see the daemon's log; it is tried again every few seconds",
            ),
          ]),
    ];
  }

  #twice(): Found[] {
    const owners = new Map<string, AttachmentName>();
    const found: Found[] = [];
    for (const { attachment } of this.#options.attachments.list()) {
      for (const ip of attachment.ips.map(formatAddress)) {
        const other = owners.get(ip);
        if (other) {
          const { id, ifname } = attachment;
          const problem = `${attachmentKey(other)} has the same address`;
          found.push({ id, ifname, ip, problem, remedy: 'make one of the two pods anew' });
        }
        owners.set(ip, attachment);
      }
    }
    return found;
  }

  /** While something is being attached its address is taken, and its record there, before it is one of the pods. */
  #ofNobody(): Found[] {
    const { attachments, ipam, store } = this.#options;
    if (attachments.isBusy()) return [];
    const records = store
      .all()
      .filter((record) => !attachments.find(record))
      .map((record): Found => {
        const { id, ifname } = record;
        const problem = 'is on disk, but no pod of this daemon';
        return {
          id,
          ifname,
          problem,
          remedy: 'forget it: weft ipam check --fix',
          fix: () => store.remove(record),
        };
      });
    const owned = new Set(attachments.list().flatMap(({ attachment }) => attachment.ips.map(formatAddress)));
    const leaked = ipam.flatMap(({ pool, taken }) =>
      [...taken].map((offset) => addressAt(pool, offset)).filter((ip) => !owned.has(formatAddress(ip))),
    );
    const freed = leaked.map((ip): Found => {
      const fix = () => release(ipam, ip, sinceBoot());
      return {
        ip: formatAddress(ip),
        problem: 'is taken by no pod',
        remedy: 'free it: weft ipam check --fix',
        fix,
      };
    });
    return [...records, ...freed];
  }
}

/** Undefined: the pod is there, with its interface. */
function whyDead(attachment: Attachment): string | undefined {
  const { netns, namespace, ifname } = attachment;
  // Something else may still lead to the namespace.
  if (!enterable(attachment)) return isUsed(namespace) ? undefined : `its network namespace ${netns} is gone`;
  try {
    return inspectInterface(netns, ifname)?.kind === 'tun' ? undefined : `its interface ${ifname} is gone`;
  } catch {
    return enterable(attachment) ? undefined : `its network namespace ${netns} is gone`;
  }
}
