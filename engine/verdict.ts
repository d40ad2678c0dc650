// The fate of a packet. Every packet that enters the engine ends in exactly one verdict, counted once, in the
// counter cell of that number; names in `weft drops`, in `weft why` and in the metrics derive from this list.

/** The verdicts in counter order. Appending is safe; the order is layout of the shared counters. */
export const Verdict = {
  /** Not decided yet: the packet is still on its way through the stages. Never counted. */
  pending: 0,
  /** Written to a pod's or the node's own interface. */
  delivered: 1,
  /** Handed to the underlay inside a tunnel. */
  encapsulated: 2,
  /** Replaced by its fragments, each of which has a verdict of its own (RFC 791 section 2.3). */
  fragmented: 3,

  // From here on: drops.
  malformed: 4,
  truncated: 5,
  badHeaderChecksum: 6,
  multicast: 7,
  martian: 8,
  spoofedSource: 9,
  unknownTunnel: 10,
  tunnelSource: 11,
  vxlanFlags: 12,
  vxlanVni: 13,
  innerMac: 14,
  innerEtherType: 15,
  ecn: 16,
  noRoute: 17,
  unreachable: 18,
  ttlExceeded: 19,
  tooBig: 20,
  portGone: 21,
  portWrite: 22,
  underlayFull: 23,
  underlayMtu: 24,
  underlayError: 25,
  encapDisabled: 26,
  rateLimit: 27,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];
export type VerdictName = keyof typeof Verdict;

/** In place of a verdict: the packet has to pass a token bucket before it goes on (limit.ts). Never counted. */
export const LIMITED = -1;

const FIRST_DROP = Verdict.malformed;

/** Number of counter cells. */
export const VERDICT_COUNT = Object.keys(Verdict).length;

export const isDrop = (verdict: number): boolean => verdict >= FIRST_DROP;

const kebab = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** Display name by verdict number: `no-route`, `spoofed-source`, … */
export const verdictNames: readonly string[] = Object.keys(Verdict).map(kebab);

/** One sentence a verdict, for `weft why` and for people who read `weft drops`. */
export const verdictMeaning: Readonly<Record<VerdictName, string>> = {
  pending: 'not decided yet',
  delivered: 'written to an interface of this node',
  encapsulated: 'sent to the underlay inside a tunnel',
  fragmented: 'replaced by fragments that fit the next link',
  malformed: 'not a well-formed IPv4 or IPv6 packet',
  truncated: 'shorter than its own headers say',
  badHeaderChecksum: 'the IPv4 header checksum is wrong',
  multicast: 'multicast and broadcast are not routed',
  martian: 'source or destination may not appear on a network',
  spoofedSource: 'the source address does not belong to the interface it came from',
  unknownTunnel: 'from an underlay address that no route names as a tunnel end point',
  tunnelSource: 'the inner source is not routed to the tunnel end point it came from',
  vxlanFlags: 'the VXLAN I flag is missing',
  vxlanVni: 'the VNI is not one that this node shares with the sender',
  innerMac: 'the inner destination MAC is not this node’s',
  innerEtherType: 'the inner frame is neither IPv4 nor IPv6',
  ecn: 'congestion marked on the outer header of a packet that cannot carry the mark (RFC 6040)',
  noRoute: 'no route to the destination',
  unreachable: 'the route to the destination says unreachable',
  ttlExceeded: 'TTL or hop limit ran out',
  tooBig: 'larger than the MTU of the way ahead, and may not be fragmented',
  portGone: 'the interface it is for is gone',
  portWrite: 'the interface refused it',
  underlayFull: 'the underlay socket’s queue stayed full',
  underlayMtu: 'larger than the underlay takes',
  underlayError: 'the underlay refused it',
  encapDisabled: 'the route wants an encapsulation that this node has no socket for',
  rateLimit: 'more than the rate limit of the interface that it comes from or is for',
};
