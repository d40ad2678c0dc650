/**
 * Policy routing rules: which table a packet is looked up in. Builds requests and does nothing itself; `Rtnetlink`
 * runs them. Source: linux/fib_rules.h.
 */
import { AF_INET, AF_INET6 } from '../sockaddr.ts';
import {
  attribute,
  concat,
  type Dump,
  decodeAttributes,
  getBytes,
  getText,
  getU32,
  type Message,
  NlmFlag,
  optional,
  type Request,
  raw,
  readU32,
  text,
  u8,
  u32,
} from './message.ts';
import { anyAddress, type BytePrefix, type Family, familyNumber, prefixText, Rtm } from './types.ts';

//  struct fib_rule_hdr   0 u8 family   1 u8 destination length   2 u8 source length   3 u8 tos
//                        4 u8 table   7 u8 action   8 u32 flags
const HEADER_SIZE = 12;
const FIB_RULE_INVERT = 2;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_PROTOCOL = 21;

const ACTIONS = { lookup: 1, nop: 3, blackhole: 6, unreachable: 7, prohibit: 8 } as const;
export type RuleAction = keyof typeof ACTIONS;

export interface Rule {
  readonly family: Family;
  /** Rules are tried from the least on. Two rules may have the same. */
  readonly priority: number;
  /** Default 'lookup'. */
  readonly action?: RuleAction | undefined;
  /** Of 'lookup'. */
  readonly table?: number | undefined;
  readonly source?: BytePrefix | undefined;
  readonly destination?: BytePrefix | undefined;
  readonly mark?: number | undefined;
  /** Which bits of the mark count; default all. */
  readonly markMask?: number | undefined;
  /** Name of the interface that the packet comes from ('lo' for this node's own) or goes to. */
  readonly inputInterface?: string | undefined;
  readonly outputInterface?: string | undefined;
  /** The rule is for packets that do not match. */
  readonly invert?: boolean | undefined;
  /** What the table says does not count when its prefix is of this length or shorter: 0 ignores default routes. */
  readonly suppressPrefixLength?: number | undefined;
  /** RTPROT_* of who installed it. */
  readonly protocol?: number | undefined;
}

/** Fails with EEXIST when there is the same rule. */
export function add(rule: Rule): Request {
  return request(Rtm.newRule, NlmFlag.create | NlmFlag.exclusive, rule, 'adding');
}

/** Deletes the first rule that has all that is given. Fails with ENOENT when there is none. */
export function remove(rule: Rule): Request {
  return request(Rtm.delRule, 0, rule, 'deleting');
}

export function all(family: Family): Dump<Rule> {
  const header = new Uint8Array(HEADER_SIZE);
  header[0] = familyNumber(family);
  return {
    answer: 'many',
    type: Rtm.getRule,
    flags: 0,
    payload: header,
    doing: `listing the IPv${family} rules`,
    read: readRule,
  };
}

function request(type: number, flags: number, rule: Rule, verb: string): Request {
  const { family, priority, action = 'lookup', table, source, destination } = rule;
  const header = new Uint8Array(HEADER_SIZE);
  header[0] = familyNumber(family);
  header[1] = destination?.length ?? 0;
  header[2] = source?.length ?? 0;
  header[4] = table !== undefined && table < 256 ? table : 0;
  header[7] = ACTIONS[action];
  header.set(u32(rule.invert ? FIB_RULE_INVERT : 0), 8);
  const from = source ? ` from ${prefixText(source)}` : '';
  const to = destination ? ` to ${prefixText(destination)}` : '';
  return {
    type,
    flags,
    payload: concat(
      header,
      optional(FRA_SRC, source?.address, raw),
      optional(FRA_DST, destination?.address, raw),
      table !== undefined && table > 255 ? attribute(FRA_TABLE, u32(table)) : undefined,
      attribute(FRA_PRIORITY, u32(priority)),
      optional(FRA_FWMARK, rule.mark, u32),
      optional(FRA_FWMASK, rule.markMask, u32),
      optional(FRA_IIFNAME, rule.inputInterface, text),
      optional(FRA_OIFNAME, rule.outputInterface, text),
      optional(FRA_SUPPRESS_PREFIXLEN, rule.suppressPrefixLength, u32),
      optional(FRA_PROTOCOL, rule.protocol, u8),
    ),
    doing: `${verb} the IPv${family} rule of priority ${priority}${from}${to}`,
    remedies: { EEXIST: 'there is the same rule already', ENOENT: 'there is no such rule' },
  };
}

/** Undefined when the message is not about a rule of IPv4 or IPv6. */
export function readRule(message: Message): Rule | undefined {
  if (message.type !== Rtm.newRule && message.type !== Rtm.delRule) return undefined;
  const { payload } = message;
  if (payload[0] !== AF_INET && payload[0] !== AF_INET6) return undefined;
  const attributes = decodeAttributes(payload, HEADER_SIZE);
  const prefix = (type: number, length: number): BytePrefix | undefined =>
    length === 0 ? undefined : { address: getBytes(attributes, type) ?? anyAddress(payload[0]), length };
  return {
    family: payload[0] === AF_INET ? 4 : 6,
    priority: getU32(attributes, FRA_PRIORITY) ?? 0,
    action: ACTION_NAMES[payload[7]],
    table: payload[7] === ACTIONS.lookup ? (getU32(attributes, FRA_TABLE) ?? payload[4]) : undefined,
    source: prefix(FRA_SRC, payload[2]),
    destination: prefix(FRA_DST, payload[1]),
    mark: getU32(attributes, FRA_FWMARK),
    markMask: getU32(attributes, FRA_FWMASK),
    inputInterface: getText(attributes, FRA_IIFNAME),
    outputInterface: getText(attributes, FRA_OIFNAME),
    invert: (readU32(payload, 8) & FIB_RULE_INVERT) !== 0 || undefined,
    suppressPrefixLength: suppression(getU32(attributes, FRA_SUPPRESS_PREFIXLEN)),
    protocol: attributes.get(FRA_PROTOCOL)?.[0],
  };
}

const ACTION_NAMES: Readonly<Record<number, RuleAction>> = Object.fromEntries(
  Object.entries(ACTIONS).map(([name, number]) => [number, name as RuleAction]),
);

/** The kernel says -1 for none. */
function suppression(length: number | undefined): number | undefined {
  return length === 0xffffffff ? undefined : length;
}
