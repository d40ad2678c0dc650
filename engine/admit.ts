// Stage 2, admit: what may not be routed at all stops here, and nobody speaks for another. The route to a packet's
// source must lead back to where the packet came from: to the port it was read from, or to the tunnel end point that
// sent it (strict reverse path, RFC 3704 section 2.2). One rule serves pods, the node itself and tunnels.

import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { type Batch, Ingress } from './batch.ts';
import type { PacketMemory } from './memory.ts';
import * as adjacencies from './tables/adjacencies.ts';
import type { Tables } from './tables/buffers.ts';
import { fib4Lookup } from './tables/fib4.ts';
import { fib6Lookup } from './tables/fib6.ts';
import { bucketAdjacency, bucketCount } from './tables/next-hops.ts';
import { Verdict } from './verdict.ts';

/** In place of a next hop: no packet has that source. */
const MARTIAN = -1;

export const admit = (batch: Batch, memory: PacketMemory, tables: Tables): void => {
  const { view } = memory;
  // Packets come in runs of one sender: the last next hop serves most of them.
  let nextHop = 0;
  let known = 0;
  let w0 = 0;
  let w1 = 0;
  let w2 = 0;
  let w3 = 0;
  for (let i = 0; i < batch.count; i++) {
    if (batch.verdict[i] !== Verdict.pending) continue;
    // Same addresses, same sender: admitted as the one before was.
    if (batch.repeats[i] !== 0 && batch.verdict[i - 1] === Verdict.pending) continue;
    const at = batch.offset[i];
    const family = batch.family[i];
    if (family === 4) {
      const refused = refuseDestination4(ipv4.destination(view, at));
      if (refused !== Verdict.pending) {
        batch.verdict[i] = refused;
        continue;
      }
      const source = ipv4.source(view, at);
      if (known !== 4 || source !== w0) {
        nextHop = isNoSource4(source) ? MARTIAN : fib4Lookup(tables.fib4, source);
        w0 = source;
      }
    } else {
      const refused = refuseDestination6(view, at);
      if (refused !== Verdict.pending) {
        batch.verdict[i] = refused;
        continue;
      }
      const a = ipv6.sourceWord(view, at, 0);
      const b = ipv6.sourceWord(view, at, 1);
      const c = ipv6.sourceWord(view, at, 2);
      const d = ipv6.sourceWord(view, at, 3);
      if (known !== 6 || a !== w0 || b !== w1 || c !== w2 || d !== w3) {
        nextHop = isNoSource6(a, b, c, d) ? MARTIAN : fib6Lookup(tables.fib6, a, b, c, d);
        w0 = a;
        w1 = b;
        w2 = c;
        w3 = d;
      }
    }
    known = family;
    if (nextHop === MARTIAN) {
      batch.verdict[i] = Verdict.martian;
    } else if (batch.ingress === Ingress.port) {
      if (!leadsToPort(tables, nextHop, batch.source[i])) batch.verdict[i] = Verdict.spoofedSource;
    } else if (batch.ingress === Ingress.underlay) {
      if (!leadsToRemote(tables, nextHop, batch.source[i])) batch.verdict[i] = Verdict.tunnelSource;
    }
  }
};

const leadsToPort = (tables: Tables, nextHop: number, port: number): boolean => {
  if (nextHop === 0) return false;
  const count = bucketCount(tables.nextHops, nextHop);
  for (let b = 0; b < count; b++) {
    const adjacency = bucketAdjacency(tables.nextHops, tables.buckets, nextHop, b);
    if (
      adjacencies.kind(tables.adjacencies, adjacency) === adjacencies.AdjacencyKind.port &&
      adjacencies.port(tables.adjacencies, adjacency) === port
    ) {
      return true;
    }
  }
  return false;
};

const leadsToRemote = (tables: Tables, nextHop: number, remote: number): boolean => {
  if (nextHop === 0) return false;
  const count = bucketCount(tables.nextHops, nextHop);
  for (let b = 0; b < count; b++) {
    const adjacency = bucketAdjacency(tables.nextHops, tables.buckets, nextHop, b);
    if (adjacencies.remote(tables.adjacencies, adjacency) === remote) return true;
  }
  return false;
};

/** RFC 1812 section 5.3.7: sources that are never forwarded, whoever has a route to them. */
const isNoSource4 = (source: number): boolean =>
  source >>> 29 === 7 || source >>> 24 === 127 || source >>> 24 === 0;

/** RFC 4291 sections 2.5.2, 2.5.3, 2.5.6 and 2.7. */
const isNoSource6 = (a: number, b: number, c: number, d: number): boolean =>
  a >>> 24 === 0xff || a >>> 22 === 0x3fa || (a === 0 && b === 0 && c === 0 && d >>> 1 === 0);

/** RFC 1812 section 5.3.7: what is never forwarded. 224/3 covers multicast, reserved and limited broadcast. */
const refuseDestination4 = (destination: number): Verdict => {
  if (destination >>> 29 === 7) return Verdict.multicast;
  const first = destination >>> 24;
  return first === 127 || first === 0 ? Verdict.martian : Verdict.pending;
};

/** RFC 4291 sections 2.4 to 2.7: multicast, unspecified and loopback, link-local. */
const refuseDestination6 = (view: DataView, at: number): Verdict => {
  const first = ipv6.destinationWord(view, at, 0);
  if (first >>> 24 === 0xff) return Verdict.multicast;
  if (first >>> 22 === 0x3fa) return Verdict.martian;
  const low = ipv6.destinationWord(view, at, 3);
  const none =
    first === 0 && ipv6.destinationWord(view, at, 1) === 0 && ipv6.destinationWord(view, at, 2) === 0;
  return none && low >>> 1 === 0 ? Verdict.martian : Verdict.pending;
};
