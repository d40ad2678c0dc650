/**
 * Links between namespaces: veth pairs, as they are or made to behave as a cable does. A veth pair hands over 64 KB
 * packets that no cable carries; `wire` takes that away from the sending side and leaves what a NIC's driver does on
 * reception (GRO), so that frames of MTU size cross.
 */
import { execFileSync } from 'node:child_process';
import type { Namespace } from './namespace.ts';

export interface LinkEnd {
  readonly namespace: Namespace;
  /** Interface name there. */
  readonly name: string;
  /** Addresses with prefix length: '192.168.77.1/24'. */
  readonly addresses?: readonly string[];
}

export interface LinkOptions {
  /** Bytes, default 1500. */
  readonly mtu?: number;
  /** Frames of MTU size, as on a cable. */
  readonly wire?: boolean;
}

/** What a sender over a cable does not have: larger packets than the MTU. */
const AS_A_CABLE = [
  ...['tso', 'off'],
  ...['gso', 'off'],
  ...['gro', 'on'],
  ...['tx-udp-segmentation', 'off'],
  ...['tx-udp_tnl-segmentation', 'off'],
  ...['tx-udp_tnl-csum-segmentation', 'off'],
  ...['tx-gso-list', 'off'],
];

/** Joins two namespaces by a veth pair, both ends up with their addresses. */
export function link(a: LinkEnd, b: LinkEnd, options: LinkOptions = {}): void {
  const pair = ['type', 'veth', 'peer', 'name', b.name, 'netns', b.namespace.name];
  execFileSync('ip', ['link', 'add', a.name, 'netns', a.namespace.name, ...pair], { stdio: 'pipe' });
  for (const end of [a, b]) bringUp(end, options);
}

function bringUp(
  { namespace, name, addresses = [] }: LinkEnd,
  { mtu = 1500, wire = false }: LinkOptions,
): void {
  for (const address of addresses) {
    const noDad = address.includes(':') ? ' nodad' : '';
    namespace.ip(`addr add ${address} dev ${name}${noDad}`);
  }
  namespace.ip(`link set ${name} mtu ${mtu} up`);
  if (wire) namespace.run('ethtool', '-K', name, ...AS_A_CABLE);
}
