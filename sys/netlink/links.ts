/**
 * Requests about links (network interfaces): to read, make, change and delete them. Builds requests and does nothing
 * itself; `Rtnetlink` runs them. Source: linux/if_link.h.
 */
import { AF_INET6 } from '../sockaddr.ts';
import {
  ADDRESS_GENERATIONS,
  type AddressGeneration,
  IFF_NOARP,
  IFF_UP,
  IFINFOMSG_SIZE,
  Ifla,
  type Link,
  readLink,
} from './link.ts';
import {
  attribute,
  bool,
  concat,
  type Dump,
  NlmFlag,
  nested,
  optional,
  type Query,
  type Request,
  raw,
  text,
  u8,
  u16be,
  u32,
} from './message.ts';
import { Rtm } from './types.ts';

const VETH_INFO_PEER = 1;
const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_LINK = 3;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_TTL = 5;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_LOCAL6 = 17;
const IFLA_VXLAN_UDP_CSUM = 18;
const IFLA_VXLAN_UDP_ZERO_CSUM6_TX = 19;
const IFLA_VXLAN_UDP_ZERO_CSUM6_RX = 20;

/** Settings that a link can be made with. */
export interface LinkSettings {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly txQueueLength?: number;
  readonly address?: Uint8Array;
  /** Descriptor of the network namespace to be in (`openNamespace`); other settings take effect there. */
  readonly namespace?: number;
  /** Index of a bridge, 0 for none. */
  readonly master?: number;
  readonly gsoMaxSize?: number;
  readonly gsoMaxSegments?: number;
}

export interface NamedLinkSettings extends LinkSettings {
  readonly name: string;
}

export interface LinkChanges extends LinkSettings {
  /** A new name. Some kernels and kinds want the link to be down for it. */
  readonly name?: string;
  readonly addressGeneration?: AddressGeneration;
  /** False: hardware addresses of others are not asked for. */
  readonly arp?: boolean;
}

export interface VxlanSettings extends NamedLinkSettings {
  /** VNI, 0 to 2^24-1. */
  readonly id: number;
  /** Underlay address of this end, 4 or 16 bytes. */
  readonly local?: Uint8Array;
  /** UDP destination port. */
  readonly port: number;
  /** Whether to learn MAC addresses from what arrives. */
  readonly learning: boolean;
  /** Index of the underlay interface. */
  readonly lower?: number;
  readonly ttl?: number;
  /** Outer UDP checksums. False over IPv6 allows them to be zero, both ways. */
  readonly checksum?: boolean;
}

export function byIndex(index: number): Query<Link> {
  return query(`reading the interface of index ${index}`, header(index));
}

export function byName(name: string): Query<Link> {
  return query(`reading the interface ${name}`, concat(header(0), attribute(Ifla.name, text(name))));
}

function query(doing: string, payload: Uint8Array): Query<Link> {
  return { answer: 'one', type: Rtm.getLink, flags: 0, payload, doing, read: readLink };
}

export function all(): Dump<Link> {
  const doing = 'listing the interfaces';
  return { answer: 'many', type: Rtm.getLink, flags: 0, payload: header(0), doing, read: readLink };
}

/** A link of a kind that needs no settings of its own: 'bridge', 'dummy', 'ifb' … */
export function create(kind: string, settings: NamedLinkSettings): Request {
  return creation(kind, settings);
}

/**
 * Two links connected to each other, each in a namespace of its own if wanted. Deleting one deletes both. The kernel cannot
 * make the peer up (ENOTCONN: it opens it before it is connected); that takes a `change`.
 */
export function createVeth(settings: NamedLinkSettings, peer: Omit<NamedLinkSettings, 'up'>): Request {
  return creation('veth', settings, nested(VETH_INFO_PEER, header(0), attributes(peer)));
}

export function createVxlan(settings: VxlanSettings): Request {
  const { id, local, port, learning, lower, ttl, checksum } = settings;
  return creation(
    'vxlan',
    settings,
    attribute(IFLA_VXLAN_ID, u32(id)),
    optional(local?.length === 16 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, local, raw),
    attribute(IFLA_VXLAN_LEARNING, bool(learning)),
    attribute(IFLA_VXLAN_PORT, u16be(port)),
    optional(IFLA_VXLAN_LINK, lower, u32),
    optional(IFLA_VXLAN_TTL, ttl, u8),
    optional(IFLA_VXLAN_UDP_CSUM, checksum, bool),
    optional(IFLA_VXLAN_UDP_ZERO_CSUM6_TX, checksum, (wanted) => bool(!wanted)),
    optional(IFLA_VXLAN_UDP_ZERO_CSUM6_RX, checksum, (wanted) => bool(!wanted)),
  );
}

function creation(
  kind: string,
  settings: NamedLinkSettings,
  ...data: readonly (Uint8Array | undefined)[]
): Request {
  const info = nested(
    Ifla.linkInfo,
    attribute(Ifla.infoKind, new TextEncoder().encode(kind)),
    data.length > 0 ? nested(Ifla.infoData, ...data) : undefined,
  );
  return {
    type: Rtm.newLink,
    flags: NlmFlag.create | NlmFlag.exclusive,
    payload: concat(header(0, settings.up), attributes(settings), info),
    doing: `making the ${kind} interface ${settings.name}`,
    remedies: {
      EOPNOTSUPP: `the kernel has no driver for it: modprobe ${kind}`,
      EEXIST: `there is one of that name${kind === 'vxlan' ? ' or of that VNI and port' : ''} already`,
    },
  };
}

/** Changes an existing link, named by its index or, unless it is to be renamed, by its name. */
export function change(link: number | string, changes: LinkChanges): Request {
  if (typeof link === 'string' && changes.name !== undefined) {
    throw new TypeError(
      `renaming the interface ${link}: name it by its index, the message has room for one name`,
    );
  }
  const { addressGeneration } = changes;
  return {
    type: Rtm.newLink,
    flags: 0,
    payload: concat(
      header(typeof link === 'number' ? link : 0, changes.up, changes.arp),
      attributes(typeof link === 'number' ? changes : { ...changes, name: link }),
      addressGeneration &&
        nested(
          Ifla.familySpecific,
          nested(
            AF_INET6,
            attribute(Ifla.addressGeneration, u8(ADDRESS_GENERATIONS.indexOf(addressGeneration))),
          ),
        ),
    ),
    doing: `changing ${linkText(link)} (${Object.keys(changes).join(', ')})`,
    remedies: {
      EBUSY: 'it has to be down for that',
      EEXIST: 'there is an interface of that name already',
      EAFNOSUPPORT: 'IPv6 is disabled on it',
    },
  };
}

/** Deletes a link, and with it the other end of a veth. */
export function remove(link: number | string): Request {
  const payload =
    typeof link === 'number' ? header(link) : concat(header(0), attribute(Ifla.name, text(link)));
  return { type: Rtm.delLink, flags: 0, payload, doing: `deleting ${linkText(link)}` };
}

function linkText(link: number | string): string {
  return typeof link === 'number' ? `the interface of index ${link}` : `the interface ${link}`;
}

function header(index: number, up?: boolean, arp?: boolean): Uint8Array {
  const bytes = new Uint8Array(IFINFOMSG_SIZE);
  bytes.set(u32(index), 4);
  bytes.set(u32((up ? IFF_UP : 0) | (arp === false ? IFF_NOARP : 0)), 8);
  bytes.set(u32((up === undefined ? 0 : IFF_UP) | (arp === undefined ? 0 : IFF_NOARP)), 12);
  return bytes;
}

function attributes(settings: LinkSettings & { readonly name?: string }): Uint8Array {
  return concat(
    optional(Ifla.namespaceDescriptor, settings.namespace, u32),
    optional(Ifla.address, settings.address, raw),
    optional(Ifla.mtu, settings.mtu, u32),
    optional(Ifla.txQueueLength, settings.txQueueLength, u32),
    optional(Ifla.master, settings.master, u32),
    optional(Ifla.gsoMaxSize, settings.gsoMaxSize, u32),
    optional(Ifla.gsoMaxSegments, settings.gsoMaxSegments, u32),
    optional(Ifla.name, settings.name, text),
  );
}
