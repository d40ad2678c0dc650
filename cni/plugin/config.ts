/**
 * The network configuration on stdin: the keys that are ours, those that libcni adds, and those that a runtime sets. Keys
 * that are not known are let be, as the specification wants; those whose meaning cannot be honoured are an error.
 */

import { type Address, parseAddress } from '../../wire/address.ts';
import { formatMac, parseMac } from '../../wire/mac.ts';
import { lastAddress, parsePrefix } from '../../wire/prefix.ts';
import type { AttachmentName } from '../attachment.ts';
import { type Bandwidth, readBandwidth, type WantedBandwidth } from '../bandwidth.ts';
import type { AddressRange } from '../ipam/allocator.ts';
import { type PortMapping, PROTOCOLS } from '../port-mappings.ts';
import { CniCode, CniError } from './error.ts';
import { anyCase, integer, type Json, list, object, objects, parsed, text, texts } from './json.ts';
import { type Dns, parseResult, type Result, readDns } from './result.ts';
import type { Version } from './version.ts';

/** A range of the conventions' `ipRanges`; the gateway is checked by who knows the node's. */
export interface ConfiguredRange extends AddressRange {
  readonly gateway?: Address | undefined;
}

export interface NetworkConfig {
  readonly name: string;
  /** Bytes. */
  readonly mtu: number | undefined;
  /** Type of the plugin that gives the addresses; undefined: Weft. */
  readonly ipam: string | undefined;
  readonly dns: Dns;
  /** What the plugins before this one have made, or, for CHECK and DEL, all of them. */
  readonly prevResult: Result | undefined;
  /** Addresses wanted, in the order of precedence: runtimeConfig, then args. */
  readonly ips: readonly Address[];
  readonly mac: string | undefined;
  /** Undefined: no limits. */
  readonly bandwidth: Bandwidth | undefined;
  readonly portMappings: readonly PortMapping[];
  readonly ranges: readonly ConfiguredRange[];
  /** GC: undefined when the list is missing, which is not the same as empty. */
  readonly validAttachments: readonly AttachmentName[] | undefined;
}

export function readConfig(raw: Json, version: Version): NetworkConfig {
  const runtime = object(raw.runtimeConfig, 'runtimeConfig');
  const wish = (name: string) => anyCase(runtime, name);
  const args = object(object(raw.args, 'args').cni, 'args.cni');
  const ips = list(wish('ips'), 'runtimeConfig.ips');
  const mac = text(wish('mac'), 'runtimeConfig.mac') ?? text(args.mac, 'args.cni.mac');
  const runtimeRanges = list(wish('ipRanges'), 'runtimeConfig.ipRanges');
  return {
    name: readName(raw.name),
    mtu: integer(raw.mtu, 'mtu', 576, 65535),
    ipam: readIpam(raw.ipam),
    dns: dnsOf(raw.dns, wish('dns')),
    prevResult: raw.prevResult ? parseResult(object(raw.prevResult, 'prevResult'), version) : undefined,
    ips: ips.length > 0 ? addresses(ips, 'runtimeConfig.ips') : addresses(args.ips, 'args.cni.ips'),
    mac: mac && checkMac(mac),
    portMappings: objects(wish('portMappings'), 'runtimeConfig.portMappings').map((one, i) =>
      readMapping(one, `runtimeConfig.portMappings[${i}]`),
    ),
    bandwidth: bandwidthOf(object(wish('bandwidth'), 'runtimeConfig.bandwidth')),
    ranges:
      runtimeRanges.length > 0
        ? readRanges(runtimeRanges, 'runtimeConfig.ipRanges')
        : readRanges(raw.ranges, 'ranges'),
    // libcni also sends the list under the name that an early draft had.
    validAttachments: readAttachments(raw['cni.dev/valid-attachments'] ?? raw['cni.dev/attachments']),
  };
}

/** @returns in the usual form */
export function checkMac(given: string): string {
  return parsed(`mac ${JSON.stringify(given)}`, () => formatMac(parseMac(given)));
}

function readName(value: unknown): string {
  const name = text(value, 'name');
  if (name !== undefined && /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) return name;
  throw new CniError(
    CniCode.invalidConfig,
    `name: ${JSON.stringify(value)} is not valid; expected the network's name, letters, digits, '_', '.' and '-'`,
  );
}

function readIpam(value: unknown): string | undefined {
  const ipam = object(value, 'ipam');
  if (Object.keys(ipam).length === 0) return undefined;
  const type = text(ipam.type, 'ipam.type');
  if (type !== undefined && !type.includes('/')) return type;
  throw new CniError(
    CniCode.invalidConfig,
    `ipam.type: ${JSON.stringify(ipam.type)} is not valid; expected the name of a plugin, or no 'ipam' to have Weft's own`,
  );
}

function addresses(value: unknown, key: string): Address[] {
  return texts(value, key).map((one) => parsed(key, () => parseAddress(one.split('/')[0])));
}

function dnsOf(configured: unknown, runtime: unknown): Dns {
  const wanted = object(runtime, 'runtimeConfig.dns');
  const key = (name: string) => texts(anyCase(wanted, name), `runtimeConfig.dns.${name}`);
  const [nameservers, search, options] = [key('servers'), key('searches'), key('options')];
  if (nameservers.length + search.length + options.length === 0) return readDns(configured, 'dns');
  return { nameservers, search, options };
}

function bandwidthOf(wanted: Json): Bandwidth | undefined {
  const key = (name: keyof WantedBandwidth) =>
    integer(anyCase(wanted, name), `runtimeConfig.bandwidth.${name}`, 0, Number.MAX_SAFE_INTEGER);
  const limits: WantedBandwidth = {
    ingressRate: key('ingressRate'),
    ingressBurst: key('ingressBurst'),
    egressRate: key('egressRate'),
    egressBurst: key('egressBurst'),
  };
  return parsed('runtimeConfig.bandwidth', () => readBandwidth(limits));
}

function readMapping(mapping: Json, key: string): PortMapping {
  const port = (name: 'hostPort' | 'containerPort') => {
    const given = integer(anyCase(mapping, name), `${key}.${name}`, 1, 65535);
    if (given !== undefined) return given;
    throw new CniError(
      CniCode.invalidConfig,
      `${key}.${name}: is missing or 0; expected a port from 1 to 65535`,
    );
  };
  const wanted = text(anyCase(mapping, 'protocol'), `${key}.protocol`) ?? 'tcp';
  const protocol = PROTOCOLS.find((one) => one === wanted.toLowerCase());
  if (!protocol) {
    throw new CniError(
      CniCode.unsupportedField,
      `${key}.protocol: ${JSON.stringify(wanted)} is not supported; expected ${PROTOCOLS.join(', ')}`,
    );
  }
  const hostIp = text(anyCase(mapping, 'hostIP'), `${key}.hostIP`);
  return {
    protocol,
    hostPort: port('hostPort'),
    containerPort: port('containerPort'),
    ...(hostIp && { hostIp: parsed(`${key}.hostIP`, () => parseAddress(hostIp)) }),
  };
}

function readRanges(value: unknown, key: string): ConfiguredRange[] {
  const sets = list(value, key).map((set, i) =>
    objects(set, `${key}[${i}]`).map((range, n) => readRange(range, `${key}[${i}][${n}]`)),
  );
  // The outer list asks for one address each; an interface has one a family.
  const families = sets.flatMap((set) => [...new Set(set.map(({ first }) => first.family))]);
  if (new Set(families).size === families.length) return sets.flat();
  throw new CniError(
    CniCode.unsupportedField,
    `${key}: ${JSON.stringify(value)} asks for more than one address of a family; a pod's interface has one of each`,
  );
}

function readRange(range: Json, key: string): ConfiguredRange {
  const subnet = parsed(`${key}.subnet`, () => parsePrefix(text(range.subnet, `${key}.subnet`) ?? ''));
  const bound = (name: 'rangeStart' | 'rangeEnd' | 'gateway') => {
    const given = text(range[name], `${key}.${name}`);
    return given === undefined ? undefined : parsed(`${key}.${name}`, () => parseAddress(given));
  };
  return {
    first: bound('rangeStart') ?? subnet.address,
    last: bound('rangeEnd') ?? lastAddress(subnet),
    gateway: bound('gateway'),
  };
}

function readAttachments(value: unknown): AttachmentName[] | undefined {
  if (value === undefined || value === null) return undefined;
  const key = 'cni.dev/valid-attachments';
  return objects(value, key).map((one, i) => {
    const [id, ifname] = [
      text(one.containerID, `${key}[${i}].containerID`),
      text(one.ifname, `${key}[${i}].ifname`),
    ];
    if (id !== undefined && ifname !== undefined) return { id, ifname };
    throw new CniError(CniCode.invalidConfig, `${key}[${i}]: expected containerID and ifname`);
  });
}
