/**
 * Routes learned by BGP as candidates of the route table: how each of their paths is sent (RFC 9012, else by whom it came
 * from), through whom, and which of them can be used at all. Routes with the same paths share one group, which is worked out
 * once; when the network around changes, that is what is worked out again. Pure: no kernel, no engine, no clock.
 */
import { type Address, formatAddress } from '../wire/address.ts';
import { type Mac, vtepMac } from '../wire/mac.ts';
import { type Prefix, prefixContains } from '../wire/prefix.ts';
import { type Tunnel, TunnelType } from './bgp/codec/tunnel.ts';
import {
  isResolved,
  type NextHop,
  nextHopKey,
  type Resolution,
  resolveNextHop,
  unmapped,
  type Via,
  type Ways,
} from './next-hops.ts';
import { type Path, samePaths } from './path.ts';
import { PrefixMap } from './prefix-map.ts';
import type { Candidate, RouteTable } from './route-table.ts';
import { encapOverhead, type Surroundings } from './static.ts';

export interface LearnedPath {
  readonly nextHop: Address;
  /** Name of the interface of a link-local next hop. */
  readonly interface?: string;
  /** Of what the peer is that it came from. */
  readonly source: 'external' | 'internal';
  /** How it wants to be reached. */
  readonly tunnels?: readonly Tunnel[];
  /** Relative to the other paths of the prefix. */
  readonly weight?: number;
}

export interface LearnedRoute {
  readonly prefix: Prefix;
  /** Best first; none: it is gone. */
  readonly paths: readonly LearnedPath[];
}

export interface LearnedSurroundings extends Surroundings {
  /** Whether this node can send in that tunnel from an underlay address of that family. */
  sends(encap: 'vxlan' | 'ipip', family: 4 | 6): boolean;
  isOwn(address: Address): boolean;
  /** Index of the interface of that name; undefined: there is none. */
  interfaceIndex(name: string): number | undefined;
  kernel: Ways['kernel'];
}

/** Routes with the same paths. */
interface Group {
  readonly key: string;
  readonly family: 4 | 6;
  readonly learned: readonly LearnedPath[];
  users: number;
  paths: readonly Path[];
  /** Of the route table; undefined: no path can be used. */
  candidate: Candidate | undefined;
  /** Why paths are not used. */
  why: readonly string[];
  tunnelled: boolean;
  nextHops: readonly NextHop[];
}

export class LearnedRoutes {
  readonly #table: RouteTable;
  readonly #onRefused: (prefix: Prefix, error: unknown) => void;
  readonly #routes = new PrefixMap<Group>();
  readonly #groups = new Map<string, Group>();
  /** What a message from the BGP thread shares between its routes stays shared. */
  #recent = {
    4: new WeakMap<readonly LearnedPath[], Group>(),
    6: new WeakMap<readonly LearnedPath[], Group>(),
  };
  #surroundings: LearnedSurroundings;

  /** @param onRefused told of a route that the table's listener does not take, say for want of room; it is then not used */
  constructor(
    table: RouteTable,
    surroundings: LearnedSurroundings,
    onRefused: (prefix: Prefix, error: unknown) => void,
  ) {
    this.#table = table;
    this.#surroundings = surroundings;
    this.#onRefused = onRefused;
  }

  get size(): number {
    return this.#routes.size;
  }

  /** @returns whether what next hops resolve to may have changed: then `refresh` */
  update(routes: Iterable<LearnedRoute>): boolean {
    let ways = false;
    for (const { prefix, paths } of routes) {
      const before = this.#routes.get(prefix);
      const group = paths.length === 0 ? undefined : this.#acquire(prefix.address.family, paths);
      if (group) this.#routes.set(prefix, group);
      else this.#routes.delete(prefix);
      if (before) this.#release(before);
      ways ||= this.#carriesNextHop(prefix);
      this.#install(prefix, group);
    }
    return ways;
  }

  /** In no order. What changes meanwhile may be missing, or there twice. */
  *prefixes(): Generator<Prefix> {
    for (const { prefix } of this.#routes.entries()) yield prefix;
  }

  *all(): Generator<LearnedRoute> {
    for (const { prefix, value } of this.#routes.entries()) yield { prefix, paths: value.learned };
  }

  /** All of them, some at a time. */
  portions(): Iterable<readonly Prefix[]> {
    return this.#routes.portions(() => true);
  }

  /**
   * The configuration, the underlay, the kernel's table or a way to a next hop has changed: works out anew what depends on them.
   *
   * @returns the prefixes that lead elsewhere now, some at a time: they do so once they are installed
   */
  refresh(surroundings: LearnedSurroundings = this.#surroundings): Iterable<readonly Prefix[]> {
    this.#surroundings = surroundings;
    const groups = [...this.#groups.values()];
    // First who goes through a tunnel, which the resolving of all others looks at.
    for (const group of groups) this.#classify(group);
    const changed = new Set(groups.filter((group) => this.#work(group)));
    return changed.size === 0 ? [] : this.#routes.portions((group) => changed.has(group));
  }

  /** Has the route table say what is so now. */
  install(prefixes: Iterable<Prefix>): void {
    for (const prefix of prefixes) this.#install(prefix, this.#routes.get(prefix));
  }

  resolve(nextHop: NextHop): Resolution {
    return resolveNextHop({ ...nextHop, address: unmapped(nextHop.address) }, this.#ways());
  }

  /** Why the route, or a path of it, is not in use; empty when all are. */
  problems(prefix: Prefix): readonly string[] {
    return this.#routes.get(prefix)?.why ?? [];
  }

  /** Whether none of its paths can be used. */
  isUnusable(prefix: Prefix): boolean {
    return this.#routes.get(prefix)?.paths.length === 0;
  }

  /** How many are, without looking at each: it is asked for with every status. */
  get unusableCount(): number {
    let count = 0;
    for (const { paths, users } of this.#groups.values()) if (paths.length === 0) count += users;
    return count;
  }

  #install(prefix: Prefix, group: Group | undefined): void {
    try {
      if (group?.candidate) this.#table.set(prefix, group.candidate);
      else this.#table.remove(prefix, 'bgp');
    } catch (error) {
      this.#onRefused(prefix, error);
    }
  }

  #acquire(family: 4 | 6, paths: readonly LearnedPath[]): Group {
    const recent = this.#recent[family].get(paths);
    const key = recent ? recent.key : `${family} ${paths.map(pathKey).join(' ')}`;
    let group = this.#groups.get(key);
    if (!group) {
      const unknown = { paths: [], candidate: undefined, why: [], tunnelled: false, nextHops: [] };
      group = { key, family, learned: paths, users: 0, ...unknown };
      this.#groups.set(key, group);
      this.#classify(group);
      this.#work(group);
    }
    this.#recent[family].set(paths, group);
    group.users++;
    return group;
  }

  #release(group: Group): void {
    if (--group.users === 0) this.#groups.delete(group.key);
  }

  /** Whether a route to the prefix could be a way to a next hop in use. */
  #carriesNextHop(prefix: Prefix): boolean {
    for (const { nextHops } of this.#groups.values()) {
      if (nextHops.some(({ address }) => prefixContains(prefix, address))) return true;
    }
    return false;
  }

  #ways(): Ways {
    const { isOwn, kernel } = this.#surroundings;
    return { isOwn, kernel, learned: (address) => this.#routes.covering(address) };
  }

  #classify(group: Group): void {
    const sendings = group.learned.map((path) => sendingOf(path, this.#surroundings)).filter(isSending);
    group.nextHops = sendings.map(({ to }) => to);
    group.tunnelled = encapsulates(group.family, sendings, this.#surroundings);
  }

  /** @returns whether its paths are other ones now */
  #work(group: Group): boolean {
    const before = group.paths;
    const { paths, why } = pathsOf(group, this.#surroundings, (nextHop) => this.resolve(nextHop));
    group.why = why;
    if (samePaths(before, paths)) return false;
    group.paths = paths;
    group.candidate = paths.length === 0 ? undefined : { source: 'bgp', paths };
    return true;
  }
}

/** How packets for a path leave. */
interface Sending {
  readonly encap: 'vxlan' | 'ipip' | 'direct';
  /** The tunnel's other end, or the router. */
  readonly to: NextHop;
  readonly mac?: Mac;
  readonly vni?: number;
  readonly udpPort?: number;
  readonly weight: number;
}

const isSending = (sending: Sending | string): sending is Sending => typeof sending !== 'string';

/** RFC 9012: by the first tunnel that this node has, too. A text says why there is no way. */
function sendingOf(path: LearnedPath, surroundings: LearnedSurroundings): Sending | string {
  const { source, tunnels = [], weight = 1 } = path;
  const address = unmapped(path.nextHop);
  if (tunnels.length === 0) {
    const to = linkOf(address, path.interface, surroundings);
    if (!to) return `${formatAddress(address)}: there is no interface ${path.interface}`;
    const encap = source === 'internal' ? surroundings.encap : 'direct';
    if (encap === 'direct') return { encap, to, weight };
    return surroundings.sends(encap, address.family)
      ? { encap, to, weight }
      : `${encap} to ${formatAddress(address)}: this node has no such tunnel over IPv${address.family}`;
  }
  for (const { type, subTlvs } of tunnels) {
    const encap = type === TunnelType.vxlan ? 'vxlan' : type === TunnelType.ipInIp ? 'ipip' : undefined;
    const endpoint = subTlvs.find(({ kind }) => kind === 'egressEndpoint');
    const end = endpoint?.kind === 'egressEndpoint' ? (endpoint.address ?? address) : address;
    if (!encap || !surroundings.sends(encap, end.family)) continue;
    const vxlan = subTlvs.find(({ kind }) => kind === 'vxlan');
    const udpPort = udpPortOf(subTlvs);
    return {
      encap,
      to: { address: end },
      weight,
      ...(vxlan?.kind === 'vxlan' && vxlan.mac !== undefined && { mac: vxlan.mac }),
      ...(vxlan?.kind === 'vxlan' && vxlan.vni !== undefined && { vni: vxlan.vni }),
      ...(udpPort !== undefined && { udpPort }),
    };
  }
  return `${formatAddress(address)} wants to be reached by a tunnel that this node has not`;
}

function linkOf(
  address: Address,
  name: string | undefined,
  { interfaceIndex }: LearnedSurroundings,
): NextHop | undefined {
  if (name === undefined) return { address };
  const index = interfaceIndex(name);
  return index === undefined ? undefined : { address, interface: index };
}

/** RFC 9012 section 3.3.2, "UDP Destination Port". */
const UDP_PORT_SUB_TLV = 8;

function udpPortOf(subTlvs: Tunnel['subTlvs']): number | undefined {
  for (const subTlv of subTlvs) {
    if (subTlv.kind !== 'unknown' || subTlv.type !== UDP_PORT_SUB_TLV || subTlv.value.length !== 2) continue;
    return subTlv.value[0] * 256 + subTlv.value[1] || undefined;
  }
  return undefined;
}

/** What a node with this encapsulation tells others of how it wants to be reached; nothing: directly. */
export function announcedTunnels(
  { encap, vni, udpPort }: Pick<Surroundings, 'encap' | 'vni' | 'udpPort'>,
  endpoint: Address,
): readonly Tunnel[] {
  const egress = { kind: 'egressEndpoint', address: endpoint } as const;
  if (encap === 'ipip' && endpoint.family === 4) return [{ type: TunnelType.ipInIp, subTlvs: [egress] }];
  if (encap !== 'vxlan') return [];
  const port = Uint8Array.of(udpPort >> 8, udpPort & 0xff);
  return [
    {
      type: TunnelType.vxlan,
      subTlvs: [
        { kind: 'vxlan', vni, mac: vtepMac(endpoint) },
        egress,
        { kind: 'unknown', type: UDP_PORT_SUB_TLV, value: port },
      ],
    },
  ];
}

/** Whether the paths of a group go through tunnels: as its best does, unless all can do without (encap.when). */
function encapsulates(
  family: 4 | 6,
  sendings: readonly Sending[],
  { when, onLink }: LearnedSurroundings,
): boolean {
  const best = sendings[0];
  if (best === undefined || best.encap === 'direct') return false;
  const tunnelled = sendings.filter(({ encap }) => encap !== 'direct');
  return !(
    when === 'cross-subnet' && tunnelled.every(({ to }) => to.address.family === family && onLink(to.address))
  );
}

function pathsOf(
  { learned, tunnelled }: Group,
  surroundings: LearnedSurroundings,
  resolve: (nextHop: NextHop) => Resolution,
): { readonly paths: readonly Path[]; readonly why: readonly string[] } {
  const why: string[] = [];
  const ways: { readonly path: Path; readonly weight: number }[] = [];
  for (const each of learned) {
    const sending = sendingOf(each, surroundings);
    if (!isSending(sending)) {
      why.push(sending);
      continue;
    }
    const name = formatAddress(sending.to.address);
    const resolution = resolve(sending.to);
    if (!isResolved(resolution)) {
      why.push(`${name}: ${resolution.why}`);
    } else if (tunnelled && sending.encap === 'direct') {
      // What the kernel routes for one path would come back to the engine for the other.
      why.push(`${name} is direct, and the best path goes through a tunnel`);
    } else {
      ways.push(...pathsThrough(sending, tunnelled, resolution.vias, surroundings));
    }
  }
  return { paths: joined(ways), why };
}

function pathsThrough(
  { encap, to, mac, vni, udpPort, weight }: Sending,
  tunnelled: boolean,
  vias: readonly Via[],
  surroundings: LearnedSurroundings,
): { readonly path: Path; readonly weight: number }[] {
  const mtu = (address: Address) => surroundings.mtu(address);
  if (!tunnelled) {
    // RFC 8950 allows a router of the other family; where a tunnel is not needed, its end is the router.
    return vias.map(({ address: via, interface: index }) => ({
      path: { kind: 'direct', via, mtu: mtu(via), ...(index !== undefined && { interface: index }) },
      weight: weight / vias.length,
    }));
  }
  const via = to.address;
  const inner = mtu(via) - encapOverhead(encap, via.family);
  if (encap === 'ipip') return [{ path: { kind: 'ipip', via, mtu: inner }, weight }];
  const vxlan = {
    kind: 'vxlan',
    via,
    mac: mac ?? vtepMac(via),
    vni: vni ?? surroundings.vni,
    udpPort: udpPort ?? surroundings.udpPort,
    mtu: inner,
  } as const;
  return [{ path: vxlan, weight }];
}

/** Equal paths are one, with the weight of all; in an order that does not depend on which of them is best. */
function joined(ways: readonly { readonly path: Path; readonly weight: number }[]): readonly Path[] {
  const byKey = new Map<string, { path: Path; weight: number }>();
  for (const { path, weight } of ways) {
    const key = JSON.stringify(path);
    const known = byKey.get(key);
    if (known) known.weight += weight;
    else byKey.set(key, { path, weight });
  }
  const sorted = [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, way]) => way);
  const weights = wholeWeights(sorted.map(({ weight }) => weight));
  return sorted.map(({ path }, i) =>
    weights[i] === 1 || path.kind === 'port' || path.kind === 'unreachable'
      ? path
      : { ...path, weight: weights[i] },
  );
}

/** The greatest weight that a path can have, as the kernel's next hops allow it. */
const MOST_WEIGHT = 256;

/** Whole numbers from 1 on, in about the same proportions. */
function wholeWeights(weights: readonly number[]): number[] {
  const [least, most] = [Math.min(...weights), Math.max(...weights)];
  if (least === most) return weights.map(() => 1);
  for (let scale = 1; scale <= 12; scale++) {
    const scaled = weights.map((weight) => (weight / least) * scale);
    const whole = scaled.every((weight) => Math.abs(weight - Math.round(weight)) < 1e-6);
    if (whole && (most / least) * scale <= MOST_WEIGHT) return scaled.map(Math.round);
  }
  return weights.map((weight) => Math.max(1, Math.round((weight / most) * MOST_WEIGHT)));
}

function pathKey({ nextHop, interface: link = '', source, tunnels, weight }: LearnedPath): string {
  const how = (tunnels ?? []).map(({ type, subTlvs }) => `${type}(${subTlvs.map(subTlvKey).join(',')})`);
  return `${nextHopKey({ address: nextHop })}%${link}${source}${weight ?? 1}${how.join('')}`;
}

function subTlvKey(subTlv: Tunnel['subTlvs'][number]): string {
  switch (subTlv.kind) {
    case 'egressEndpoint':
      return `to${subTlv.address ? formatAddress(subTlv.address) : ''}`;
    case 'vxlan':
      return `vxlan${subTlv.vni ?? ''}:${subTlv.mac ?? ''}`;
    default:
      return `${subTlv.type}:${Buffer.from(subTlv.value).toString('hex')}`;
  }
}
