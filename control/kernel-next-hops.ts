/**
 * Groups of next hops in the kernel, which routes over several routers share: when a router is lost, the group changes and
 * no route, and flows over the others stay where they are (resilient groups, kernel 5.13). Made of nexthop objects with
 * Weft's protocol number; never touches another's.
 */
import type { Log } from '../cni/host.ts';
import type { KernelVia } from '../routing/fib-sync.ts';
import { nextHopKey } from '../routing/next-hops.ts';
import { type Nexthop, nexthops, type Request, type Rtnetlink } from '../sys/rtnetlink.ts';
import { type Address, addressEquals, addressToBytes } from '../wire/address.ts';
import { WEFT_PROTOCOL } from './protocol.ts';

interface Group {
  readonly id: number;
  key: string;
  vias: readonly KernelVia[];
  users: number;
}

/** Far from those that the kernel and other daemons begin with. */
const FIRST_ID = 0x5745_0000;
const RESILIENCE = { buckets: 128, idleTime: 120 } as const;

export class KernelNextHops {
  readonly #netlink: Rtnetlink;
  readonly #log: Log;
  readonly #members = new Map<string, { readonly id: number; users: number }>();
  readonly #groups = new Map<number, Group>();
  readonly #byKey = new Map<string, Group>();
  /** What an earlier daemon left. */
  #stale: readonly Nexthop[];
  #nextId: number;
  #isSupported = true;

  /** No route uses a group. */
  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  constructor(netlink: Rtnetlink, log: Log) {
    this.#netlink = netlink;
    this.#log = log;
    this.#stale = listOwn(netlink);
    this.#nextId = Math.max(FIRST_ID, ...this.#stale.map(({ id }) => id + 1));
  }

  /** A group of these routers, in use until released. Undefined: there can be none here, or an interface is not known. */
  acquire(vias: readonly KernelVia[]): number | undefined {
    if (!this.#isSupported || vias.some((via) => via.interface === undefined)) return undefined;
    const key = setKey(vias);
    const known = this.#byKey.get(key);
    if (known) {
      known.users++;
      return known.id;
    }
    const group = { id: this.#nextId++, key, vias, users: 1 };
    this.#useMembers(vias, 1);
    if (!this.#write(group)) {
      this.#useMembers(vias, -1);
      return undefined;
    }
    this.#groups.set(group.id, group);
    this.#byKey.set(key, group);
    return group.id;
  }

  /** @returns requests to run once no route refers to it any more */
  release(id: number): Request[] {
    const group = this.#groups.get(id);
    if (!group || --group.users > 0) return [];
    this.#groups.delete(id);
    if (this.#byKey.get(group.key) === group) this.#byKey.delete(group.key);
    return [nexthops.remove(id), ...this.#useMembers(group.vias, -1)];
  }

  users(id: number): number {
    return this.#groups.get(id)?.users ?? 0;
  }

  /** Gives the group other routers, for all routes that use it. @returns whether that was possible */
  change(id: number, vias: readonly KernelVia[]): boolean {
    const group = this.#groups.get(id);
    const key = setKey(vias);
    if (!group || this.#byKey.has(key) || vias.some((via) => via.interface === undefined)) return false;
    const { vias: before, key: keyBefore } = group;
    this.#useMembers(vias, 1);
    Object.assign(group, { vias, key });
    if (!this.#write(group)) {
      Object.assign(group, { vias: before, key: keyBefore });
      this.#useMembers(vias, -1);
      return false;
    }
    if (this.#byKey.get(keyBefore) === group) this.#byKey.delete(keyBefore);
    this.#byKey.set(key, group);
    this.#netlink.settle(this.#useMembers(before, -1));
    return true;
  }

  /** A router does not answer any more: takes it out of every group that has others. */
  lost(address: Address): void {
    for (const group of [...this.#groups.values()]) {
      const left = group.vias.filter((via) => !addressEquals(via.address, address));
      if (left.length > 0 && left.length < group.vias.length) this.change(group.id, left);
    }
  }

  /** Writes everything anew: the kernel drops what is on an interface that goes down. */
  restore(): void {
    for (const group of this.#groups.values()) this.#write(group);
  }

  removeStale(): void {
    const ids = new Set([...this.#groups.keys(), ...[...this.#members.values()].map(({ id }) => id)]);
    const gone = this.#stale.filter(({ id }) => !ids.has(id)).sort((a, b) => b.id - a.id);
    this.#netlink.settle(gone.map(({ id }) => nexthops.remove(id)));
    this.#stale = [];
  }

  #write(group: Group): boolean {
    const members = group.vias.map((via) => {
      const { id } = this.#members.get(nextHopKey(via)) as { id: number };
      return { via, id };
    });
    const requests = [
      ...members.map(({ via, id }) =>
        nexthops.replace({
          id,
          index: via.interface,
          gateway: addressToBytes(via.address),
          protocol: WEFT_PROTOCOL,
        }),
      ),
      nexthops.replace({
        id: group.id,
        group: members.map(({ via, id }) => ({ id, weight: via.weight })),
        resilient: RESILIENCE,
        protocol: WEFT_PROTOCOL,
      }),
    ];
    const error = this.#netlink.settle(requests).find((outcome) => outcome !== undefined);
    if (!error) return true;
    // Older kernels: routes then name their routers themselves, and flows may move when one is lost.
    if (error.code === 'EOPNOTSUPP' || error.code === 'EINVAL') {
      this.#isSupported = false;
      this.#log.info({ err: error }, 'the kernel has no resilient groups of next hops; routes do without');
    }
    return false;
  }

  /** @returns requests that remove the members nobody uses any more */
  #useMembers(vias: readonly KernelVia[], change: 1 | -1): Request[] {
    return vias.flatMap((via) => {
      const key = nextHopKey(via);
      const member = this.#members.get(key) ?? { id: this.#nextId++, users: 0 };
      member.users += change;
      if (member.users > 0) {
        this.#members.set(key, member);
        return [];
      }
      this.#members.delete(key);
      return [nexthops.remove(member.id)];
    });
  }
}

function setKey(vias: readonly KernelVia[]): string {
  return vias.map((via) => `${nextHopKey(via)}*${via.weight ?? 1}`).join(' ');
}

function listOwn(netlink: Rtnetlink): Nexthop[] {
  try {
    return netlink.list(nexthops.all()).filter(({ protocol }) => protocol === WEFT_PROTOCOL);
  } catch {
    return []; // A kernel without nexthop objects (before 5.3).
  }
}
