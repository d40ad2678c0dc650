/**
 * Address translation in the node's kernel, where pods meet what is not the fabric: masquerading of what they send out, and
 * ports of the node that lead to pods. One nftables table of Weft's own, made, replaced and removed in one transaction
 * each. Never reads or touches a table of anyone else.
 *
 *   outside ▸ prerouting ┐  port of the node ▸ port of the pod          pod ▸ outside:  postrouting, masquerade
 *   node    ▸ output     ┘  (hostports)
 *
 * Who is in the fabric and asks for a port of this node is masqueraded as well, as is what comes from 127.0.0.1: the pod
 * would answer past the kernel, or itself.
 */
import type { PodForwards, PortForward } from '../cni/host.ts';
import { formatAddress } from '../wire/address.ts';
import { formatPrefix, type Prefix, prefixContains } from '../wire/prefix.ts';
import { WeftError } from './errors.ts';
import { applyNft, askNft, digestOf, NftError, type NftOptions } from './nft.ts';

/** Routes that change together are one transaction, milliseconds. */
const DEBOUNCE = 100;
/** From one transaction to the next, of the time that one takes: large tables cost no more than that. */
const REST = 10;
const RETRY = 5000;

export interface NatRules {
  /** Masquerade what pods send to outside (host.natOutgoing). */
  readonly outgoing: boolean;
  /** The node's pod ranges: what comes from there is masqueraded … */
  readonly pods: readonly Prefix[];
  /** … unless it goes to one of these: prefixes, or ranges 'first-last'. */
  readonly fabric: Ranges;
}

/**
 * As nft reads them, by family; no two have an address in common. Read again for each transaction: kept as text they would be
 * megabytes.
 */
export type Ranges = Readonly<Record<4 | 6, Iterable<string>>>;

export interface NatOptions extends NftOptions {
  /** The host port's name, e.g. weft0; the table's name is derived from it. */
  readonly hostInterface: string;
  /** Ports that lead to pods of an earlier daemon: the first transaction keeps them. */
  readonly forwards?: readonly PortForward[];
  /** Called when a later transaction failed; it is tried again. */
  onError(error: unknown): void;
}

/** Name of the table of the node whose host port has this name: two nodes in one namespace do not meet. */
export function natTable(hostInterface: string): string {
  return `weft_nat_${hostInterface.replaceAll(/[^A-Za-z0-9_]/g, '_')}`;
}

/** A transaction that leaves the table as the rules say, or leaves none; in pieces. */
function* natScript(
  hostInterface: string,
  rules: NatRules | undefined,
  forwards: readonly PortForward[],
): Generator<string> {
  const table = `table inet ${natTable(hostInterface)}`;
  // Declared before it is deleted, because deleting a table that is not there is an error.
  yield `${table}\ndelete ${table}\n`;
  if (!isNeeded(rules, forwards)) return;
  yield `${table} {\n`;
  yield* sets('pods', rangesOf(rules.pods));
  yield* sets('fabric', rules.fabric);
  yield `
${forwards.length > 0 ? forwarding(hostInterface, forwards) : ''}
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
${forwards.length > 0 ? HAIRPIN : ''}${rules.outgoing ? outgoing(hostInterface) : ''}  }
}
`;
}

function isNeeded(rules: NatRules | undefined, forwards: readonly PortForward[]): rules is NatRules {
  return rules !== undefined && (rules.outgoing || forwards.length > 0);
}

/** One for each family. */
function* sets(name: string, ranges: Ranges): Generator<string> {
  for (const family of [4, 6] as const) {
    // Without auto-merge, for which nft takes old elements out one by one: fourteen seconds for 300,000 ranges instead of three.
    yield `  set ${name}${family} { type ipv${family}_addr; flags interval;`;
    let isEmpty = true;
    for (const range of ranges[family]) {
      yield isEmpty ? ` elements = { ${range}` : `, ${range}`;
      isEmpty = false;
    }
    yield isEmpty ? ' }\n' : ' } }\n';
  }
}

/** Of few. */
const rangesOf = (prefixes: readonly Prefix[]): Ranges => {
  const isInside = (one: Prefix, other: Prefix): boolean =>
    prefixContains(other, one.address) && other.length < one.length;
  const distinct = new Map(prefixes.map((prefix) => [formatPrefix(prefix), prefix]));
  const outer = [...distinct.values()].filter((one) => !prefixes.some((other) => isInside(one, other)));
  const of = (family: 4 | 6) => outer.filter(({ address }) => address.family === family).map(formatPrefix);
  return { 4: of(4), 6: of(6) };
};

const outgoing = (hostInterface: string): string =>
  `    ip saddr @pods4 ip daddr != @fabric4 oifname != "${hostInterface}" masquerade
    ip6 saddr @pods6 ip6 daddr != @fabric6 oifname != "${hostInterface}" masquerade
`;

const HAIRPIN = `    ct status dnat ip daddr . meta l4proto . th dport @targets4 ip saddr @fabric4 masquerade
    ct status dnat ip daddr . meta l4proto . th dport @targets4 ip saddr 127.0.0.0/8 masquerade
    ct status dnat ip6 daddr . meta l4proto . th dport @targets6 ip6 saddr @fabric6 masquerade
`;

/**
 * Ports at one address come before those at all of them, though no two can be meant by the same packet. The kernel accepts
 * packets to 127.0.0.1 from the host port (route_localnet, for connections from there): nobody else's may use that.
 */
function forwarding(hostInterface: string, forwards: readonly PortForward[]): string {
  return `${([4, 6] as const).map((family) => maps(family, forwards)).join('')}
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname "${hostInterface}" ip daddr 127.0.0.0/8 drop
  }
  chain hostports {
    fib daddr type != local return
    dnat ip to ip daddr . meta l4proto . th dport map @bound4
    dnat ip to meta l4proto . th dport map @ports4
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @bound6
    dnat ip6 to meta l4proto . th dport map @ports6
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump hostports
  }
  chain output {
    type nat hook output priority -100; policy accept;
    jump hostports
  }`;
}

function maps(family: 4 | 6, forwards: readonly PortForward[]): string {
  const own = forwards.filter(({ to }) => to.family === family);
  const type = `ipv${family}_addr`;
  const elements = (list: readonly string[]) => (list.length > 0 ? `elements = { ${list.join(', ')} }` : '');
  const targets = own.map(({ to, protocol, port }) => `${formatAddress(to)} . ${protocol} . ${port}`);
  const [bound, free] = [own.filter(({ host }) => host), own.filter(({ host }) => !host)];
  return `  map bound${family} { type ${type} . inet_proto . inet_service : ${type} . inet_service; ${elements(bound.map(element))} }
  map ports${family} { type inet_proto . inet_service : ${type} . inet_service; ${elements(free.map(element))} }
  set targets${family} { type ${type} . inet_proto . inet_service; ${elements([...new Set(targets)])} }
`;
}

/** As nft reads it, and as `elementsOf` puts together what it writes. */
function element({ host, protocol, hostPort, to, port }: PortForward): string {
  const key = [...(host ? [formatAddress(host)] : []), protocol, hostPort];
  return `${key.join(' . ')} : ${formatAddress(to)} . ${port}`;
}

export class Nat implements PodForwards {
  readonly #options: NatOptions;
  /** The script of what the kernel has, as far as known: its digest. */
  #applied: string | undefined;
  #rules: NatRules | undefined;
  #forwards: readonly PortForward[];
  #wanted: (() => Promise<NatRules>) | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Working out and applying what was scheduled; and whether there is more of it since. */
  #renewing = false;
  #isStale = false;
  #pause = DEBOUNCE;
  #running: Promise<void> = Promise.resolve();
  /** A transaction that has not begun, for all who change something meanwhile. */
  #next: Promise<void> | undefined;

  constructor(options: NatOptions) {
    this.#options = options;
    this.#forwards = options.forwards ?? [];
  }

  /** Makes the kernel's table as the rules say, or removes it for none. Throws when nft is missing or refuses. */
  apply(rules: NatRules | undefined): Promise<void> {
    this.#rules = rules;
    return this.#synchronize();
  }

  /** Lets these ports of the node lead to pods, and no others. */
  forward(forwards: readonly PortForward[]): Promise<void> {
    this.#forwards = forwards;
    return this.#synchronize();
  }

  async missing(forwards: readonly PortForward[]): Promise<PortForward[]> {
    if (forwards.length === 0) return [];
    const table = await askNft(
      ['list', 'table', 'inet', natTable(this.#options.hostInterface)],
      this.#options,
    );
    const there = elementsOf(table);
    return forwards.filter((forward) => !there.has(element(forward)));
  }

  /** Soon after, and once for many calls: applies what `rules` then gives. Nothing when no table is needed. */
  schedule(rules: () => Promise<NatRules>, delay = this.#pause): void {
    this.#wanted = rules;
    this.#isStale = true;
    if (this.#renewing) return;
    this.#timer ??= setTimeout(() => void this.#renew(), delay);
  }

  /** Waits for the transaction under way; nothing scheduled happens any more. The table stays. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#wanted = undefined;
    await this.#next?.catch(() => {});
    await this.#running;
  }

  async #renew(): Promise<void> {
    const began = performance.now();
    let retry: number | undefined;
    this.#timer = undefined;
    this.#renewing = true;
    this.#isStale = false;
    try {
      this.#rules = await this.#wanted?.();
      if (this.#wanted && isNeeded(this.#rules, this.#forwards)) await this.#synchronize();
    } catch (error) {
      this.#options.onError(error);
      retry = RETRY;
    }
    this.#renewing = false;
    this.#pause = Math.max(DEBOUNCE, REST * (performance.now() - began));
    if (this.#wanted && (this.#isStale || retry !== undefined)) this.schedule(this.#wanted, retry);
  }

  #synchronize(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const done = this.#transact();
      this.#running = done.catch(() => {});
      return done;
    });
    return this.#next;
  }

  async #transact(): Promise<void> {
    const [rules, forwards] = [this.#rules, this.#forwards];
    const script = () => natScript(this.#options.hostInterface, rules, forwards);
    const digest = await digestOf(script());
    if (digest === this.#applied) return;
    this.#applied = undefined;
    try {
      await applyNft(script(), this.#options);
    } catch (error) {
      // Without nft there is no table of ours that could be left.
      if (isNeeded(rules, forwards) || !(error instanceof NftError && error.missing)) {
        throw explained(error, rules, forwards);
      }
    }
    this.#applied = digest;
  }
}

/** Of `nft -j list table`: `{ nftables: [{ map: { elem: [[{ concat: ['tcp', 80] }, { concat: ['10.0.0.1', 80] }]] } }] }` */
function elementsOf(table: unknown): Set<string> {
  const items = (table as { nftables?: { map?: { elem?: { concat: unknown[] }[][] } }[] })?.nftables ?? [];
  const pairs = items.flatMap(({ map }) => map?.elem ?? []);
  return new Set(pairs.map((pair) => pair.map(({ concat }) => concat.join(' . ')).join(' : ')));
}

function explained(
  error: unknown,
  rules: NatRules | undefined,
  forwards: readonly PortForward[],
): WeftError | unknown {
  if (!(error instanceof NftError)) return error;
  const key = rules?.outgoing ? 'host.natOutgoing' : forwards.length > 0 ? 'portMappings' : 'nftables';
  if (!error.missing) {
    return new WeftError('failed', `${key}: nft refused the table of Weft: ${error.message}`, {
      cause: error,
    });
  }
  const otherwise = rules?.outgoing ? ', or set host.natOutgoing: false' : '';
  return new WeftError(
    'unsupported',
    `${key} needs the program nft: install the Debian package 'nftables'${otherwise}`,
    { cause: error },
  );
}
