/**
 * A rack: nodes and top-of-rack routers on one switch, and a server behind the routers, which has its routes from
 * elsewhere. What fails fails for the server at once; how long it takes for a node is what is looked at.
 *
 *   node n (u0) ══ switch ══ (u0) tor 10 (dc) ══ (tor10) server
 *                         ══ (u0) tor 11 (dc) ══ (tor11)
 */
import { link } from '../../lab/link.ts';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';
import { podPrefixes } from './pods.ts';
import { asRouter } from './routers.ts';
import { type Family, Underlay, underlayAddress } from './underlay.ts';

export const SERVER_PREFIXES = ['10.50.0.0/24', 'fd00:50::/64'] as const;
const SERVER = { 4: '10.50.0.1', 6: 'fd00:50::1' } as const;
export const TOR_ASN = 64500;
export const NODE_ASN = 64512;

export class DataCentre {
  readonly underlay: Underlay;
  readonly server: Namespace;
  readonly #nodes: readonly number[];
  readonly #tors = new Map<number, Namespace>();

  /** @param nodes numbers of those whose pods the server knows */
  constructor(run: Run, nodes: readonly number[]) {
    this.#nodes = nodes;
    this.underlay = new Underlay(run);
    this.server = asRouter(run.namespace('server'));
    // A route over a link without carrier is none.
    this.server.sysctl('net.ipv4.conf.all.ignore_routes_with_linkdown', 1);
    this.server.sysctl('net.ipv4.conf.default.ignore_routes_with_linkdown', 1);
    this.server.ip(`addr add ${SERVER[4]}/32 dev lo`);
    this.server.ip(`addr add ${SERVER[6]}/128 dev lo nodad`);
  }

  serverIp(family: Family): string {
    return SERVER[family];
  }

  /** A router with the way to the server in its table; BGP is up to the caller. */
  tor(n: number): Namespace {
    const namespace = asRouter(this.underlay.host(n, `tor${n}`));
    this.#tors.set(n, namespace);
    link(
      { namespace, name: 'dc', addresses: [`10.60.${n}.1/30`, `fd00:60:${n}::1/64`] },
      { namespace: this.server, name: `tor${n}`, addresses: [`10.60.${n}.2/30`, `fd00:60:${n}::2/64`] },
    );
    namespace.ip(`route add ${SERVER_PREFIXES[0]} via 10.60.${n}.2`);
    namespace.ip(`route add ${SERVER_PREFIXES[1]} via fd00:60:${n}::2`);
    for (const node of this.#nodes) {
      const [four, six] = podPrefixes(node);
      const hops = [...this.#tors.keys()];
      const through = (via: (tor: number) => string) =>
        hops.map((tor) => `nexthop via ${via(tor)}`).join(' ');
      this.server.ip(`route replace ${four} src ${SERVER[4]} ${through((tor) => `10.60.${tor}.1`)}`);
      this.server.ip(`route replace ${six} src ${SERVER[6]} ${through((tor) => `fd00:60:${tor}::1`)}`);
    }
    return namespace;
  }

  /** A router is gone: for the server at once, since its link is down; for nodes nothing comes back any more. */
  fail(n: number): void {
    this.#tors.get(n)?.run('ip', 'link', 'set', 'dc', 'down');
    this.#port(n, '0');
  }

  #port(n: number, state: string): void {
    this.underlay.namespace.run('bridge', 'link', 'set', 'dev', `p${n}`, 'state', state);
  }
}

export interface BirdTor {
  readonly n: number;
  /** Numbers of the nodes it speaks with. */
  readonly nodes: readonly number[];
  readonly bfd?: boolean;
  readonly holdTime?: number;
  /** What it tells: static routes of its own words. */
  readonly routes4?: readonly string[];
  readonly routes6?: readonly string[];
  readonly gracefulRestart?: boolean;
}

const DEFAULT_ROUTES = { 4: ['0.0.0.0/0', SERVER_PREFIXES[0]], 6: ['::/0', SERVER_PREFIXES[1]] } as const;

/** As `docs/operations/bgp.md` has it. */
export function birdTor({
  n,
  nodes,
  bfd = false,
  holdTime = 9,
  routes4,
  routes6,
  gracefulRestart = true,
}: BirdTor) {
  const routes = (all: readonly string[]) => all.map((prefix) => `route ${prefix} blackhole;`).join(' ');
  const kernel = (family: Family) =>
    `protocol kernel { merge paths on; ipv${family} { import none; export where source = RTS_BGP; }; }`;
  const channel = (family: Family) =>
    `ipv${family} { import all; export where source = RTS_STATIC; ${family === 6 ? `next hop address ${underlayAddress(n, 6)};` : ''} };`;
  return `
router id ${underlayAddress(n, 4)};
protocol direct { ipv4; ipv6; }
${kernel(4)}
${kernel(6)}
protocol static { ipv4; ${routes(routes4 ?? DEFAULT_ROUTES[4])} }
protocol static { ipv6; ${routes(routes6 ?? DEFAULT_ROUTES[6])} }
protocol bfd { interface "u0" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }
template bgp node {
  local ${underlayAddress(n, 4)} as ${TOR_ASN};
  hold time ${holdTime}; connect retry time 1; connect delay time 1; error wait time 1, 2;
  graceful restart ${gracefulRestart ? 'on' : 'off'};
  ${bfd ? 'bfd on;' : ''}
  ${channel(4)}
  ${channel(6)}
}
${nodes.map((node) => `protocol bgp node${node} from node { neighbor ${underlayAddress(node, 4)} as ${NODE_ASN}; }`).join('\n')}
`;
}

export interface FrrTor {
  readonly n: number;
  readonly nodes: readonly number[];
  readonly bfd?: boolean;
  readonly holdTime?: number;
}

export function frrTor({ n, nodes, bfd = false, holdTime = 9 }: FrrTor): string {
  const neighbours = (line: (address: string) => string) =>
    nodes.map((node) => line(underlayAddress(node, 4))).join('\n');
  return `
${bfd ? 'bfd\n profile fast\n  receive-interval 100\n  transmit-interval 100\n exit\nexit' : ''}
route-map OWN6 permit 10
 set ipv6 next-hop global ${underlayAddress(n, 6)}
exit
router bgp ${TOR_ASN}
 bgp router-id ${underlayAddress(n, 4)}
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 coalesce-time 0
${neighbours(
  (address) => ` neighbor ${address} remote-as ${NODE_ASN}
 neighbor ${address} timers ${Math.max(1, Math.floor(holdTime / 3))} ${holdTime}
 neighbor ${address} timers connect 1
 neighbor ${address} advertisement-interval 0
 ${bfd ? `neighbor ${address} bfd profile fast` : '!'}`,
)}
 address-family ipv4 unicast
  network ${SERVER_PREFIXES[0]}
${neighbours((address) => `  neighbor ${address} default-originate`)}
 exit-address-family
 address-family ipv6 unicast
  network ${SERVER_PREFIXES[1]}
${neighbours(
  (address) => `  neighbor ${address} activate
  neighbor ${address} route-map OWN6 out
  neighbor ${address} default-originate`,
)}
 exit-address-family
exit
`;
}
