// Sizes of the shared tables. They are set aside in full at the start and resident only where touched, so a limit costs
// address space and not memory.

export const Limits = {
  workers: 32,
  /** Attachments, the node's own port included. */
  ports: 12288,
  /** Ways to send: one a remote node and encapsulation, one a port. */
  adjacencies: 16384,
  /** Underlay addresses of other nodes. */
  remotes: 16384,
  /** Distinct sets of adjacencies that routes point to. */
  nextHops: 16384,
  /** Buckets of all next hops together. */
  buckets: 262144,
} as const;
