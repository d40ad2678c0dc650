/** Contradictions inside the section `bgp`, and with what the node is; see checks.ts. */
import { type Address, addressEquals, formatAddress } from '../../wire/address.ts';
import { formatPrefix, parsePrefix, prefixContains, prefixesOverlap } from '../../wire/prefix.ts';
import type { BgpConfig, BgpPeerConfig } from './bgp-config.ts';
import { closest } from './closest.ts';
import type { NodeConfig } from './node-config.ts';
import type { Problem } from './shapes.ts';

const LINK_LOCAL = parsePrefix('fe80::/10');

/** @param isNoHost whether no single host can have the address */
export function bgpProblems({ bgp, node }: NodeConfig, isNoHost: (address: Address) => boolean): Problem[] {
  if (!bgp) return [];
  const own = node.address === 'auto' ? [] : node.address;
  return [
    ...identifierProblems(bgp),
    ...stationProblems(bgp, isNoHost),
    ...bgp.peers.flatMap((peer, i) => [
      ...endpointProblems(peer, i, own, isNoHost),
      ...uniqueProblems(bgp.peers.slice(0, i), peer, i),
      ...meaningProblems(bgp, peer, i),
      ...policyProblems(bgp, peer, i),
    ]),
  ];
}

/** Both are written as IPv4 addresses (RFC 4271 section 4.2, RFC 4456 section 8). */
function identifierProblems(bgp: BgpConfig): Problem[] {
  return (['routerId', 'clusterId'] as const).flatMap((key) => {
    const id = bgp[key];
    if (id === undefined || (id.family === 4 && id.words[0] !== 0)) return [];
    const message = 'expected an IPv4 address other than 0.0.0.0, such as 192.168.77.1';
    return [{ path: ['bgp', key], message }];
  });
}

function stationProblems({ bmp }: BgpConfig, isNoHost: (address: Address) => boolean): Problem[] {
  return bmp.flatMap(({ name, address }, i) => {
    const problem = (key: string, message: string): Problem[] => [{ path: ['bgp', 'bmp', i, key], message }];
    if (isNoHost(address)) {
      return problem(
        'address',
        `${formatAddress(address)} is not the address of a host; give that of the station`,
      );
    }
    return bmp.slice(0, i).some((other) => other.name === name)
      ? problem('name', `'${name}' is the name of another station; choose a different one`)
      : [];
  });
}

function endpointProblems(
  peer: BgpPeerConfig,
  i: number,
  own: readonly Address[],
  isNoHost: (address: Address) => boolean,
): Problem[] {
  const problem = (key: string, message: string): Problem[] => [{ path: ['bgp', 'peers', i, key], message }];
  const given = (['address', 'interface', 'prefix'] as const).filter((key) => peer[key] !== undefined);
  if (given.length === 0) {
    return problem(
      'address',
      'expected an IP address, found nothing; or give interface (the peer on that link) or prefix (whoever connects from there)',
    );
  }
  if (given.length > 1) return problem(given[1], `does not go with ${given[0]}; a peer has one of them`);
  const { address } = peer;
  if (address === undefined) return [];
  const text = formatAddress(address);
  if (isNoHost(address))
    return problem('address', `${text} is not the address of a host; give that of the peer`);
  if (prefixContains(LINK_LOCAL, address)) {
    return problem('address', `${text} is link-local; give the interface that the peer is on instead`);
  }
  return own.some((each) => addressEquals(each, address))
    ? problem('address', `${text} is an address of this node; give that of the peer`)
    : [];
}

function uniqueProblems(earlier: readonly BgpPeerConfig[], peer: BgpPeerConfig, i: number): Problem[] {
  const problem = (key: string, message: string): Problem[] => [{ path: ['bgp', 'peers', i, key], message }];
  const { address, interface: link, prefix, name } = peer;
  if (
    address &&
    earlier.some(
      (other) => other.address && addressEquals(other.address, address) && other.port === peer.port,
    )
  ) {
    return problem('address', `${formatAddress(address)} has a peer already; remove one`);
  }
  if (link !== undefined && earlier.some((other) => other.interface === link)) {
    return problem('interface', `'${link}' has a peer already; remove one`);
  }
  const overlapping =
    prefix && earlier.find((other) => other.prefix && prefixesOverlap(other.prefix, prefix));
  if (prefix && overlapping?.prefix) {
    return problem(
      'prefix',
      `${formatPrefix(prefix)} overlaps ${formatPrefix(overlapping.prefix)}; the ranges have to be disjoint`,
    );
  }
  return earlier.some((other) => other.name === name)
    ? problem('name', `'${name}' is the name of another peer; choose a different one`)
    : [];
}

/** What only internal, or only external, or only certain peers can have. */
function meaningProblems(bgp: BgpConfig, peer: BgpPeerConfig, i: number): Problem[] {
  const problem = (key: string, message: string): Problem[] => [{ path: ['bgp', 'peers', i, key], message }];
  const internal = peer.asn === (peer.localAsn ?? bgp.asn);
  const externalOnly = (['nextHopUnchanged', 'removePrivate', 'role', 'localAsn'] as const).find(
    (key) => internal && peer[key] !== undefined && peer[key] !== false,
  );
  if (externalOnly) {
    return problem(externalOnly, `means nothing towards a peer of the own AS ${bgp.asn}; remove it`);
  }
  const internalOnly = (['routeReflectorClient', 'nextHopSelf'] as const).find(
    (key) => !internal && peer[key],
  );
  if (internalOnly) {
    return problem(
      internalOnly,
      `is for peers of the own AS ${bgp.asn}, the peer is AS ${peer.asn}; remove it`,
    );
  }
  if (peer.nextHopSelf && peer.nextHopUnchanged)
    return problem('nextHopUnchanged', 'does not go with nextHopSelf');
  if (peer.password !== undefined && peer.passwordFile !== undefined) {
    return problem('passwordFile', 'does not go with password; remove one');
  }
  if (peer.interface !== undefined && peer.multihop > 1) {
    return problem('multihop', 'a peer on a link is one hop away; remove it');
  }
  if (peer.bfd && peer.prefix !== undefined) {
    return problem(
      'bfd',
      'is for peers that are known before they connect, with address or interface; remove it',
    );
  }
  return [];
}

function policyProblems({ policies }: BgpConfig, peer: BgpPeerConfig, i: number): Problem[] {
  const names = Object.keys(policies);
  for (const key of ['import', 'export'] as const) {
    for (const [n, name] of peer[key].entries()) {
      if (names.includes(name)) continue;
      const near = closest(name, names);
      const hint = near ? `; did you mean '${near}'?` : `; known here: ${names.join(', ') || 'none'}`;
      return [
        { path: ['bgp', 'peers', i, key, n], message: `there is no policy '${name}' in bgp.policies${hint}` },
      ];
    }
  }
  return [];
}
