/**
 * Capabilities of an OPEN (RFC 5492): multiprotocol (4760), route refresh (2918, enhanced 7313), extended next hop
 * (8950), extended messages (8654), role (9234), graceful restart (4724, N bit 8538), long-lived (9494), 4-octet AS
 * (6793), ADD-PATH (7911). Others are kept as bytes.
 */
import { type Reader, Writer } from './bytes.ts';
import { Malformed } from './errors.ts';
import type { AfiSafi } from './family.ts';

export const CapabilityCode = {
  multiprotocol: 1,
  routeRefresh: 2,
  extendedNextHop: 5,
  extendedMessage: 6,
  role: 9,
  gracefulRestart: 64,
  fourOctetAs: 65,
  addPath: 69,
  enhancedRouteRefresh: 70,
  longLivedGracefulRestart: 71,
} as const;

/** RFC 9234 section 4.1: what the sender is to the receiver. */
export const Role = { provider: 0, routeServer: 1, routeServerClient: 2, customer: 3, peer: 4 } as const;

/** RFC 7911 section 4: what the sender is ready to do. */
export const AddPath = { receive: 1, send: 2, both: 3 } as const;

export type Capability =
  | ({ readonly kind: 'multiprotocol' } & AfiSafi)
  | { readonly kind: 'routeRefresh' }
  | {
      readonly kind: 'extendedNextHop';
      readonly families: readonly (AfiSafi & { readonly nextHopAfi: number })[];
    }
  | { readonly kind: 'extendedMessage' }
  | { readonly kind: 'role'; readonly role: number }
  | {
      readonly kind: 'gracefulRestart';
      readonly restarting: boolean;
      /** RFC 8538: NOTIFICATIONs other than a hard reset are survived as well. */
      readonly notifications: boolean;
      /** Seconds, 12 bits. */
      readonly restartTime: number;
      readonly families: readonly (AfiSafi & { readonly forwarding: boolean })[];
    }
  | { readonly kind: 'fourOctetAs'; readonly asn: number }
  | { readonly kind: 'addPath'; readonly families: readonly (AfiSafi & { readonly mode: number })[] }
  | { readonly kind: 'enhancedRouteRefresh' }
  | {
      readonly kind: 'longLivedGracefulRestart';
      /** `staleTime`: seconds, 24 bits. */
      readonly families: readonly (AfiSafi & { readonly forwarding: boolean; readonly staleTime: number })[];
    }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

const FORWARDING = 0x80;
const RESTARTING = 0x8000;
const NOTIFICATIONS = 0x4000;
const RESTART_TIME = 0x0fff;

/** @param reader over the value alone */
export const readCapability = (code: number, reader: Reader): Capability | Malformed => {
  const length = reader.left;
  const wrong = (right: string): Malformed =>
    new Malformed(`capability ${code} with ${length} bytes, not ${right}`);
  switch (code) {
    case CapabilityCode.multiprotocol:
      if (length !== 4) return wrong('4');
      return { kind: 'multiprotocol', afi: reader.u16(), safi: reader.u16() & 0xff };
    case CapabilityCode.routeRefresh:
      return length === 0 ? { kind: 'routeRefresh' } : wrong('0');
    case CapabilityCode.extendedMessage:
      return length === 0 ? { kind: 'extendedMessage' } : wrong('0');
    case CapabilityCode.enhancedRouteRefresh:
      return length === 0 ? { kind: 'enhancedRouteRefresh' } : wrong('0');
    case CapabilityCode.role:
      return length === 1 ? { kind: 'role', role: reader.u8() } : wrong('1');
    case CapabilityCode.fourOctetAs:
      return length === 4 ? { kind: 'fourOctetAs', asn: reader.u32() } : wrong('4');
    case CapabilityCode.extendedNextHop: {
      if (length % 6 !== 0) return wrong('a multiple of 6');
      const families = each(reader, () => ({
        afi: reader.u16(),
        safi: reader.u16() & 0xff,
        nextHopAfi: reader.u16(),
      }));
      return { kind: 'extendedNextHop', families };
    }
    case CapabilityCode.gracefulRestart: {
      if (length < 2 || length % 4 !== 2) return wrong('2 and a multiple of 4');
      const head = reader.u16();
      const families = each(reader, () => ({
        ...afiSafi(reader),
        forwarding: (reader.u8() & FORWARDING) !== 0,
      }));
      return {
        kind: 'gracefulRestart',
        restarting: (head & RESTARTING) !== 0,
        notifications: (head & NOTIFICATIONS) !== 0,
        restartTime: head & RESTART_TIME,
        families,
      };
    }
    case CapabilityCode.addPath:
      if (length % 4 !== 0) return wrong('a multiple of 4');
      return { kind: 'addPath', families: each(reader, () => ({ ...afiSafi(reader), mode: reader.u8() })) };
    case CapabilityCode.longLivedGracefulRestart: {
      if (length % 7 !== 0) return wrong('a multiple of 7');
      const families = each(reader, () => ({
        ...afiSafi(reader),
        forwarding: (reader.u8() & FORWARDING) !== 0,
        staleTime: (reader.u8() << 16) | reader.u16(),
      }));
      return { kind: 'longLivedGracefulRestart', families };
    }
    default:
      return { kind: 'unknown', code, value: reader.rest().slice() };
  }
};

const afiSafi = (reader: Reader): AfiSafi => ({ afi: reader.u16(), safi: reader.u8() });

const each = <Item>(reader: Reader, read: () => Item): Item[] => {
  const all: Item[] = [];
  while (reader.left > 0) all.push(read());
  return all;
};

/** Code, length in one byte, value. @throws RangeError for a value of more than 255 bytes, which no OPEN can carry */
export const writeCapability = (writer: Writer, capability: Capability): void => {
  const code = capability.kind === 'unknown' ? capability.code : CapabilityCode[capability.kind];
  const value = new Writer();
  writeValue(value, capability);
  if (value.length > 255)
    throw new RangeError(`capability ${code} has ${value.length} bytes, 255 at most fit`);
  writer.u8(code).u8(value.length).bytes(value.finish());
};

const writeValue = (writer: Writer, capability: Capability): void => {
  switch (capability.kind) {
    case 'multiprotocol':
      writer.u16(capability.afi).u16(capability.safi);
      break;
    case 'role':
      writer.u8(capability.role);
      break;
    case 'fourOctetAs':
      writer.u32(capability.asn);
      break;
    case 'extendedNextHop':
      for (const { afi, safi, nextHopAfi } of capability.families) writer.u16(afi).u16(safi).u16(nextHopAfi);
      break;
    case 'gracefulRestart': {
      const flags = (capability.restarting ? RESTARTING : 0) | (capability.notifications ? NOTIFICATIONS : 0);
      writer.u16(flags | (capability.restartTime & RESTART_TIME));
      for (const { afi, safi, forwarding } of capability.families) {
        writer
          .u16(afi)
          .u8(safi)
          .u8(forwarding ? FORWARDING : 0);
      }
      break;
    }
    case 'addPath':
      for (const { afi, safi, mode } of capability.families) writer.u16(afi).u8(safi).u8(mode);
      break;
    case 'longLivedGracefulRestart':
      for (const { afi, safi, forwarding, staleTime } of capability.families) {
        writer
          .u16(afi)
          .u8(safi)
          .u8(forwarding ? FORWARDING : 0);
        writer.u8(staleTime >>> 16).u16(staleTime & 0xffff);
      }
      break;
    case 'unknown':
      writer.bytes(capability.value);
      break;
    default: // The rest says everything by being there.
  }
};
