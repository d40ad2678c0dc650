/**
 * Requests about tracked connections: to list those to a port and to remove one. Builds requests and does nothing itself.
 * Source: linux/netfilter/nfnetlink_conntrack.h.
 *
 *    struct nfgenmsg   0 u8 address family   1 u8 version   2 be16 resource
 *    CTA_TUPLE_*:   CTA_TUPLE_IP { source, destination }   CTA_TUPLE_PROTO { number, source port, destination port }
 */
import {
  attribute,
  concat,
  type Dump,
  decodeAttributes,
  getNested,
  type Message,
  nested,
  type Request,
  readU16be,
  u8,
  u16be,
  u32,
} from './message.ts';
import { type Family, familyNumber } from './types.ts';

const SUBSYSTEM = 1 << 8;
const Ipctnl = { get: SUBSYSTEM | 1, remove: SUBSYSTEM | 2 } as const;
const HEADER_SIZE = 4;

const Cta = { original: 1, reply: 2, id: 12, zone: 18, filter: 25 } as const;
const Tuple = { ip: 1, protocol: 2 } as const;
const Protocol = { number: 1, sourcePort: 2, destinationPort: 3 } as const;
/** Attributes of CTA_TUPLE_IP. */
const ADDRESSES = { 4: { source: 1, destination: 2 }, 6: { source: 3, destination: 4 } } as const;
/** CTA_FILTER_ORIG_FLAGS, and which parts of the tuple it says are to be compared. */
const FILTER_ORIGINAL = 1;
const FilterFlag = { protocol: 1 << 3, destinationPort: 1 << 5 } as const;
/** Newer parts of the kernel ask for it, the older take it. */
const NESTED = 0x8000;

export interface Connection {
  readonly family: Family;
  /** Where the first packet was sent to, before any translation. */
  readonly destination: Uint8Array;
  /** Where the answers come from: the destination after translation. */
  readonly answeredBy: Uint8Array;
  /** What names it to the kernel: attributes as they came. */
  readonly name: Uint8Array;
}

export interface ConnectionFilter {
  readonly family: Family;
  /** IPPROTO_*. */
  readonly protocol: number;
  /** That the first packet was sent to. */
  readonly port: number;
}

/** Kernels before 5.8 do not filter and are read whole. */
export function to({ family, protocol, port }: ConnectionFilter): Dump<Connection> {
  const tuple = nested(
    Tuple.protocol | NESTED,
    attribute(Protocol.number, u8(protocol)),
    attribute(Protocol.destinationPort, u16be(port)),
  );
  const flags = u32(FilterFlag.protocol | FilterFlag.destinationPort);
  return {
    answer: 'many',
    type: Ipctnl.get,
    flags: 0,
    payload: concat(
      header(family),
      nested(Cta.original | NESTED, tuple),
      nested(Cta.filter | NESTED, attribute(FILTER_ORIGINAL, flags)),
    ),
    doing: `listing the IPv${family} connections to port ${port}`,
    read(message) {
      const connection = readConnection(message, family);
      return connection?.protocol === protocol && connection.port === port ? connection : undefined;
    },
  };
}

/** Fails with ENOENT when it has ended meanwhile. */
export function remove({ family, name }: Connection): Request {
  return {
    type: Ipctnl.remove,
    flags: 0,
    payload: concat(header(family), name),
    doing: 'ending a tracked connection',
  };
}

function header(family: Family): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE);
  bytes[0] = familyNumber(family);
  return bytes;
}

function readConnection(
  { payload }: Message,
  family: Family,
): (Connection & Pick<ConnectionFilter, 'protocol' | 'port'>) | undefined {
  if (payload[0] !== familyNumber(family)) return undefined;
  const attributes = decodeAttributes(payload, HEADER_SIZE);
  const original = getNested(attributes, Cta.original);
  const { source, destination } = ADDRESSES[family];
  const sentTo = getNested(original, Tuple.ip).get(destination);
  const answeredBy = getNested(getNested(attributes, Cta.reply), Tuple.ip).get(source);
  const numbers = getNested(original, Tuple.protocol);
  const [protocol, port] = [numbers.get(Protocol.number), numbers.get(Protocol.destinationPort)];
  const tuple = attributes.get(Cta.original);
  if (!sentTo || !answeredBy || !protocol || !port || !tuple) return undefined;
  const [id, zone] = [attributes.get(Cta.id), attributes.get(Cta.zone)];
  return {
    family,
    protocol: protocol[0],
    port: readU16be(port),
    destination: sentTo.slice(),
    answeredBy: answeredBy.slice(),
    name: concat(
      attribute(Cta.original | NESTED, tuple),
      id && attribute(Cta.id, id),
      zone && attribute(Cta.zone, zone),
    ),
  };
}
