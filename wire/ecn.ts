// Explicit Congestion Notification across tunnels (RFC 6040), as pure functions of header fields. Knows no packet.

/** Codepoints of the 2-bit ECN field (RFC 3168 section 5): the two low bits of TOS or traffic class. */
export const Ecn = { notEct: 0, ect1: 1, ect0: 2, ce: 3 } as const;

/** In place of a codepoint: the packet must be dropped, since its transport would not see the mark. */
export const EcnDrop = -1;

/**
 * TOS or traffic class of the outer header: the inner one as it is. The ECN field in "normal mode", so that the tunnel
 * can be marked (RFC 6040 section 4.1); the DSCP too, the uniform model of RFC 2983 section 3.1.
 */
export const encapsulate = (innerTos: number): number => innerTos;

/** RFC 6040 section 4.2, figure 4: a row an inner codepoint, a column an outer one, both in the order of their values. */
const LEAVING: readonly (readonly number[])[] = [
  // outer: Not-ECT, ECT(1), ECT(0), CE
  [Ecn.notEct, Ecn.notEct, Ecn.notEct, EcnDrop], // inner Not-ECT
  [Ecn.ect1, Ecn.ect1, Ecn.ect1, Ecn.ce], // inner ECT(1)
  [Ecn.ect0, Ecn.ect1, Ecn.ect0, Ecn.ce], // inner ECT(0)
  [Ecn.ce, Ecn.ce, Ecn.ce, Ecn.ce], // inner CE
];

/** ECN field of the packet that leaves a tunnel, or EcnDrop. Both arguments 0 to 3. */
export const decapsulate = (inner: number, outer: number): number => LEAVING[inner][outer];

export { decapsulate as combineEcn };
