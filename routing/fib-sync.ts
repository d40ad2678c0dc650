/**
 * Carries the best routes to where packets are forwarded: every one into the engine's FIB, and what leads to other nodes
 * into the kernel's table too, so that the node's own packets take the same way. Holds no routes of its own.
 */
import type { Address } from '../wire/address.ts';
import type { Prefix } from '../wire/prefix.ts';
import type { Path } from './path.ts';
import type { Candidate, RouteListener } from './route-table.ts';

/** The engine's FIB. */
export interface Fib {
  setRoute(prefix: Prefix, paths: readonly Path[]): void;
  removeRoute(prefix: Prefix): void;
  /** Makes the changes inside public together. */
  batch(work: () => void): void;
}

export interface KernelVia {
  readonly address: Address;
  /** Index. */
  readonly interface?: number;
  readonly weight?: number;
}

/** How the kernel gets packets to a prefix: into the fabric through the host port, or to next hops on the underlay. */
export type KernelPath = (
  | { readonly kind: 'fabric'; readonly mtu: number }
  | { readonly kind: 'underlay'; readonly vias: readonly KernelVia[]; readonly mtu: number }
) & {
  /** Stands behind the node's own routes. */
  readonly learned?: boolean;
};

export interface KernelRoutes {
  set(prefix: Prefix, path: KernelPath): void;
  remove(prefix: Prefix): void;
  /** Asks the kernel for the changes inside together; the last for a prefix counts. */
  batch(work: () => void): void;
  /** The same for many: resolves when the kernel has answered, which may take it a third of a second. */
  batchInBackground(work: () => void): Promise<void>;
}

export interface FibSync {
  /** For the route table. What the engine throws (tables used up) passes through. */
  readonly listener: RouteListener;
  batch(work: () => void): void;
  /** The engine has the changes at once, the kernel when this resolves. */
  batchInBackground(work: () => void): Promise<void>;
}

/** @param learnedIntoKernel whether learned routes through tunnels go into the kernel's table too; asked at each change */
export function fibSync(fib: Fib, kernel: KernelRoutes, learnedIntoKernel = () => true): FibSync {
  /** Routes with the same candidate share what the kernel is to do. */
  const known = new WeakMap<Candidate, KernelPath | 'none'>();
  const pathOf = (prefix: Prefix, best: Candidate): KernelPath | undefined => {
    let path = known.get(best);
    if (path === undefined) {
      path = kernelPath(best) ?? 'none';
      known.set(best, path);
    }
    if (path === 'none' || path.kind === 'underlay') return path === 'none' ? undefined : path;
    // A default route into the fabric would take the underlay's packets with it.
    return prefix.length === 0 || (path.learned && !learnedIntoKernel()) ? undefined : path;
  };
  return {
    listener(prefix, best) {
      const path = best && pathOf(prefix, best);
      const forward = () => (best ? fib.setRoute(prefix, best.paths) : fib.removeRoute(prefix));
      if (path?.kind === 'underlay') {
        // The kernel first: what the engine hands it for a direct path must not come straight back into the fabric.
        kernel.set(prefix, path);
        forward();
      } else {
        forward();
        if (path) kernel.set(prefix, path);
        else kernel.remove(prefix);
      }
    },
    batch: (work) => fib.batch(() => kernel.batch(work)),
    batchInBackground: (work) => kernel.batchInBackground(() => fib.batch(work)),
  };
}

/** Undefined where the kernel needs no route: the node's own ranges are routed to the host port as a whole. */
function kernelPath({ source, paths }: Candidate): KernelPath | undefined {
  if (source === 'local' || source === 'host') return undefined;
  const remote = paths.filter((path) => path.kind !== 'port' && path.kind !== 'unreachable');
  if (remote.length === 0) return undefined;
  const mtu = Math.min(...remote.map((path) => path.mtu));
  const learned = source === 'bgp' ? { learned: true } : {};
  const direct = remote.filter((path) => path.kind === 'direct');
  if (direct.length === remote.length) {
    return { kind: 'underlay', vias: direct.map(viaOf), mtu, ...learned };
  }
  return { kind: 'fabric', mtu, ...learned };
}

const viaOf = ({ via, interface: index, weight }: Extract<Path, { kind: 'direct' }>): KernelVia => ({
  address: via,
  ...(index !== undefined && { interface: index }),
  ...(weight !== undefined && { weight }),
});
