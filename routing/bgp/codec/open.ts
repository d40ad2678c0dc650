/**
 * OPEN (RFC 4271 section 4.2) with capabilities (RFC 5492) and extended optional parameters (RFC 9072). What does not
 * depend on the peer's configuration is checked here (RFC 4271 section 6.2); whose AS it should be is not known here.
 */
import { type Address, addressToBytes } from '../../../wire/address.ts';
import { Reader, Writer } from './bytes.ts';
import { type Capability, readCapability, writeCapability } from './capability.ts';
import { ErrorCode, fail, Malformed, OpenError, ok, type Result, sessionError } from './errors.ts';
import { readIpv4 } from './family.ts';

const VERSION = 4;
const CAPABILITIES = 2;
/** RFC 9072 section 2: this as length and as first type says that lengths have two bytes. */
const EXTENDED = 255;
/** RFC 6793: stands in the two bytes of an AS number that needs four. */
export const AS_TRANS = 23456;

export interface Open {
  /** The whole number: from the 4-octet capability where it is there. */
  readonly asn: number;
  /** Seconds: 0 (no keepalives) or at least 3. */
  readonly holdTime: number;
  readonly routerId: Address;
  /** In the order in which they came; the same kind may come more than once. */
  readonly capabilities: readonly Capability[];
}

const bad = (subcode: number, why: string, data?: Uint8Array): Result<Open> =>
  fail(sessionError(ErrorCode.open, subcode, why, data));

/** @param body behind the header, at least 10 bytes */
export const decodeOpen = (body: Uint8Array): Result<Open> => {
  const reader = new Reader(body);
  const version = reader.u8();
  const as16 = reader.u16();
  const holdTime = reader.u16();
  const routerId = readIpv4(reader);
  if (version !== VERSION) {
    return bad(
      OpenError.unsupportedVersion,
      `version ${version}, only 4 is spoken`,
      Uint8Array.of(0, VERSION),
    );
  }
  const capabilities = readParameters(reader);
  if (!capabilities.ok) return capabilities;
  const four = capabilities.value.find((capability) => capability.kind === 'fourOctetAs');
  const asn = four === undefined ? as16 : four.asn;
  if (asn === 0) return bad(OpenError.badPeerAs, 'AS 0 (RFC 7607)');
  if (holdTime === 1 || holdTime === 2) {
    return bad(OpenError.unacceptableHoldTime, `a hold time of ${holdTime} s: 0 or at least 3 are allowed`);
  }
  if (routerId.words[0] === 0) return bad(OpenError.badIdentifier, 'the BGP identifier is 0');
  return ok({ asn, holdTime, routerId, capabilities: capabilities.value });
};

const readParameters = (reader: Reader): Result<Capability[]> => {
  const broken = (why: string): Result<Capability[]> =>
    fail(sessionError(ErrorCode.open, OpenError.unspecific, why));
  const length = reader.u8();
  let rest = reader.rest();
  // RFC 9072: a first type of 255 extends whatever the length says, as long as there are parameters at all.
  const extended = length !== 0 && rest[0] === EXTENDED;
  if (extended) {
    const head = new Reader(rest.subarray(1));
    const long = head.u16();
    rest = head.rest();
    if (head.overrun || long !== rest.length) {
      return broken(`optional parameters of ${long} bytes in ${rest.length}`);
    }
  } else if (length !== rest.length) {
    return broken(`optional parameters of ${length} bytes in ${rest.length}`);
  }
  const capabilities: Capability[] = [];
  const parameters = new Reader(rest);
  while (parameters.left > 0) {
    const type = parameters.u8();
    const value = new Reader(parameters.take(extended ? parameters.u16() : parameters.u8()));
    if (parameters.overrun) return broken('an optional parameter is longer than the message');
    if (type !== CAPABILITIES) {
      return fail(sessionError(ErrorCode.open, OpenError.unsupportedParameter, `optional parameter ${type}`));
    }
    while (value.left > 0) {
      const code = value.u8();
      const bytes = value.take(value.u8());
      if (value.overrun) return broken(`capability ${code} is longer than its parameter`);
      const capability = readCapability(code, new Reader(bytes));
      if (capability instanceof Malformed) return broken(capability.why);
      capabilities.push(capability);
    }
  }
  return ok(capabilities);
};

/** All capabilities in one parameter; in the extended form of RFC 9072 only where the plain one does not hold them. */
export const writeOpen = (writer: Writer, open: Open): void => {
  const list = new Writer();
  for (const capability of open.capabilities) writeCapability(list, capability);
  const capabilities = list.finish();
  writer.u8(VERSION).u16(open.asn > 0xffff ? AS_TRANS : open.asn);
  writer.u16(open.holdTime).bytes(addressToBytes(open.routerId));
  if (capabilities.length === 0) {
    writer.u8(0);
  } else if (capabilities.length + 2 < EXTENDED) {
    writer
      .u8(capabilities.length + 2)
      .u8(CAPABILITIES)
      .u8(capabilities.length)
      .bytes(capabilities);
  } else {
    writer.u8(EXTENDED).u8(EXTENDED);
    writer
      .u16(capabilities.length + 3)
      .u8(CAPABILITIES)
      .u16(capabilities.length)
      .bytes(capabilities);
  }
};
