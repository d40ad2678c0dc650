/**
 * What a runtime asks for as `portMappings`: which ports of the node lead to a pod, and which of these two pods cannot both
 * have. Decides, and changes nothing. Conventions: https://www.cni.dev/docs/conventions/ ("port mappings").
 */
import { type Address, addressEquals, formatAddress } from '../wire/address.ts';
import type { Attachment } from './attachment.ts';
import type { PortForward } from './host.ts';

export interface PortMapping {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Ports of the node and of the pod, 1..65535. */
  readonly hostPort: number;
  readonly containerPort: number;
  /** Only at this address of the node; an unspecified one (0.0.0.0, ::): all of its family; undefined: all. */
  readonly hostIp?: Address | undefined;
}

export const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;

export const formatPort = ({ protocol, hostPort, host }: PortForward): string =>
  `${protocol} port ${hostPort}${host ? ` of ${formatAddress(host)}` : ''}`;

/** What these mean for a pod's addresses: one a family, or a string that says why one of them means nothing. */
export function forwardsOf({
  ips,
  portMappings = [],
}: Pick<Attachment, 'ips' | 'portMappings'>): PortForward[] | string {
  const forwards: PortForward[] = [];
  for (const { protocol, hostPort, containerPort, hostIp } of portMappings) {
    const targets = ips.filter(({ family }) => family === (hostIp?.family ?? family));
    if (targets.length === 0) {
      return `hostIP ${hostIp && formatAddress(hostIp)}: the pod has no address of that family`;
    }
    const host = hostIp?.words.some((word) => word !== 0) ? hostIp : undefined;
    for (const to of targets) forwards.push({ protocol, hostPort, host, to, port: containerPort });
  }
  return forwards;
}

/** Whether a packet could be meant for both. */
export function overlap(a: PortForward, b: PortForward): boolean {
  return (
    a.protocol === b.protocol &&
    a.hostPort === b.hostPort &&
    a.to.family === b.to.family &&
    (!a.host || !b.host || addressEquals(a.host, b.host))
  );
}

/** Asked for more than once, which changes nothing. */
export function isSame(a: PortForward, b: PortForward): boolean {
  const sameHost = a.host && b.host ? addressEquals(a.host, b.host) : a.host === b.host;
  return overlap(a, b) && sameHost && a.port === b.port && addressEquals(a.to, b.to);
}
