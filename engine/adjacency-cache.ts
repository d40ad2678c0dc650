// What a worker keeps of an adjacency in its own packet memory: the socket address that the kernel reads and the
// encapsulation headers that go before inner packets. Built when first used, and again when the row's generation changed.
//
//   +0 sockaddr_in or sockaddr_in6 (16, 28)   +34 header before inner IPv4 (22)   +58 header before inner IPv6 (22)
//   Both headers at 2 modulo 4, like the places that they are copied to.

import * as vxlan from '../encap/vxlan.ts';
import type { Mac } from '../wire/mac.ts';
import type { PacketMemory } from './memory.ts';
import * as adjacencies from './tables/adjacencies.ts';
import type { Tables } from './tables/buffers.ts';
import { Limits } from './tables/limits.ts';

const ENTRY = 96;
const TEMPLATE_4 = 34;
const TEMPLATE_6 = 58;
const AF_INET = 2;
const AF_INET6 = 10;

/** Offset of the header that goes before inner packets of `innerFamily`. */
export const templateOf = (entry: number, innerFamily: number): number =>
  entry + (innerFamily === 4 ? TEMPLATE_4 : TEMPLATE_6);

/** Bytes that Weft itself writes before the inner packet at most: VXLAN and Ethernet. */
export const TEMPLATE_ROOM = vxlan.HEADER_LENGTH;

/** Copies a VXLAN template; quickest when both sides are at 2 modulo 4. */
export const copyTemplate = ({ view }: PacketMemory, from: number, to: number): void => {
  view.setInt16(to, view.getInt16(from, true), true);
  for (let k = 2; k < TEMPLATE_ROOM; k += 4) view.setInt32(to + k, view.getInt32(from + k, true), true);
};

/** Of an entry's socket address: UDP port, and address of IPv4. */
export const portOf = ({ view }: PacketMemory, entry: number): number => view.getUint16(entry + 2);
export const address4Of = ({ view }: PacketMemory, entry: number): number => view.getInt32(entry + 4);

export class AdjacencyCache {
  readonly #memory: PacketMemory;
  readonly #table: Int32Array;
  readonly #mac4: Mac;
  readonly #mac6: Mac;
  readonly #entries: number;
  readonly #generations = new Int32Array(Limits.adjacencies).fill(-1);

  /** @param macs inner source MAC by outer family */
  constructor(memory: PacketMemory, tables: Tables, macs: { mac4: Mac | undefined; mac6: Mac | undefined }) {
    this.#memory = memory;
    this.#table = tables.adjacencies;
    this.#mac4 = macs.mac4 ?? (0 as Mac);
    this.#mac6 = macs.mac6 ?? (0 as Mac);
    this.#entries = memory.reserve(Limits.adjacencies * ENTRY);
  }

  /** Offset of the entry of `adjacency`, up to date. */
  entry(adjacency: number): number {
    const at = this.#entries + adjacency * ENTRY;
    const generation = adjacencies.generation(this.#table, adjacency);
    if (this.#generations[adjacency] !== generation) {
      this.#generations[adjacency] = generation;
      this.#build(adjacency, at);
    }
    return at;
  }

  /** Whose counters the adjacency's traffic goes to. */
  remote(adjacency: number): number {
    return adjacencies.remote(this.#table, adjacency);
  }

  #build(adjacency: number, at: number): void {
    const { view, u8 } = this.#memory;
    const table = this.#table;
    u8.fill(0, at, at + ENTRY);
    const v4 = adjacencies.outerFamily(table, adjacency) === 4;
    view.setUint16(at, v4 ? AF_INET : AF_INET6, true);
    // A raw socket's address has no port; on IPv4 the kernel ignores the field.
    view.setUint16(at + 2, adjacencies.udpPort(table, adjacency));
    const words = v4 ? 1 : 4;
    const address = at + (v4 ? 4 : 8);
    for (let w = 0; w < words; w++)
      view.setInt32(address + 4 * w, adjacencies.outerWord(table, adjacency, w));
    if (adjacencies.kind(table, adjacency) !== adjacencies.AdjacencyKind.vxlan) return;
    const header = {
      vni: adjacencies.vni(table, adjacency),
      destination: adjacencies.mac(table, adjacency),
      source: v4 ? this.#mac4 : this.#mac6,
    };
    vxlan.writeTemplate(view, at + TEMPLATE_4, 4, header);
    vxlan.writeTemplate(view, at + TEMPLATE_6, 6, header);
  }
}
