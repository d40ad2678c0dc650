// Explicit Congestion Notification across tunnels (RFC 6040), as pure functions of the 2-bit fields.
// 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.

/** The packet must be dropped: its transport would not see the mark. */
export const EcnDrop = -1;

/** RFC 6040 figure 4: a row an inner field, a column an outer one. */
const COMBINED: readonly (readonly number[])[] = [
  // outer: Not-ECT, ECT(1), ECT(0), CE
  [0, 0, 0, EcnDrop], // inner Not-ECT
  [1, 1, 1, 3], // inner ECT(1)
  [2, 1, 2, 3], // inner ECT(0)
  [3, 3, 3, 3], // inner CE
];

/** ECN field of the packet that leaves a tunnel, or EcnDrop. */
export const combineEcn = (inner: number, outer: number): number => COMBINED[inner][outer];
