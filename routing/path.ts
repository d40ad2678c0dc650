/**
 * One way to reach a prefix. Several of them on a route share its flows (ECMP). The same shapes as the engine's paths,
 * declared here because routing does not know the engine.
 */
import { type Address, addressEquals } from '../wire/address.ts';
import type { Mac } from '../wire/mac.ts';

/**
 * `mtu` is the largest inner IP packet in bytes. `weight` is relative to that of the other paths, default 1. `interface` is the
 * index of the one on which a link-local `via` is.
 */
export type Path =
  | { readonly kind: 'port'; readonly port: number }
  | {
      readonly kind: 'vxlan';
      readonly via: Address;
      readonly mac: Mac;
      readonly vni: number;
      readonly udpPort: number;
      readonly mtu: number;
      readonly weight?: number;
    }
  | { readonly kind: 'ipip'; readonly via: Address; readonly mtu: number; readonly weight?: number }
  | {
      readonly kind: 'direct';
      readonly via: Address;
      readonly interface?: number;
      readonly mtu: number;
      readonly weight?: number;
    }
  | { readonly kind: 'unreachable' };

/** Equal, and in the same order: the order of paths says which bucket of flows is whose. */
export function samePaths(a: readonly Path[], b: readonly Path[]): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every((path, i) => samePath(path, b[i]));
}

function samePath(a: Path, b: Path | undefined): boolean {
  if (a.kind !== b?.kind) return false;
  if (a.kind === 'unreachable') return true;
  if (a.kind === 'port') return b.kind === 'port' && a.port === b.port;
  if (b.kind === 'port' || b.kind === 'unreachable') return false;
  if (a.mtu !== b.mtu || (a.weight ?? 1) !== (b.weight ?? 1) || !addressEquals(a.via, b.via)) return false;
  if (a.kind === 'direct') return b.kind === 'direct' && a.interface === b.interface;
  if (a.kind !== 'vxlan') return true;
  return b.kind === 'vxlan' && a.mac === b.mac && a.vni === b.vni && a.udpPort === b.udpPort;
}
