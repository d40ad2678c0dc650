// Adjacencies: everything that is needed to send a packet on to its next hop. A row is written whole before anything
// points to it, and not used for something else before every worker has acknowledged that nothing does.

import type { Mac } from '../../wire/mac.ts';
import { Limits } from './limits.ts';

/** `direct` is a port adjacency of the host port that carries a remote. */
export const AdjacencyKind = { none: 0, unreachable: 1, port: 2, vxlan: 3, ipip: 4 } as const;
export type AdjacencyKind = (typeof AdjacencyKind)[keyof typeof AdjacencyKind];

const ROW = 16;
const KIND = 0;
const MTU = 1;
const PORT = 2;
const REMOTE = 3;
const OUTER_FAMILY = 4;
const OUTER = 5; // 4 words, IPv4 in the first
const UDP_PORT = 9;
const VNI = 10;
const MAC_HIGH = 11; // 16 bits
const MAC_LOW = 12; // 32 bits
const GENERATION = 13;

export const ADJACENCY_WORDS = Limits.adjacencies * ROW;
const TWO_32 = 4294967296;

export const kind = (table: Int32Array, id: number): number => table[id * ROW + KIND];
/** Largest inner IP packet, in bytes. */
export const mtu = (table: Int32Array, id: number): number => table[id * ROW + MTU];
/** Of kind port: where to. */
export const port = (table: Int32Array, id: number): number => table[id * ROW + PORT];
/** Remote id of the node on the other side, 0 for none. */
export const remote = (table: Int32Array, id: number): number => table[id * ROW + REMOTE];
/** 4 or 6. */
export const outerFamily = (table: Int32Array, id: number): number => table[id * ROW + OUTER_FAMILY];
/** Word `w` of the outer destination, signed. */
export const outerWord = (table: Int32Array, id: number, w: number): number => table[id * ROW + OUTER + w];
export const udpPort = (table: Int32Array, id: number): number => table[id * ROW + UDP_PORT];
export const vni = (table: Int32Array, id: number): number => table[id * ROW + VNI];
export const mac = (table: Int32Array, id: number): Mac =>
  (table[id * ROW + MAC_HIGH] * TWO_32 + (table[id * ROW + MAC_LOW] >>> 0)) as Mac;
/** Counts how often the row was written; tells a worker to build anew what it derived from it. */
export const generation = (table: Int32Array, id: number): number => table[id * ROW + GENERATION];

/** What a row says; fields that do not go with the kind are 0. */
export interface AdjacencyRow {
  readonly kind: AdjacencyKind;
  readonly mtu: number;
  readonly port?: number;
  readonly remote?: number;
  readonly outer?: { readonly family: 4 | 6; readonly words: readonly number[] };
  readonly udpPort?: number;
  readonly vni?: number;
  readonly mac?: Mac;
}

/** Control only. The generation goes last. */
export const writeAdjacency = (table: Int32Array, id: number, row: AdjacencyRow): void => {
  const at = id * ROW;
  const { outer, mac: address = 0 } = row;
  table.fill(0, at, at + GENERATION);
  table[at + MTU] = row.mtu;
  table[at + PORT] = row.port ?? 0;
  table[at + REMOTE] = row.remote ?? 0;
  table[at + OUTER_FAMILY] = outer?.family ?? 0;
  outer?.words.forEach((word, w) => {
    table[at + OUTER + w] = word;
  });
  table[at + UDP_PORT] = row.udpPort ?? 0;
  table[at + VNI] = row.vni ?? 0;
  table[at + MAC_HIGH] = Math.floor(address / TWO_32);
  table[at + MAC_LOW] = (address % TWO_32) | 0;
  table[at + KIND] = row.kind;
  Atomics.add(table, at + GENERATION, 1);
};

/** Control only: changes the MTU of a row in use. */
export const setMtu = (table: Int32Array, id: number, bytes: number): void => {
  table[id * ROW + MTU] = bytes;
};
