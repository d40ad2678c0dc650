/**
 * Contradictions between values of a configuration that are each right by themselves. Looks at the configuration only:
 * whether it fits this machine is found out at start.
 */
import { type Address, addressEquals, formatAddress } from '../../wire/address.ts';
import {
  formatPrefix,
  parsePrefix,
  prefixContains,
  prefixEquals,
  prefixesOverlap,
} from '../../wire/prefix.ts';
import { bgpProblems } from './bgp-checks.ts';
import type { EncapType, NodeConfig } from './node-config.ts';
import type { Problem } from './shapes.ts';

/** All there are, in the order of the file's documentation. */
export function findProblems(config: NodeConfig): Problem[] {
  return [
    ...nodeAddresses(config),
    ...podRanges(config),
    ...podMtu(config),
    ...enabledEncaps(config),
    ...config.routes.flatMap((_, i) => routeProblems(config, i)),
    ...bgpProblems(config, isNoHost),
  ];
}

/** RFC 8200 section 5. */
const IPV6_MIN_MTU = 1280;

/** RFC 1122 section 3.2.1.3, RFC 4291 sections 2.5.2 and 2.7: what no single host has. */
const NO_HOST = ['0.0.0.0/8', '224.0.0.0/3', '::/128', 'ff00::/8'].map(parsePrefix);

const isNoHost = (address: Address) => NO_HOST.some((prefix) => prefixContains(prefix, address));

function nodeAddresses({ node }: NodeConfig): Problem[] {
  if (node.address === 'auto') return [];
  return node.address.flatMap((address, i, all) => {
    const path = ['node', 'address', i];
    const text = formatAddress(address);
    if (isNoHost(address)) {
      return [{ path, message: `${text} is not the address of a host; give an address of this node` }];
    }
    const first = all.findIndex((other) => addressEquals(other, address));
    return first < i
      ? [{ path, message: `${text} is there already (node.address[${first}]); remove one` }]
      : [];
  });
}

function podRanges({ pods }: NodeConfig): Problem[] {
  return pods.cidrs.flatMap((cidr, i, all) => {
    const path = ['pods', 'cidrs', i];
    const text = formatPrefix(cidr);
    if (isNoHost(cidr.address))
      return [{ path, message: `${text} is not a range for hosts; such as 10.244.1.0/24` }];
    const longest = cidr.address.family === 4 ? 31 : 127;
    if (cidr.length > longest) {
      return [{ path, message: `${text} has no room for pods; the prefix length is at most ${longest}` }];
    }
    const first = all.findIndex((other) => prefixesOverlap(other, cidr));
    if (first === i) return [];
    const other = `${formatPrefix(all[first])} (pods.cidrs[${first}])`;
    return [{ path, message: `${text} overlaps ${other}; the ranges have to be disjoint` }];
  });
}

function podMtu({ pods }: NodeConfig): Problem[] {
  const six = pods.cidrs.find(({ address }) => address.family === 6);
  if (pods.mtu === 'auto' || pods.mtu >= IPV6_MIN_MTU || !six) return [];
  return [
    {
      path: ['pods', 'mtu'],
      message: `${pods.mtu} is too small for the IPv6 range ${formatPrefix(six)}, which needs ${IPV6_MIN_MTU} or more`,
    },
  ];
}

/** What is sent in a tunnel goes through the socket that also receives. */
function enabledEncaps({ encap, routes }: NodeConfig): Problem[] {
  const lacks = (type: EncapType) => type !== 'direct' && !encap.receive.includes(type);
  const route = routes.findIndex((each) => each.encap !== undefined && lacks(each.encap));
  const [type, user] = lacks(encap.type)
    ? [encap.type, 'encap.type']
    : [routes[route]?.encap, `routes[${route}]`];
  if (type === undefined) return [];
  return [{ path: ['encap', 'receive'], message: `'${type}' is missing, but ${user} uses it; add it` }];
}

function routeProblems({ node, encap: { type, when }, routes }: NodeConfig, i: number): Problem[] {
  const { to, via, encap = type, ...rest } = routes[i];
  const problem = (key: string, message: string): Problem[] => [{ path: ['routes', i, key], message }];
  const viaText = formatAddress(via);
  if (isNoHost(via))
    return problem('via', `${viaText} is not the address of a host; give that of the other node`);
  if (node.address !== 'auto' && node.address.some((own) => addressEquals(own, via))) {
    return problem(
      'via',
      `${viaText} is an address of this node (node.address); give that of the other node`,
    );
  }
  if (encap === 'ipip' && via.family !== 4) {
    return problem(
      'via',
      `${viaText} cannot be reached by ipip, which goes over IPv4; use encap: vxlan or an IPv4 address`,
    );
  }
  if (encap === 'direct' && via.family !== to.address.family) {
    return problem(
      'via',
      `${viaText} is not of the family of ${formatPrefix(to)}, as encap: direct needs; use encap: vxlan`,
    );
  }
  if (prefixContains(to, via) && to.length > 0 && encap !== 'direct') {
    return problem(
      'to',
      `${formatPrefix(to)} contains ${viaText}, through which it is reached; leave via out of the prefix`,
    );
  }
  const vxlanOnly = (['mac', 'vni', 'port'] as const).find((key) => rest[key] !== undefined);
  if (vxlanOnly && encap !== 'vxlan') {
    return problem(vxlanOnly, `means nothing with encap: ${encap}; remove it, or set encap: vxlan`);
  }
  const before = routes.slice(0, i).map((route, index) => ({ index, ...route }));
  const group = before.filter((other) => prefixEquals(other.to, to));
  const same = group.find((other) => addressEquals(other.via, via));
  if (same) {
    return problem(
      'via',
      `${formatPrefix(to)} via ${viaText} is there already (routes[${same.index}]); remove one`,
    );
  }
  // With cross-subnet, what has no `encap` becomes direct by where its `via` is, which the node finds out.
  const known = (own: EncapType | undefined) => own !== undefined || when === 'always';
  const mixed = group.find(
    (other) =>
      known(routes[i].encap) &&
      known(other.encap) &&
      ((other.encap ?? type) === 'direct') !== (encap === 'direct'),
  );
  if (!mixed) return [];
  const why = `the paths to ${formatPrefix(to)} are all direct or all not`;
  return problem(
    'encap',
    `'${encap}' does not go with '${mixed.encap ?? type}' of routes[${mixed.index}]; ${why}`,
  );
}
