/**
 * The routes of Weft in the node's own kernel table, by which the node's packets, and those that come to it for pods,
 * find the fabric: told apart from everyone else's by a protocol number of their own. Never touches another's route.
 */

import type { Log } from '../cni/host.ts';
import type { KernelPath, KernelRoutes } from '../routing/fib-sync.ts';
import { PrefixMap } from '../routing/prefix-map.ts';
import { keyOf, type PrefixKey } from '../routing/route-table.ts';
import type { SysError } from '../sys/errors.ts';
import { type Dump, type Request, type Route, RouteTable, type Rtnetlink, routes } from '../sys/rtnetlink.ts';
import { type Address, addressToBytes } from '../wire/address.ts';
import { formatPrefix, type Prefix } from '../wire/prefix.ts';
import { KernelNextHops } from './kernel-next-hops.ts';
import {
  kernelRoute,
  leadsAlike,
  metricOf,
  placeOf,
  prefixOf,
  removal,
  samePath,
  sameVias,
  type UnderlayPath,
  VERBS,
  type Verb,
} from './kernel-route.ts';
import { inPortions, PORTION, pause } from './portions.ts';
import { WEFT_PROTOCOL } from './protocol.ts';

export interface KernelRouteOptions {
  readonly netlink: Rtnetlink;
  /** Of the same namespace, and nobody else's: for what takes the kernel long. */
  readonly background: Rtnetlink;
  /** Another one, to be closed again: for lists that are read some at a time. */
  open(): Rtnetlink;
  /** Index and MTU of the host port. */
  readonly hostPort: { readonly index: number; readonly mtu: number };
  /** The node's own addresses in the fabric: what it sends there comes from them. At most one a family is used. */
  readonly sources: readonly Address[];
  readonly log: Log;
}

export interface NodeRoutes extends KernelRoutes {
  /** Removes what an earlier daemon left, but for what has been set since. */
  removeStale(): void;
  /** Puts back what the kernel has dropped, as it does when an interface goes down. */
  repair(): Promise<void>;
  /** A router is known to be lost: routes that have others go on without it, before anyone takes them back. */
  viaLost(address: Address): void;
  /** Of what nobody changes meanwhile; looks at some at a time. */
  differences(): Promise<Differences>;
  removeAll(): Promise<void>;
  /** Resolves when nothing is being asked for in the background any more. */
  settled(): Promise<void>;
}

/** Between what should be in the kernel's table and what is. */
export interface Differences {
  readonly missing: readonly Prefix[];
  /** There, and not as they should be. */
  readonly elsewhere: readonly Prefix[];
  readonly surplus: readonly Prefix[];
}

/** Kept of each route, one for all that are alike; what the kernel is asked for is made from it when it is needed. */
interface Wanted {
  readonly path: KernelPath;
  /** Of next hops in the kernel. */
  readonly group: number | undefined;
  /** The kernel took it, as far as it was asked. */
  readonly isInstalled: boolean;
}

/** What routes by one path have in common: they differ in their destination. */
interface Alike {
  readonly wanted: Wanted[];
  readonly requests: Map<string, Request>;
}

/** `path` absent: no route. */
interface Change {
  readonly prefix: Prefix;
  readonly path: KernelPath | undefined;
}

/** What the kernel is to be asked for, in order; of what it refuses is told what it was for. */
class Exchange {
  readonly requests: Request[] = [];
  readonly #prefixes: (Prefix | undefined)[] = [];
  readonly #entries: (Wanted | undefined)[] = [];

  install(request: Request, prefix: Prefix, entry: Wanted): void {
    this.#ask(request, prefix, entry);
  }

  remove(request: Request, prefix: Prefix): void {
    this.#ask(request, prefix, undefined);
  }

  /** It does not matter whether the kernel does it. */
  tidy(request: Request): void {
    this.#ask(request, undefined, undefined);
  }

  finish(answers: readonly (SysError | undefined)[], refused: Refused): void {
    for (const [i, error] of answers.entries()) {
      const prefix = this.#prefixes[i];
      if (error !== undefined && prefix !== undefined) refused(error, prefix, this.#entries[i]);
    }
  }

  #ask(request: Request, prefix: Prefix | undefined, entry: Wanted | undefined): void {
    this.requests.push(request);
    this.#prefixes.push(prefix);
    this.#entries.push(entry);
  }
}

/** @param entry what was to be installed; absent: the route was to be removed */
type Refused = (error: SysError, prefix: Prefix, entry: Wanted | undefined) => void;

/** What the kernel is being asked for while others go on. */
interface UnderWay {
  readonly changes: ReadonlyMap<PrefixKey, Change>;
  /** Changed once more meanwhile: what comes of both is known only afterwards. */
  readonly overtaken: Map<PrefixKey, Change>;
  readonly done: Promise<void>;
}

export function openKernelRoutes(options: KernelRouteOptions): NodeRoutes {
  const { netlink, background, open, hostPort, sources, log } = options;
  const nextHops = new KernelNextHops(netlink, log);
  const wanted = new PrefixMap<Wanted>();
  const alike = new WeakMap<KernelPath, Alike>();
  const alikeOf = (path: KernelPath): Alike => {
    let known = alike.get(path);
    if (known === undefined) {
      known = { wanted: [], requests: new Map() };
      alike.set(path, known);
    }
    return known;
  };
  const wantedOf = (path: KernelPath, group: number | undefined, isInstalled: boolean): Wanted => {
    const all = alikeOf(path).wanted;
    const known = all.find((one) => one.group === group && one.isInstalled === isInstalled);
    if (known !== undefined) return known;
    const made = { path, group, isInstalled };
    all.push(made);
    return made;
  };
  const routeOf = (prefix: Prefix, { path, group }: Wanted): Route => {
    const source = sources.find(({ family }) => family === prefix.address.family);
    return kernelRoute(prefix, path, { hostPort, source, group });
  };
  const requestFor = (verb: Verb, prefix: Prefix, entry: Wanted): Request => {
    const make = () => VERBS[verb](routeOf(prefix, entry));
    if (entry.group !== undefined || prefix.length === 0) return make();
    const { requests } = alikeOf(entry.path);
    const key = `${verb}${prefix.address.family}`;
    const known = requests.get(key);
    if (known !== undefined) {
      return routes.withDestination(known, {
        address: addressToBytes(prefix.address),
        length: prefix.length,
      });
    }
    const first = make();
    requests.set(key, first);
    return first;
  };
  /** What an earlier daemon left and nobody has asked for yet, by prefix and metric. */
  const stale = new Map<string, Route>();
  for (const route of listOwn(netlink)) stale.set(placeOf(route), route);
  /** By whom the table is being looked through, the prefixes asked for since: what is found of these says nothing. */
  const touched = new Set<PrefixMap<true>>();
  const touch = (prefix: Prefix): void => {
    for (const prefixes of touched) prefixes.set(prefix, true);
  };
  let batch: Map<PrefixKey, Change> | undefined;
  let underWay: UnderWay | undefined;

  const apply = (changes: readonly Change[]): void => {
    const exchange = exchangeFor(changes);
    for (const { prefix } of underWay ? changes : []) {
      const key = keyOf(prefix);
      const overtaken = underWay?.changes.get(key);
      if (overtaken) underWay?.overtaken.set(key, overtaken);
    }
    exchange.finish(netlink.settle(exchange.requests), refused);
  };

  const applyInBackground = async (changes: ReadonlyMap<PrefixKey, Change>): Promise<void> => {
    const exchange = exchangeFor([...changes.values()]);
    if (exchange.requests.length === 0) return;
    const overtaken = new Map<PrefixKey, Change>();
    const answers = background.settleInBackground(exchange.requests);
    const done = answers.then(
      (errors) => {
        underWay = undefined;
        exchange.finish(errors, refused);
        for (const change of overtaken.values()) settleOvertaken(change);
      },
      (error) => {
        underWay = undefined;
        throw error;
      },
    );
    underWay = { changes, overtaken, done };
    await done;
  };

  const settled = async (): Promise<void> => {
    while (underWay) await underWay.done;
  };

  /** Of a prefix that was asked for twice at a time: makes the kernel's route what is wanted now. */
  const settleOvertaken = ({ prefix, path }: Change): void => {
    touch(prefix);
    const entry = wanted.get(prefix);
    const exchange = new Exchange();
    if (path && (entry === undefined || path.learned !== entry.path.learned)) {
      exchange.remove(requestFor('remove', prefix, wantedOf(path, undefined, true)), prefix);
    }
    if (entry) {
      const installed = wantedOf(entry.path, entry.group, true);
      wanted.set(prefix, installed);
      exchange.install(requestFor('replace', prefix, installed), prefix, installed);
    }
    exchange.finish(netlink.settle(exchange.requests), refused);
  };

  /** What is wanted is so from now on. */
  const exchangeFor = (changes: readonly Change[]): Exchange => {
    const exchange = new Exchange();
    moveGroups(changes);
    for (const { prefix, path } of changes) {
      touch(prefix);
      const before = wanted.get(prefix);
      if (path) install(prefix, path, before, exchange);
      else if (before) uninstall(prefix, before, exchange);
    }
    return exchange;
  };

  const refused: Refused = (error, prefix, entry) => {
    if (entry === undefined) {
      complain(error);
      return;
    }
    const { path, group } = entry;
    if (wanted.get(prefix) === entry) wanted.set(prefix, wantedOf(path, group, false));
    log.warn(
      { err: error },
      "a route of the fabric is not in the node's table: the node itself may not reach it",
    );
  };

  /** Where all routes of a group go over to other routers together, the group goes. */
  const moveGroups = (changes: readonly Change[]): void => {
    if (nextHops.isEmpty) return;
    const moves = new Map<number, { to: UnderlayPath; count: number } | undefined>();
    for (const { prefix, path } of changes) {
      const group = wanted.get(prefix)?.group;
      if (group === undefined) continue;
      const move = moves.get(group);
      if (path?.kind !== 'underlay' || (moves.has(group) && !(move && sameVias(move.to, path)))) {
        moves.set(group, undefined);
      } else {
        moves.set(group, { to: path, count: (move?.count ?? 0) + 1 });
      }
    }
    for (const [group, move] of moves) {
      if (move && move.count === nextHops.users(group)) nextHops.change(group, move.to.vias);
    }
  };

  const install = (
    prefix: Prefix,
    path: KernelPath,
    before: Wanted | undefined,
    exchange: Exchange,
  ): void => {
    const group = needsGroup(path, before) ? nextHops.acquire(path.vias) : undefined;
    const unused = before?.group === undefined ? [] : nextHops.release(before.group);
    const entry = wantedOf(path, group, true);
    wanted.set(prefix, entry);
    if (before?.isInstalled && before.group === group && samePath(before.path, path)) return;
    const staysAtPlace = before !== undefined && before.path.learned === path.learned;
    // Replacing is for our own only: where there is none of ours, another's of the same prefix is to stay.
    const ours =
      (before?.isInstalled && staysAtPlace) ||
      (stale.size > 0 && stale.delete(placeOf(routeOf(prefix, entry))));
    exchange.install(requestFor(ours ? 'replace' : 'add', prefix, entry), prefix, entry);
    if (before && !staysAtPlace) exchange.remove(requestFor('remove', prefix, before), prefix);
    for (const request of unused) exchange.tidy(request);
  };

  const uninstall = (prefix: Prefix, before: Wanted, exchange: Exchange): void => {
    wanted.delete(prefix);
    exchange.remove(requestFor('remove', prefix, before), prefix);
    if (before.group === undefined) return;
    for (const request of nextHops.release(before.group)) exchange.tidy(request);
  };

  const complain = (error: SysError | undefined): void => {
    // The kernel drops routes by itself when an interface goes down.
    if (error && error.code !== 'ESRCH')
      log.warn({ err: error }, "a route could not be removed from the node's table");
  };

  const removeStale = (): void => {
    for (const error of netlink.settle([...stale.values()].map(removal))) complain(error);
    stale.clear();
    nextHops.removeStale();
  };

  const differences = async (): Promise<Differences> => {
    const list = open();
    const meanwhile = new PrefixMap<true>();
    // What the kernel is being asked for is on its way.
    for (const { prefix } of underWay?.changes.values() ?? []) meanwhile.set(prefix, true);
    touched.add(meanwhile);
    try {
      const is = await compareWithKernel(list);
      const untouched = (prefixes: readonly Prefix[]) => prefixes.filter((prefix) => !meanwhile.get(prefix));
      return {
        missing: untouched(is.missing),
        elsewhere: untouched(is.elsewhere),
        surplus: untouched(is.surplus),
      };
    } finally {
      touched.delete(meanwhile);
      list.close();
    }
  };

  const compareWithKernel = async (list: Rtnetlink): Promise<Differences> => {
    const four = await lookThrough(list, 4);
    const six = await lookThrough(list, 6);
    const missing: Prefix[] = [];
    await inPortions(wanted.entries(), ({ prefix }) => {
      const { present } = prefix.address.family === 4 ? four : six;
      if (!present.get(prefix)) missing.push(prefix);
    });
    return {
      missing,
      elsewhere: four.elsewhere.concat(six.elsewhere),
      surplus: four.surplus.concat(six.surplus),
    };
  };

  /** Of what the kernel has of one family, which is where it should be, and which is not. */
  const lookThrough = async (list: Rtnetlink, family: 4 | 6): Promise<LookedThrough> => {
    let found = nothing();
    const begin = (): void => {
      found = nothing();
    };
    await list.visit(ownOf(family), begin, (route) => {
      const prefix = prefixOf(route);
      const entry = wanted.get(prefix);
      const expected = entry && routeOf(prefix, entry);
      if (!expected || metricOf(expected) !== metricOf(route)) {
        if (stale.size === 0 || !stale.has(placeOf(route))) found.surplus.push(prefix);
        return;
      }
      found.present.set(prefix, true);
      if (!leadsAlike(expected, route)) found.elsewhere.push(prefix);
    });
    return found;
  };

  /** @returns how many the kernel has taken */
  const putBack = (prefixes: readonly Prefix[]): number => {
    const missing = prefixes.flatMap((prefix) => {
      const entry = wanted.get(prefix);
      return entry && !underWay?.changes.has(keyOf(prefix)) ? [{ prefix, entry }] : [];
    });
    if (missing.some(({ entry }) => entry.group !== undefined)) nextHops.restore();
    const errors = netlink.settle(missing.map(({ prefix, entry }) => routes.add(routeOf(prefix, entry))));
    const taken = missing.filter((_, i) => !errors[i]);
    for (const { prefix, entry } of taken) wanted.set(prefix, wantedOf(entry.path, entry.group, true));
    return taken.length;
  };

  return {
    set(prefix, path) {
      const change = { prefix, path };
      const key = keyOf(prefix);
      // What the engine hands to the kernel must not come straight back: this does not wait for the others.
      const turns = path.kind === 'underlay' && wanted.get(prefix)?.path.kind === 'fabric';
      if (!batch || turns) {
        batch?.delete(key);
        apply([change]);
      } else {
        batch.delete(key);
        batch.set(key, change);
      }
    },
    remove(prefix) {
      const change = { prefix, path: undefined };
      if (batch) batch.set(keyOf(prefix), change);
      else apply([change]);
    },
    batch(work) {
      if (batch) {
        work();
        return;
      }
      batch = new Map();
      try {
        work();
      } finally {
        const changes = [...batch.values()];
        batch = undefined;
        apply(changes);
      }
    },
    async batchInBackground(work) {
      // At once where nothing is under way, and looked at again where something was.
      while (underWay) await underWay.done;
      const changes = new Map<PrefixKey, Change>();
      batch = changes;
      try {
        work();
      } finally {
        batch = undefined;
        await applyInBackground(changes);
      }
    },
    viaLost: (address) => nextHops.lost(address),
    removeStale,
    async repair() {
      const { missing } = await differences();
      let back = 0;
      for (let at = 0; at < missing.length; at += PORTION) {
        back += putBack(missing.slice(at, at + PORTION));
        await pause();
      }
      if (back > 0) {
        log.info(
          { routes: back, first: formatPrefix(missing[0]) },
          "routes of the fabric were missing in the node's table and are back",
        );
      }
    },
    differences,
    settled,
    async removeAll() {
      await settled();
      apply([...wanted.entries()].map(({ prefix }) => ({ prefix, path: undefined })));
      removeStale();
    },
  };
}

/** One router needs no group, but a group that is left with one stays. */
function needsGroup(path: KernelPath, before: Wanted | undefined): path is UnderlayPath {
  return path.kind === 'underlay' && (path.vias.length > 1 || before?.group !== undefined);
}

interface LookedThrough {
  readonly present: PrefixMap<true>;
  readonly elsewhere: Prefix[];
  readonly surplus: Prefix[];
}

const nothing = (): LookedThrough => ({ present: new PrefixMap<true>(), elsewhere: [], surplus: [] });

function listOwn(netlink: Rtnetlink): Route[] {
  return ([4, 6] as const).flatMap((family) => netlink.list(ownOf(family)));
}

function ownOf(family: 4 | 6): Dump<Route> {
  return routes.all({ family, table: RouteTable.main, protocol: WEFT_PROTOCOL });
}
