/** The section `bgp` of the configuration as the speaker takes it: policies by name resolved, own addresses filled in. */
import type { CollectorSettings } from '../../routing/bgp/bmp/collector.ts';
import type { BgpSettings, PeerSettings } from '../../routing/bgp/settings.ts';
import { ACCEPT_ALL, type Policy } from '../../routing/policy/policy.ts';
import type { PeerOptions } from '../../routing/rib/peer.ts';
import { type Address, formatAddress, mappedWords } from '../../wire/address.ts';
import type { BgpConfig, BgpPeerConfig } from '../config/bgp-config.ts';
import { WeftError } from '../errors.ts';

/** Seconds between attempts to connect; doubled with each that fails. */
const CONNECT_RETRY = 5;
/** Peers by one prefix. */
const MOST_DYNAMIC = 256;

/**
 * @param underlay the node's underlay addresses, by which it is reached
 * @param identity as monitoring stations are to know it
 */
export function bgpSettings(
  bgp: BgpConfig,
  underlay: readonly Address[],
  identity: CollectorSettings['identity'],
): BgpSettings {
  return {
    asn: bgp.asn,
    routerId: routerIdOf(bgp, underlay),
    ...(bgp.clusterId && { clusterId: bgp.clusterId }),
    listen: bgp.listen,
    maxPaths: bgp.maxPaths,
    gracefulRestart: bgp.gracefulRestart,
    peers: bgp.peers.map((peer) => peerSettings(bgp, peer, underlay)),
    collectors: bgp.bmp.map(({ name, address, port, routes, statistics }) => ({
      name,
      address,
      port,
      views: routes,
      statisticsInterval: statistics,
      identity,
    })),
  };
}

/** @throws WeftError when there is none */
export function routerIdOf({ routerId }: BgpConfig, underlay: readonly Address[]): Address {
  const id = routerId ?? underlay.find(({ family }) => family === 4);
  if (id) return id;
  const have = underlay.map(formatAddress).join(', ');
  throw new WeftError(
    'config',
    `bgp.routerId: there is no IPv4 underlay address to take (${have}); give one, such as 10.0.0.1`,
  );
}

function peerSettings(bgp: BgpConfig, peer: BgpPeerConfig, underlay: readonly Address[]): PeerSettings {
  const { name, asn, port, holdTime, passive, multihop, ttlSecurity, families, addPath } = peer;
  const policies = {
    import: policyOf(bgp, peer, peer.import),
    export: policyOf(bgp, peer, peer.export),
  };
  return {
    name,
    endpoint: endpointOf(peer),
    asn,
    port,
    ...(peer.localAsn !== undefined && { localAsn: peer.localAsn }),
    holdTime,
    connectRetry: CONNECT_RETRY,
    passive,
    advertisementInterval: 0,
    multihop,
    ttlSecurity,
    ...(peer.password !== undefined && { password: peer.password }),
    families,
    addPath,
    extendedMessages: true,
    gracefulRestart: peer.gracefulRestart,
    // What goes over IPv6 alone can be told of IPv4 routes too.
    extendedNextHop: peer.interface !== undefined || peer.address?.family === 6,
    client: peer.routeReflectorClient,
    ...(peer.role && { role: peer.role }),
    nextHops: ownNextHops(underlay),
    options: optionsOf(peer),
    maxPrefixRestart: peer.maxPrefixes.restartAfter,
    ...(policies.import && { import: policies.import }),
    ...(policies.export && { export: policies.export }),
    ...(peer.shutdown !== false && { shutdown: { text: peer.shutdown === true ? '' : peer.shutdown } }),
  };
}

function endpointOf({ address, interface: link, prefix }: BgpPeerConfig): PeerSettings['endpoint'] {
  if (address) return { kind: 'address', address };
  if (link !== undefined) return { kind: 'interface', interface: link };
  if (prefix) return { kind: 'prefix', prefix, limit: MOST_DYNAMIC };
  throw new Error('a peer without address, interface and prefix'); // Excluded by the configuration's checks.
}

/** One after the other, until one decides. Undefined: as the peer's kind has it (RFC 8212). */
function policyOf(
  { asn, policies, requirePolicy }: BgpConfig,
  peer: BgpPeerConfig,
  names: readonly string[],
): Policy | undefined {
  if (names.length > 0) return { terms: names.flatMap((name) => policies[name] ?? []), otherwise: 'reject' };
  const isExternal = peer.asn !== (peer.localAsn ?? asn);
  return isExternal && !requirePolicy ? ACCEPT_ALL : undefined;
}

/** An IPv4 address where an IPv6 one has to stand, when there is no other (RFC 4798). */
export function ownNextHops(underlay: readonly Address[]): { readonly 4?: Address; readonly 6?: Address } {
  const v4 = underlay.find(({ family }) => family === 4);
  const v6 = underlay.find(({ family }) => family === 6) ?? (v4 && mapped(v4));
  return { ...(v4 && { 4: v4 }), ...(v6 && { 6: v6 }) };
}

const mapped = (address: Address): Address => ({ family: 6, words: mappedWords(address) });

function optionsOf(peer: BgpPeerConfig): PeerOptions {
  const { maxPrefixes, nextHopSelf, nextHopUnchanged, allowAsIn, removePrivate, families } = peer;
  const limit = (most: number) => ({ limit: most, warnAt: Math.ceil((most * maxPrefixes.warnAt) / 100) });
  return {
    nextHopSelf,
    nextHopUnchanged,
    allowAsIn,
    removePrivate,
    maxPrefixes: { 4: limit(maxPrefixes.ipv4), 6: limit(maxPrefixes.ipv6) },
    ...(peer.defaultOriginate && { defaultOriginate: families }),
  };
}
