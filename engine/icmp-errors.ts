// ICMP errors that a router owes a sender: Time Exceeded, Destination Unreachable, Fragmentation Needed and Packet Too
// Big (RFC 792, 1191, 1812 section 4.3; RFC 4443). Built from the packet that was refused, sent along its source's route.

import * as icmp from '../wire/icmp.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { Batch } from './batch.ts';
import type { DerivedPackets } from './derived.ts';
import type { PacketMemory } from './memory.ts';
import * as adjacencies from './tables/adjacencies.ts';
import type { Tables } from './tables/buffers.ts';
import { Verdict } from './verdict.ts';

/** RFC 1812 section 4.3.2.3: as much of the packet as fits 576 bytes; RFC 4443 section 2.4 (c): as fits 1,280. */
const LARGEST_4 = 576;
const LARGEST_6 = 1280;
/** RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f): a token bucket, refilled at RATE a second. */
const RATE = 1000;
const BURST = 200;
const TTL = 64;
/** DSCP CS6, internetwork control (RFC 1812 section 4.3.2.5 with RFC 4594). */
const TOS = 0xc0;
const ICMP = 1;
const ICMPV6 = 58;

/** Addresses that the errors come from; a family without one sends none. */
export interface RouterAddresses {
  readonly v4?: number;
  readonly v6?: readonly number[];
}

export class IcmpErrors {
  readonly #memory: PacketMemory;
  readonly #router: RouterAddresses;
  readonly #clock: () => number;
  /** Destination words of the answer being written: an array literal would be an allocation. */
  readonly #to = [0, 0, 0, 0];
  #tokens = BURST;
  #refilled: number;

  /** @param clock milliseconds, monotonic */
  constructor(memory: PacketMemory, router: RouterAddresses, clock: () => number) {
    this.#memory = memory;
    this.#router = router;
    this.#clock = clock;
    this.#refilled = clock();
  }

  /** Whether a packet of this verdict is answered. */
  static answers(verdict: number): boolean {
    return (
      verdict === Verdict.ttlExceeded ||
      verdict === Verdict.tooBig ||
      verdict === Verdict.noRoute ||
      verdict === Verdict.unreachable
    );
  }

  /** Appends the error that packet `i` deserves, if it deserves one and the rate allows. */
  append(batch: Batch, i: number, tables: Tables, out: DerivedPackets): void {
    if (!this.#deserves(batch, i) || !out.hasRoom(1, LARGEST_6) || !this.#takeToken()) return;
    const mtu =
      batch.verdict[i] === Verdict.tooBig ? adjacencies.mtu(tables.adjacencies, batch.adjacency[i]) : 0;
    if (batch.family[i] === 4) this.#append4(batch, i, mtu, out);
    else this.#append6(batch, i, mtu, out);
  }

  /** RFC 1122 section 3.2.2 and RFC 4443 section 2.4 (e): never about an error, a later fragment, a sender that is none. */
  #deserves(batch: Batch, i: number): boolean {
    const { view } = this.#memory;
    const at = batch.offset[i];
    if (batch.protocol[i] < 0) return false;
    const payload = at + batch.headerLength[i];
    const hasType = batch.length[i] > batch.headerLength[i];
    if (batch.family[i] === 4) {
      const source = ipv4.source(view, at);
      if (this.#router.v4 === undefined || source >>> 29 === 7 || source >>> 24 === 127 || source === 0)
        return false;
      return batch.protocol[i] !== ICMP || (hasType && !icmp.isError(view, payload));
    }
    if (this.#router.v6 === undefined || ipv6.sourceWord(view, at, 0) >>> 24 === 0xff) return false;
    return batch.protocol[i] !== ICMPV6 || (hasType && !icmp6.isError(view, payload));
  }

  #takeToken(): boolean {
    const now = this.#clock();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#refilled) * RATE) / 1000);
    this.#refilled = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #append4(batch: Batch, i: number, mtu: number, out: DerivedPackets): void {
    const { view, u8, sum } = this.#memory;
    const from = batch.offset[i];
    const quoted = Math.min(batch.length[i], LARGEST_4 - ipv4.MIN_LENGTH - icmp.LENGTH);
    const total = ipv4.MIN_LENGTH + icmp.LENGTH + quoted;
    const at = out.append(total);
    const message = at + ipv4.MIN_LENGTH;
    ipv4.write(view, at, total, TOS, TTL, ICMP, this.#router.v4 as number, ipv4.source(view, from));
    writeError4(view, message, batch.verdict[i], mtu);
    u8.copyWithin(message + icmp.LENGTH, from, from + quoted);
    icmp.storeChecksum(view, message, sum(message, icmp.LENGTH + quoted));
  }

  #append6(batch: Batch, i: number, mtu: number, out: DerivedPackets): void {
    const { view, u8, sum } = this.#memory;
    const from = batch.offset[i];
    const quoted = Math.min(batch.length[i], LARGEST_6 - ipv6.LENGTH - icmp6.LENGTH);
    const payload = icmp6.LENGTH + quoted;
    const at = out.append(ipv6.LENGTH + payload);
    const message = at + ipv6.LENGTH;
    for (let w = 0; w < 4; w++) this.#to[w] = ipv6.sourceWord(view, from, w);
    ipv6.write(view, at, payload, TOS, TTL, ICMPV6, this.#router.v6 as readonly number[], this.#to);
    writeError6(view, message, batch.verdict[i], mtu);
    u8.copyWithin(message + icmp6.LENGTH, from, from + quoted);
    const pseudo = ipv6.pseudoSum6(view, at, ICMPV6, payload);
    icmp6.storeChecksum(view, message, pseudo + sum(message, payload));
  }
}

const writeError4 = (view: DataView, at: number, verdict: number, mtu: number): void => {
  const { destinationUnreachable, timeExceeded } = icmp.Type;
  const { fragmentationNeeded, host, network } = icmp.Unreachable;
  if (verdict === Verdict.ttlExceeded) icmp.write(view, at, timeExceeded, 0, 0);
  else if (verdict === Verdict.tooBig) icmp.write(view, at, destinationUnreachable, fragmentationNeeded, mtu);
  else icmp.write(view, at, destinationUnreachable, verdict === Verdict.noRoute ? network : host, 0);
};

const writeError6 = (view: DataView, at: number, verdict: number, mtu: number): void => {
  const { destinationUnreachable, packetTooBig, timeExceeded } = icmp6.Type;
  const { address, noRoute } = icmp6.Unreachable;
  if (verdict === Verdict.ttlExceeded) icmp6.write(view, at, timeExceeded, 0, 0);
  else if (verdict === Verdict.tooBig) icmp6.write(view, at, packetTooBig, 0, mtu);
  else icmp6.write(view, at, destinationUnreachable, verdict === Verdict.noRoute ? noRoute : address, 0);
};
