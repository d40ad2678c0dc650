/**
 * What two speakers agree on, from what each says in its OPEN, or why they cannot (RFC 4271 section 6.2). A function of
 * settings and messages; it opens nothing and keeps nothing.
 */
import { type Address, addressEquals, formatAddress } from '../../wire/address.ts';
import type { LocalRole } from '../rib/peer.ts';
import type { Coding } from './codec/attributes.ts';
import { Writer } from './codec/bytes.ts';
import { AddPath, type Capability, Role, writeCapability } from './codec/capability.ts';
import { ErrorCode, fail, OpenError, ok, type Result, sessionError } from './codec/errors.ts';
import { Afi, type AfiSafi, afiOf, type Family, familyOf, Safi } from './codec/family.ts';
import { EXTENDED_MAX_LENGTH, MAX_LENGTH } from './codec/message.ts';
import type { Open } from './codec/open.ts';
import type { BgpSettings, PeerSettings } from './settings.ts';

/** As which speaker we meet a peer. */
export interface Speaker extends Pick<BgpSettings, 'asn' | 'routerId' | 'gracefulRestart'> {
  /** RFC 4724 section 4.1: we have just come back. */
  readonly restarting: boolean;
}

export interface Agreement {
  readonly asn: number;
  readonly routerId: Address;
  readonly localAsn: number;
  readonly source: 'external' | 'internal';
  /** Seconds. */
  readonly holdTime: number;
  readonly families: readonly Family[];
  readonly sending: Coding;
  readonly receiving: Coding;
  readonly extendedNextHop: boolean;
  readonly routeRefresh: boolean;
  readonly enhancedRefresh: boolean;
  readonly role?: LocalRole;
  /** What the peer said of its restarts, of the families agreed; absent: nothing is kept when the session ends. */
  readonly restart?: Restart;
}

export interface Restart {
  /** It has just come back, and waits for our End-of-RIB. */
  readonly restarting: boolean;
  /** Both survive NOTIFICATIONs that are no hard reset (RFC 8538). */
  readonly notifications: boolean;
  /** Seconds. */
  readonly restartTime: number;
  readonly families: readonly Family[];
  /** It has gone on forwarding: what we kept of these stays until it has told all again. */
  readonly forwarding: readonly Family[];
  /** RFC 9494: seconds by family, ours where less. */
  readonly longLived: { readonly 4?: number; readonly 6?: number };
}

/** RFC 9234 section 4.2: what the peer has to be to us. */
const COUNTERPART: Readonly<Record<LocalRole, LocalRole>> = {
  provider: 'customer',
  customer: 'provider',
  routeServer: 'routeServerClient',
  routeServerClient: 'routeServer',
  peer: 'peer',
};

const localAsnOf = (speaker: Speaker, { localAsn }: PeerSettings): number => localAsn ?? speaker.asn;

const unicast = (family: Family): AfiSafi => ({ afi: afiOf(family), safi: Safi.unicast });

/** Ours. @param returning we have had a session with this peer before, and have gone on forwarding since */
export const openFor = (speaker: Speaker, settings: PeerSettings, returning: boolean): Open => {
  const { families, addPath, role } = settings;
  const asn = localAsnOf(speaker, settings);
  const all = families.map(unicast);
  const capabilities: Capability[] = [
    ...all.map((family): Capability => ({ kind: 'multiprotocol', ...family })),
    { kind: 'routeRefresh' },
    { kind: 'enhancedRouteRefresh' },
    { kind: 'fourOctetAs', asn },
  ];
  if (settings.extendedNextHop && families.includes(4)) {
    capabilities.push({
      kind: 'extendedNextHop',
      families: [{ ...unicast(4), nextHopAfi: Afi.ipv6 }],
    });
  }
  if (settings.extendedMessages) capabilities.push({ kind: 'extendedMessage' });
  if (role !== undefined && settings.asn !== asn) capabilities.push({ kind: 'role', role: Role[role] });
  if (addPath !== 'off') {
    capabilities.push({ kind: 'addPath', families: all.map((one) => ({ ...one, mode: AddPath[addPath] })) });
  }
  if (settings.gracefulRestart) capabilities.push(...restartCapabilities(speaker, all, returning));
  return { asn, holdTime: settings.holdTime, routerId: speaker.routerId, capabilities };
};

const restartCapabilities = (
  { gracefulRestart, restarting }: Speaker,
  all: AfiSafi[],
  returning: boolean,
): Capability[] => {
  const { restartTime, longLivedTime } = gracefulRestart;
  const families = all.map((family) => ({ ...family, forwarding: restarting || returning }));
  const capabilities: Capability[] = [
    { kind: 'gracefulRestart', restarting, notifications: true, restartTime, families },
  ];
  if (longLivedTime > 0) {
    capabilities.push({
      kind: 'longLivedGracefulRestart',
      families: families.map((family) => ({ ...family, staleTime: longLivedTime })),
    });
  }
  return capabilities;
};

export const negotiate = (speaker: Speaker, settings: PeerSettings, theirs: Open): Result<Agreement> => {
  const localAsn = localAsnOf(speaker, settings);
  const { asn, routerId } = theirs;
  if (settings.asn === 'external' ? asn === localAsn : asn !== settings.asn) {
    const right = settings.asn === 'external' ? 'another than ours' : `AS ${settings.asn}`;
    return refuse(OpenError.badPeerAs, `the peer is AS ${asn}, configured is ${right}`);
  }
  const source = asn === localAsn ? 'internal' : 'external';
  // RFC 6286 section 2.2: identifiers are unique inside an AS only.
  if (source === 'internal' && addressEquals(routerId, speaker.routerId)) {
    return refuse(
      OpenError.badIdentifier,
      `the peer has our own BGP identifier ${formatAddress(routerId)}: give each node of the AS its own routerId`,
    );
  }
  const offered = capabilitiesOf(theirs);
  const roles = source === 'internal' ? ok(undefined) : agreeOnRole(settings, offered.roles);
  if (!roles.ok) return roles;
  const families = settings.families.filter((family) => offered.families.includes(family));
  if (families.length === 0) return nothingInCommon(settings);
  return ok({
    asn,
    routerId,
    localAsn,
    source,
    holdTime: Math.min(settings.holdTime, theirs.holdTime),
    families,
    ...codings(settings, families, source, offered),
    extendedNextHop: settings.extendedNextHop && families.includes(4) && offered.extendedNextHop,
    routeRefresh: offered.kinds.has('routeRefresh'),
    enhancedRefresh: offered.kinds.has('enhancedRouteRefresh'),
    ...(roles.value !== undefined && { role: roles.value }),
    ...(settings.gracefulRestart && restartOf(speaker, theirs, families)),
  });
};

const refuse = (subcode: number, why: string, data?: Uint8Array): Result<never> =>
  fail(sessionError(ErrorCode.open, subcode, why, data));

interface Offered {
  readonly kinds: ReadonlySet<Capability['kind']>;
  readonly families: readonly Family[];
  readonly extendedNextHop: boolean;
  /** By family the bits of AddPath; 0: none. */
  readonly addPath: { 4: number; 6: number };
  readonly roles: readonly number[];
}

const capabilitiesOf = ({ capabilities }: Open): Offered => {
  const kinds = new Set(capabilities.map(({ kind }) => kind));
  const families = new Set<Family>();
  // RFC 4760 section 8: who says nothing of families speaks the one there always was.
  if (!kinds.has('multiprotocol')) families.add(4);
  const addPath = { 4: 0, 6: 0 };
  const roles: number[] = [];
  let extendedNextHop = false;
  for (const capability of capabilities) {
    switch (capability.kind) {
      case 'multiprotocol': {
        const family = familyOf(capability.afi, capability.safi);
        if (family !== undefined) families.add(family);
        break;
      }
      case 'extendedNextHop':
        extendedNextHop ||= capability.families.some(
          ({ afi, safi, nextHopAfi }) => familyOf(afi, safi) === 4 && nextHopAfi === Afi.ipv6,
        );
        break;
      case 'addPath':
        // RFC 7911 section 4: other values than these three are to be ignored, and of several the first counts.
        for (const { afi, safi, mode } of capability.families) {
          const family = familyOf(afi, safi);
          if (family !== undefined && addPath[family] === 0 && mode <= AddPath.both) addPath[family] = mode;
        }
        break;
      case 'role':
        roles.push(capability.role);
        break;
      default: // Says everything by being there, or is read by whom it concerns.
    }
  }
  return { kinds, families: [...families], extendedNextHop, addPath, roles };
};

/** RFC 9234 section 4.2. */
const agreeOnRole = (
  { role, strictRole }: PeerSettings,
  theirs: readonly number[],
): Result<LocalRole | undefined> => {
  if (role === undefined) return ok(undefined);
  const nameOf = (value: number): string =>
    Object.entries(Role).find(([, number]) => number === value)?.[0] ?? `role ${value}`;
  if (theirs.length === 0) {
    return strictRole
      ? refuse(OpenError.roleMismatch, `the peer names no role; ours is ${role}, and a strict one`)
      : ok(role);
  }
  const right = COUNTERPART[role];
  const wrong = theirs.find((value) => value !== Role[right]);
  if (wrong === undefined) return ok(role);
  return refuse(
    OpenError.roleMismatch,
    `ours is ${role}, so the peer has to be ${right}, not ${nameOf(wrong)}`,
  );
};

/** RFC 5492 section 3: the data are the capabilities that the peer would have to have. */
const nothingInCommon = ({ families }: PeerSettings): Result<never> => {
  const writer = new Writer();
  for (const family of families) writeCapability(writer, { kind: 'multiprotocol', ...unicast(family) });
  const names = families.map((family) => `IPv${family}`).join(' and ');
  return refuse(OpenError.unsupportedCapability, `the peer does not speak ${names} unicast`, writer.finish());
};

const codings = (
  { addPath, extendedMessages }: PeerSettings,
  families: readonly Family[],
  source: Agreement['source'],
  offered: Offered,
): Pick<Agreement, 'sending' | 'receiving'> => {
  const common = {
    asBytes: offered.kinds.has('fourOctetAs') ? 4 : 2,
    maxLength: extendedMessages && offered.kinds.has('extendedMessage') ? EXTENDED_MAX_LENGTH : MAX_LENGTH,
    internal: source === 'internal',
  } as const;
  const agreed = (ours: boolean, theirs: number) => {
    const both = (family: Family): boolean =>
      ours && families.includes(family) && (offered.addPath[family] & theirs) !== 0;
    return { 4: both(4), 6: both(6) };
  };
  return {
    sending: { ...common, addPath: agreed(addPath === 'send' || addPath === 'both', AddPath.receive) },
    receiving: { ...common, addPath: agreed(addPath === 'receive' || addPath === 'both', AddPath.send) },
  };
};

const restartOf = (
  { gracefulRestart }: Speaker,
  { capabilities }: Open,
  agreed: readonly Family[],
): Pick<Agreement, 'restart'> => {
  // RFC 4724 section 3: of several the last counts.
  const restart = capabilities.findLast((one) => one.kind === 'gracefulRestart');
  if (restart?.kind !== 'gracefulRestart') return {};
  const { restarting, notifications, restartTime } = restart;
  const families = spoken(restart.families, agreed);
  const forwarding = spoken(
    restart.families.filter((family) => family.forwarding),
    agreed,
  );
  const longLived: { 4?: number; 6?: number } = {};
  for (const capability of capabilities) {
    if (capability.kind !== 'longLivedGracefulRestart') continue;
    for (const { afi, safi, staleTime } of capability.families) {
      const family = familyOf(afi, safi);
      const time = Math.min(staleTime, gracefulRestart.longLivedTime);
      if (family !== undefined && families.includes(family) && time > 0) longLived[family] = time;
    }
  }
  return { restart: { restarting, notifications, restartTime, families, forwarding, longLived } };
};

const spoken = (all: readonly AfiSafi[], agreed: readonly Family[]): Family[] =>
  agreed.filter((family) => all.some(({ afi, safi }) => familyOf(afi, safi) === family));
