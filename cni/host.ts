/**
 * What the node service hands to attachments: the engine's ports, the routes to them, and a log. Interfaces only, so
 * that nothing in cni needs to know the engine or the service.
 */
import type { Address } from '../wire/address.ts';
import type { Prefix } from '../wire/prefix.ts';
import type { Bandwidth } from './bandwidth.ts';

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The part of the engine that pod interfaces need. */
export interface PodPorts<Port = number> {
  /** Takes the descriptors over, one a worker, and closes them when the port is removed. Throws when ports are used up. */
  addPort(spec: { kind: 'pod'; mtu: number; fds: readonly number[]; limits?: Bandwidth }): Port;
  /** Resolves when no worker uses the port any more and its descriptors are closed. */
  removePort(port: Port): Promise<void>;
  /** Ports whose interface is gone: a worker read EBADFD from it. */
  deadPorts(): readonly Port[];
}

/** Routes to single pod addresses, for as long as the pod is there. */
export interface PodRoutes<Port = number> {
  /** Resolves when what the pod sends is let out as well. Throws, or rejects, when tables are used up. */
  add(prefix: Prefix, port: Port): void | Promise<void>;
  remove(prefix: Prefix): void;
}

/** Limits for what a pod's TCP and UDP hand over in one piece, set on the pod's interface. */
export interface GsoLimits {
  /** Segments in one piece at most, 1..65535. */
  readonly maxSegments: number;
  /** Bytes in one piece at most, headers included, up to 65536. */
  readonly maxSize: number;
}

/** A port of the node that leads to a port of a pod. */
export interface PortForward {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Only at this address of the node; undefined: at all that are of the pod address's family. */
  readonly host: Address | undefined;
  readonly hostPort: number;
  /** The pod's address and port. */
  readonly to: Address;
  readonly port: number;
}

/** What makes ports of the node lead to pods, in the node's kernel. */
export interface PodForwards {
  /** Resolves when these lead to pods and no others do. Rejects when that cannot be; then all is as it was. */
  forward(forwards: readonly PortForward[]): Promise<void>;
  /** Those of them that the kernel does not know (any more). */
  missing(forwards: readonly PortForward[]): Promise<readonly PortForward[]>;
}
