/**
 * What an attachment is: one pod's interface in the fabric, named by (id, ifname). The record that survives the daemon,
 * the check of what a caller asks for, and the MAC that is reported for a device that has none. No input or output.
 */
import { createHash } from 'node:crypto';
import type { Address } from '../wire/address.ts';
import type { Bandwidth } from './bandwidth.ts';
import type { PortMapping } from './port-mappings.ts';

export interface Attachment {
  /** The container's or pod's id, as the caller named it. */
  readonly id: string;
  /** The interface's name inside the pod. */
  readonly ifname: string;
  /** Path by which the namespace can be entered, e.g. /run/netns/x. */
  readonly netns: string;
  /** Which namespace that path was when the pod was attached; numbers are used again once a namespace is gone. */
  readonly namespace: { readonly dev: number; readonly inode: number };
  /** /proc/sys/kernel/random/boot_id of then: no namespace survives a boot. */
  readonly bootId: string;
  /** One address a family, without length. */
  readonly ips: readonly Address[];
  /** What the pod's default routes go through. Undefined: the node's own address; there when somebody else gave the addresses. */
  readonly gateways?: readonly Address[] | undefined;
  /** Largest packet the pod may send, bytes. */
  readonly mtu: number;
  readonly mac: string;
  /**
   * 'creating' until the interface works, 'removing' from when nobody may rely on it: what a crash leaves in these phases is
   * undone at the next start.
   */
  readonly phase: 'creating' | 'ready' | 'removing';
  /** Undefined: nothing is limited. */
  readonly bandwidth?: Bandwidth | undefined;
  /** Ports of the node that lead to the pod. */
  readonly portMappings?: readonly PortMapping[] | undefined;
  /** The CNI network that asked for it, when one did. */
  readonly network?: string | undefined;
  /** Of the request that made it: a caller that did not hear the answer asks again with the same. */
  readonly token?: string | undefined;
}

export interface AttachmentName {
  readonly id: string;
  readonly ifname: string;
}

/** A request that cannot be carried out as asked; the message says why and what would be right. */
export class AttachError extends Error {
  readonly code: 'invalid' | 'exists' | 'namespace' | 'address' | 'port' | 'interface' | 'stopping';

  constructor(code: AttachError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AttachError';
    this.code = code;
  }
}

/** Neither part can contain '/', so no two attachments share a key. */
export function attachmentKey({ id, ifname }: AttachmentName): string {
  return `${id}/${ifname}`;
}

/** CNI SPEC 1.1 section 2: the container id's characters; dev_valid_name() of the kernel: the interface's. */
export function checkName({ id, ifname }: AttachmentName): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(id)) {
    throw new AttachError(
      'invalid',
      `id ${JSON.stringify(id)} is not valid: 1 to 128 letters, digits, '_', '.' or '-', the first a letter or digit`,
    );
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not get into a name
  const printable = /^[^/:\s\x00-\x1f\x7f]+$/.test(ifname);
  if (!printable || Buffer.byteLength(ifname) > 15 || ifname === '.' || ifname === '..') {
    throw new AttachError(
      'invalid',
      `interface name ${JSON.stringify(ifname)} is not valid: 1 to 15 bytes without '/', ':' or white space, not '.' or '..'`,
    );
  }
}

/**
 * A TUN has no MAC, yet runtimes want one in the result: derived from the name, so that it is always the same; locally
 * administered and unicast (IEEE 802 section 8.4), with 02:58 in front to tell it from those of nodes (02:57, 02:56).
 */
export function attachmentMac(name: AttachmentName): string {
  const digest = createHash('sha256').update(attachmentKey(name)).digest();
  return ['02', '58', ...[...digest.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0'))].join(
    ':',
  );
}
