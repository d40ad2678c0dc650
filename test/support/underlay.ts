/**
 * The underlay of a scenario: one switch in a namespace of its own, nodes and strangers plugged into it by cables. What
 * crosses the switch can be captured there, checksums complete, as a reader between two machines would see it.
 *
 *   node 1 (u0) ══ p1 ┐
 *   node 2 (u0) ══ p2 ┤ switch
 *   …                 ┘
 */
import { link } from '../../lab/link.ts';
import type { Namespace } from '../../lab/namespace.ts';
import type { Run } from '../../lab/run.ts';

export type Family = 4 | 6;

export interface UnderlayOptions {
  /** Of every link, bytes; default 1500. */
  readonly mtu?: number;
  /** Frames of MTU size with complete checksums, as on cables (default); false: as virtual interfaces hand them over. */
  readonly wire?: boolean;
}

/** Underlay address of the n-th node. */
export const underlayAddress = (n: number, family: Family): string =>
  family === 4 ? `192.168.77.${n}` : `fd00:77::${n}`;

const BRIDGE = 'br0';

export class Underlay {
  readonly namespace: Namespace;
  readonly #mtu: number;
  readonly #wire: boolean;
  readonly #run: Run;

  constructor(run: Run, { mtu = 1500, wire = true }: UnderlayOptions = {}) {
    this.#run = run;
    this.#mtu = mtu;
    this.#wire = wire;
    this.namespace = run.namespace('switch');
    this.namespace.ip(`link add ${BRIDGE} type bridge mcast_snooping 0`);
    this.namespace.ip(`link set ${BRIDGE} addrgenmode none mtu ${mtu} up`);
  }

  /** A machine with the n-th underlay address of both families on `u0`. */
  host(n: number, name = `node${n}`): Namespace {
    const namespace = this.#run.namespace(name);
    const addresses = [`${underlayAddress(n, 4)}/24`, `${underlayAddress(n, 6)}/64`];
    this.plug(namespace, n, addresses);
    return namespace;
  }

  /** Gives a namespace `u0` with these addresses; the other end is the switch's port. */
  plug(namespace: Namespace, n: number, addresses: readonly string[], name = 'u0'): void {
    const port = portName(n);
    // Nobody else is on the cable: waiting for a duplicate of the link-local address would delay the first packets by 2 s.
    namespace.sysctl('net.ipv6.conf.default.dad_transmits', 0);
    const options = { mtu: this.#mtu, wire: this.#wire };
    link({ namespace: this.namespace, name: port }, { namespace, name, addresses }, options);
    this.namespace.ip(`link set ${port} master ${BRIDGE} addrgenmode none`);
    // On its way out of the switch a frame has its checksum computed, which virtual links leave open.
    if (this.#wire) this.namespace.run('ethtool', '-K', port, 'tx', 'off');
  }
}

/** The switch's port of the n-th machine. */
export const portName = (n: number): string => `p${n}`;
